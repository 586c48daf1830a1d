// An open handoff: the transcript and the packet, and what the representative does about it.

import { matterQuestion } from "./console-matter.js";
import { el } from "./dom.js";
import { due, growing, packetOf } from "./packet.js";
import { prose } from "./prose.js";
import { following, percent, until, words } from "./record.js";
import { trail } from "./trail.js";

/** One handoff on screen. `desk` is the console: who works at it, its service, its dialog and its notices. */
export class Case {
  #desk;
  #id;
  #conversation;
  #follow;
  #draft = el("textarea", { id: "reply", rows: "5", onkeydown: (event) => this.#onKey(event) });
  #suggestion = null;
  #suggested = el("div", { class: "suggestion", role: "region", "aria-label": "Suggested reply", hidden: true });

  constructor(desk, handoff) {
    this.#desk = desk;
    this.#id = handoff.handoff_id;
    this.#conversation = handoff.conversation_id;
    this.element = el("article", { class: "case", "aria-labelledby": "case-title" }, this.#build(handoff));
    this.show(handoff);
  }

  /** Draws the handoff as it stands now; a reply that is being written stays. */
  show(handoff) {
    for (const follow of this.#follow) follow(handoff);
  }

  #build({ packet: { customer = {} } }) {
    const tags = el("p", { class: "tags" });
    const actions = el("div", { class: "row" });
    const transcript = el("div", { class: "transcript", role: "log", tabindex: "0", "aria-label": "Transcript" });
    const reply = el("form", { class: "reply", onsubmit: (event) => (event.preventDefault(), this.#send()) });
    const packet = el("div", { class: "packet" });
    const decisions = el("div");
    this.#follow = [
      following(
        tags,
        ({ state, claimed_by: holder, queue, priority, due_at: dueAt }) => ({
          state,
          holder,
          queue,
          priority,
          dueAt,
          left: until(dueAt),
        }),
        (now) => this.#tags(now),
      ),
      following(
        actions,
        ({ state, queue, packet }) => ({ state, queue, guess: packet.ranking?.[0] }),
        (now) => this.#actions(now),
      ),
      following(reply, isOpen, (open) => open && this.#reply()),
      following(packet, ({ reason, trigger, packet }) => ({ reason, trigger, packet }), packetOf),
      following(decisions, ({ conversation }) => conversation.decisions, trail),
      growing(transcript),
    ];
    const part = (id, title, ...inside) => el("section", { "aria-labelledby": id }, el("h3", { id }, title), inside);
    const contact = customer.contact_name && el("span", { class: "quiet" }, ` ${customer.contact_name}`);
    return [
      el(
        "header",
        { class: "case-head" },
        el("p", { class: "back" }, el("a", { href: "#" }, "Back to the queue")),
        el("h2", { id: "case-title" }, customer.company ?? customer.id, contact),
        tags,
        actions,
      ),
      el(
        "div",
        { class: "case-body" },
        part("talk-title", "Conversation", transcript, reply),
        part("packet-title", "What you need to know", packet),
      ),
      part("trail-title", "Decision trail", decisions),
    ];
  }

  #tags({ state, holder, queue, priority, dueAt }) {
    const open = isOpen({ state });
    const claimed = holder ? `claimed by ${holder === this.#desk.email ? "you" : holder}` : "not claimed";
    return [
      el("span", { class: "tag" }, words(queue)),
      el("span", { class: `tag ${priority}` }, `${priority} priority`),
      open && due(dueAt),
      el("span", { class: "tag" }, open ? claimed : state),
    ];
  }

  #actions({ state, queue, guess }) {
    if (!isOpen({ state })) return null;
    const button = (label, onclick, kind) => el("button", { type: "button", class: kind, onclick }, label);
    return [
      state === "open" && button("Claim", () => this.#act("claim", {}, "It is yours."), "primary"),
      button("Resolve", () => this.#resolve(guess)),
      button("Return to assistant", () => this.#return()),
      button("Transfer", () => this.#transfer(queue)),
    ];
  }

  #reply() {
    return [
      this.#suggested,
      el("label", { for: "reply" }, "Reply to the customer"),
      this.#draft,
      el(
        "div",
        { class: "row" },
        el("button", { type: "submit", class: "primary" }, "Send"),
        el("button", { type: "button", onclick: () => this.#suggest() }, "Suggest a reply"),
        el("span", { class: "quiet" }, "Ctrl + Enter sends"),
      ),
    ];
  }

  // What the representative does.

  async #act(action, body, done) {
    await this.#desk.attempt(async () => {
      await this.#desk.service.post(`/v1/handoffs/${this.#id}/${action}`, body);
      this.#desk.say(done);
    });
  }

  async #resolve(guess) {
    await this.#desk.attempt(async () => {
      const { items } = await this.#desk.service.get("/v1/intents");
      const matter = matterQuestion(guess, items);
      const note = await this.#desk.ask({
        title: "Resolve",
        text: "The matter is settled. If the customer writes again, that starts anew.",
        label: "What settled it? (kept in the record)",
        confirm: "Resolve",
        more: matter.element,
      });
      if (note !== null) await this.#act("resolve", { note, intent: matter.answer() }, "Resolved.");
    });
  }

  async #return() {
    const note = await this.#desk.ask({
      title: "Return to assistant",
      text: "The assistant answers the customer's next message again.",
      label: "Why? (kept in the record)",
      confirm: "Return",
    });
    if (note !== null) await this.#act("return", { note }, "Returned to the assistant.");
  }

  async #transfer(from) {
    const queue = await this.#desk.ask({
      title: "Transfer",
      text: "The handoff goes to another queue, and the customer is told.",
      label: "To",
      options: Object.keys(this.#desk.queues).filter((name) => name !== from),
      confirm: "Transfer",
    });
    if (queue !== null) await this.#act("transfer", { queue }, `Transferred to ${words(queue)}.`);
  }

  #onKey(event) {
    if (event.key !== "Enter" || !(event.ctrlKey || event.metaKey)) return;
    event.preventDefault();
    this.#send();
  }

  async #send() {
    const text = this.#draft.value.trim();
    this.#draft.focus();
    if (!text || this.#draft.readOnly) return;
    this.#draft.readOnly = true; // until it has arrived: it is sent once
    await this.#desk.attempt(async () => {
      await this.#desk.service.post(`/v1/handoffs/${this.#id}/reply`, { text });
      this.#draft.value = "";
      this.#desk.say("Sent.");
      await this.#judge(text);
    });
    this.#draft.readOnly = false;
  }

  // The suggestion, and what became of it.

  async #suggest() {
    await this.#desk.attempt(async () => {
      if (this.#suggestion) await this.#judge(null);
      const made = await this.#desk.service.post("/v1/assist/suggestions", { conversation_id: this.#conversation });
      this.#suggestion = { ...made, inserted: false };
      this.#suggested.replaceChildren(...this.#suggestionParts(made));
      this.#suggested.hidden = false;
      this.#suggested.querySelector("button").focus();
    });
  }

  #suggestionParts({ text, intent, probability, citations, next_steps: steps }) {
    const about = intent ? `About ${words(intent)} (${percent(probability)})` : "Not sure what this is about";
    return [
      el("p", { class: "suggestion-head" }, el("strong", {}, "Suggested reply"), el("span", { class: "quiet" }, about)),
      el("div", { class: "suggestion-text" }, prose(text)),
      citations.length > 0 && el("p", {}, "From our documentation:"),
      citations.length > 0 &&
        el(
          "ul",
          { class: "plain" },
          citations.map((each) =>
            el("li", {}, el("details", {}, el("summary", {}, each.title), el("blockquote", {}, each.text))),
          ),
        ),
      steps.length > 0 &&
        el(
          "details",
          {},
          el("summary", {}, "Usual steps"),
          el(
            "ol",
            {},
            steps.map((step) => el("li", {}, step)),
          ),
        ),
      el(
        "div",
        { class: "row" },
        el("button", { type: "button", class: "primary", onclick: () => this.#insert() }, "Insert"),
        el("button", { type: "button", onclick: () => this.#dismiss() }, "Dismiss"),
      ),
    ].filter(Boolean);
  }

  #insert() {
    this.#suggestion.inserted = true;
    this.#draft.value = [this.#draft.value.trim(), this.#suggestion.text].filter(Boolean).join("\n\n");
    this.#draft.focus();
    this.#suggested.hidden = true;
  }

  async #dismiss() {
    this.#draft.focus();
    await this.#desk.attempt(() => this.#judge(null));
  }

  /** Tells the service what became of its suggestion; `sent` is what the customer got, or null. */
  async #judge(sent) {
    const { id, text, inserted } = this.#suggestion ?? {};
    this.#suggestion = null;
    this.#suggested.hidden = true;
    if (!id) return;
    const verdict = !inserted || sent === null ? "rejected" : sent === text.trim() ? "accepted" : "edited";
    await this.#desk.service.post(`/v1/assist/suggestions/${id}/verdict`, { verdict, final_text: sent });
  }
}

function isOpen({ state }) {
  return state === "open" || state === "claimed";
}
