// <handrail-chat>: the chat that any site embeds.
//
//     <script type="module" src="https://support.example.com/web/widget.js"></script>
//     <handrail-chat token="..." heading="Larkspur Cloud support"></handrail-chat>
//
// The token is made by the site's own server for its signed-in visitor. A site whose tokens are short-lived sets
// `element.tokenProvider = async () => (await fetch("/support-token")).text()` instead of the attribute; it is asked
// again whenever a token has run out. Without a provider the element fires `handrail-token-expired`, and goes on as soon
// as the attribute holds a fresh token. `service` names another address of Handrail than the one the script came from.
// Colours, type and place follow the custom properties at the top of widget-style.js.

import { Conversation } from "./conversation.js";
import { el, icon } from "./dom.js";
import { prose, safeLink } from "./prose.js";
import { Refused, Service, Unreachable, claimsOf, pause } from "./service.js";
import { style } from "./widget-style.js";

const ASK_FOR_A_PERSON = "I would like to talk to a person.";
const YES = "Yes, go ahead";
const NO = "No";

const SPEECH = "M5 5h14a1 1 0 0 1 1 1v9a1 1 0 0 1-1 1h-7l-4.5 3.5V16H5a1 1 0 0 1-1-1V6a1 1 0 0 1 1-1z";
const CROSS = "M6 6l12 12M18 6L6 18";
const ARROW = "M12 19V5M6 11l6-6 6 6";
const PERSON = ["M12 12a3.5 3.5 0 1 0 0-7 3.5 3.5 0 0 0 0 7z", "M5 20c.6-3.6 3.4-5.5 7-5.5s6.4 1.9 7 5.5"];

export class HandrailChat extends HTMLElement {
  static observedAttributes = ["token", "heading"];

  #provider = null;
  #beginning = 0; // counts, so that only the latest beginning goes on
  #holder = ""; // whose conversation is shown
  #service;
  #conversation = null;
  #unsaid = null; // what the customer wants to send while it is not known yet who they are
  #drawn = new Map(); // what each entry of the log was drawn as
  #seen = 0; // entries that the customer has had on screen
  #parts = {};

  constructor() {
    super();
    const root = this.attachShadow({ mode: "open" });
    root.adoptedStyleSheets = [style];
    root.append(...this.#build());
  }

  connectedCallback() {
    this.#parts.title.textContent = this.getAttribute("heading") ?? "Support";
    this.#begin();
  }

  disconnectedCallback() {
    this.#conversation?.stop();
    this.#holder = "";
  }

  attributeChangedCallback(name, _before, value) {
    if (!this.isConnected) return;
    if (name === "heading") this.#parts.title.textContent = value;
    else this.#begin();
  }

  get token() {
    return this.getAttribute("token");
  }

  /** The customer's token. */
  set token(value) {
    this.setAttribute("token", value);
  }

  /** An async function that returns the customer's token, asked again when one has run out. */
  set tokenProvider(provider) {
    this.#provider = provider;
    if (this.isConnected) this.#begin(true);
  }

  /** Opens the chat; `draft` is put into the message field for the customer to send. */
  open({ draft = "" } = {}) {
    if (draft) this.#parts.text.value = draft;
    this.#fitDraft();
    this.#setOpen(true);
  }

  close() {
    this.#setOpen(false);
  }

  // Who is there, and their conversation.

  async #begin(renew = false) {
    const latest = (this.#beginning += 1);
    let token;
    try {
      token = await this.#fetchToken(renew);
    } catch (error) {
      this.#say(error.message); // until the site sets a token
      if (error.passing) await pause(5000);
      if (error.passing && latest === this.#beginning) this.#begin(renew);
      return;
    }
    if (latest !== this.#beginning) return;
    const origin = this.getAttribute("service") ?? new URL(import.meta.url).origin;
    const holder = `handrail ${origin} ${claimsOf(token).sub ?? ""}`;
    if (holder === this.#holder) return this.#conversation.revive();
    this.#conversation?.stop();
    this.#holder = holder;
    this.#drawn.clear();
    this.#seen = 0;
    this.#parts.log.replaceChildren(this.#parts.welcome);
    this.#service = new Service(origin, (again) => this.#fetchToken(again));
    this.#conversation = new Conversation(this.#service, storedUnder(holder));
    this.#conversation.addEventListener("change", () => this.#draw());
    this.#draw();
    if (storedUnder(holder).isOpen || !this.#parts.panel.hidden) this.#setOpen(true, { focus: false });
    await this.#conversation.resume();
    if (this.#unsaid) this.#unsaid();
  }

  async #onDocument(event) {
    const link = event.target.closest("a[data-document]");
    if (link === null) return;
    event.preventDefault();
    try {
      await this.#service.download(link.getAttribute("href"));
    } catch (error) {
      this.#say(error.message);
    }
  }

  async #fetchToken(renew) {
    if (this.#provider && (renew || !this.token)) {
      const token = await this.#provider().catch(() => {
        throw new Unreachable();
      });
      if (token !== this.token) this.token = token;
    } else if (renew) {
      this.dispatchEvent(new Event("handrail-token-expired", { bubbles: true }));
      throw new Refused(401, { title: "You are no longer signed in" });
    }
    if (!this.token) throw new Refused(401, { title: "Sign in to write to us" });
    return this.token;
  }

  // The parts.

  #build() {
    const parts = (this.#parts = {
      title: el("h2", { id: "title" }),
      standing: el("p", { class: "standing" }),
      unread: el("span", { class: "unread", hidden: true }),
      log: el("div", { class: "log", role: "log", tabindex: "0", aria: { label: "Conversation", live: "polite" } }),
      welcome: el(
        "p",
        { class: "welcome" },
        "Hello! Tell us what you need. An assistant answers at once, and people are here when you want them.",
      ),
      status: el("p", { class: "status", role: "status" }),
      choices: el("div", { class: "choices" }),
      text: el("textarea", { id: "text", rows: "1", autocomplete: "off", enterkeyhint: "send" }),
    });
    parts.log.append(parts.welcome);
    parts.launcher = el(
      "button",
      { type: "button", class: "launcher", "aria-expanded": "false", onclick: () => this.open() },
      icon(SPEECH),
      el("span", {}, "Help"),
      parts.unread,
    );
    parts.person = el(
      "button",
      { type: "button", class: "person", onclick: () => this.#askForPerson() },
      icon(...PERSON),
      "Talk to a person",
    );
    parts.composer = el(
      "form",
      { class: "composer", onsubmit: (event) => (event.preventDefault(), this.#sendDraft()) },
      el("label", { class: "unseen", for: "text" }, "Your message"),
      parts.text,
      el("button", { type: "submit", class: "send", "aria-label": "Send" }, icon(ARROW)),
    );
    parts.panel = el(
      "section",
      {
        class: "panel",
        role: "dialog",
        "aria-labelledby": "title",
        hidden: true,
        onkeydown: (event) => this.#onKey(event),
      },
      el(
        "div",
        { class: "head" },
        el("div", {}, parts.title, parts.standing),
        el(
          "button",
          { type: "button", class: "close", "aria-label": "Close", onclick: () => this.close() },
          icon(CROSS),
        ),
      ),
      parts.log,
      parts.status,
      parts.choices,
      parts.composer,
      el("div", { class: "foot" }, parts.person),
    );
    parts.text.addEventListener("keydown", (event) => this.#onComposerKey(event));
    parts.text.addEventListener("input", () => this.#fitDraft());
    parts.log.addEventListener("click", (event) => this.#onDocument(event));
    return [parts.panel, parts.launcher];
  }

  #onKey(event) {
    if (event.key === "Escape") this.close();
  }

  #onComposerKey(event) {
    if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
    event.preventDefault();
    this.#sendDraft();
  }

  #setOpen(open, { focus = true } = {}) {
    const { panel, launcher, text } = this.#parts;
    panel.hidden = !open;
    launcher.hidden = open;
    launcher.setAttribute("aria-expanded", String(open));
    if (this.#holder) Object.assign(storedUnder(this.#holder), { isOpen: open }).save();
    if (open) this.#toEnd();
    if (focus) (open ? text : launcher).focus();
    this.#draw();
  }

  // What the customer does.

  #sendDraft() {
    const text = this.#parts.text.value.trim();
    if (!text) return;
    this.#send(() => {
      this.#parts.text.value = "";
      this.#fitDraft();
      return text;
    });
  }

  /** Sends what `take` returns, as soon as it is known who is writing. */
  #send(take) {
    this.#unsaid = null;
    if (!this.#conversation) return void (this.#unsaid = () => this.#send(take));
    this.#conversation.send(take());
    this.#toEnd();
  }

  #choose(text) {
    this.#send(() => text);
    this.#parts.text.focus();
  }

  #askForPerson() {
    if (this.#conversation?.withPerson) this.#say(standingOf(this.#conversation));
    else this.#send(() => ASK_FOR_A_PERSON);
    this.#parts.text.focus();
  }

  async #answerSolved(solved) {
    try {
      await this.#conversation.answerSolved(solved);
      this.#say(solved ? "Thank you, good to know." : "Sorry about that. Write what is missing, or talk to a person.");
    } catch (error) {
      this.#say(error.message);
    }
    this.#parts.text.focus();
  }

  #fitDraft() {
    const { text } = this.#parts;
    text.rows = Math.min(5, text.value.split("\n").length + Math.floor(text.value.length / 45));
  }

  // Drawing. The log only grows, so that a screen reader reads what is new and nothing twice.

  #draw() {
    const talk = this.#conversation;
    if (!talk) return;
    const { log, standing, text } = this.#parts;
    const atEnd = log.scrollHeight - log.scrollTop - log.clientHeight < 60;
    log.setAttribute(
      "aria-live",
      talk.entries.some((entry) => entry.past && !this.#drawn.has(entry.key)) ? "off" : "polite",
    );
    this.#drawLog(talk.entries);
    standing.textContent = standingOf(talk);
    text.placeholder = talk.withPerson ? "You can keep writing here" : "Write a message";
    this.#say(
      talk.problem || (talk.connected ? talk.status : "Connecting again…"),
      Boolean(talk.status) && talk.connected,
    );
    this.#drawChoices(talk);
    if (atEnd) this.#toEnd();
    this.#countUnread(talk.entries);
  }

  #drawLog(entries) {
    const { log, welcome } = this.#parts;
    let previous = welcome;
    for (const entry of entries) {
      let drawn = this.#drawn.get(entry.key);
      if (!drawn) {
        drawn = drawEntry(entry);
        this.#drawn.set(entry.key, drawn);
      }
      if (previous.nextElementSibling !== drawn) previous.after(drawn);
      if (entry.role === "customer") this.#drawDelivery(drawn, entry);
      previous = drawn;
    }
    while (previous.nextElementSibling) previous.nextElementSibling.remove();
    log.classList.toggle("empty", entries.length === 0);
  }

  #drawDelivery(drawn, { key, state, problem }) {
    const shown = `${state} ${problem}`;
    if (drawn.dataset.state === shown) return;
    drawn.dataset.state = shown;
    const talk = this.#conversation;
    const again = el("button", { type: "button", onclick: () => talk.retry() }, "Try again");
    const edit = el("button", { type: "button", onclick: () => this.#edit(key) }, "Change it");
    const notes = { sending: ["Sending…"], failed: [`Not sent. ${problem} `, again], refused: [`${problem} `, edit] };
    drawn.querySelector(".delivery").replaceChildren(...(notes[state] ?? []));
    drawn.classList.toggle("unsent", state in notes);
    drawn.classList.toggle("failed", state === "failed" || state === "refused");
  }

  #edit(key) {
    this.#drawn.get(key).remove();
    this.#drawn.delete(key);
    this.#parts.text.value = this.#conversation.takeBack(key);
    this.#fitDraft();
    this.#parts.text.focus();
  }

  #drawChoices({ offers, solvedQuestion }) {
    const { choices } = this.#parts;
    const wanted = offers.length ? "offer" : solvedQuestion ? `solved ${solvedQuestion}` : "";
    if (choices.dataset.shown === wanted) return;
    choices.dataset.shown = wanted;
    const button = (label, onclick, kind) => el("button", { type: "button", class: kind, onclick }, label);
    if (offers.length) {
      choices.replaceChildren(
        button(YES, () => this.#choose(YES), "yes"),
        button(NO, () => this.#choose(NO)),
      );
    } else if (solvedQuestion) {
      const yes = button("Yes", () => this.#answerSolved(true));
      choices.replaceChildren(
        el("span", { id: "solved" }, "Did this solve it?"),
        yes,
        button("No", () => this.#answerSolved(false)),
      );
    } else {
      choices.replaceChildren();
    }
    const group = wanted && { role: "group", "aria-label": offers.length ? "Your decision" : "Did this solve it?" };
    for (const name of ["role", "aria-label"]) {
      if (group) choices.setAttribute(name, group[name]);
      else choices.removeAttribute(name);
    }
  }

  #say(words, working = false) {
    const { status } = this.#parts;
    if (status.textContent !== words) status.textContent = words;
    status.classList.toggle("working", working);
  }

  /** Shows the latest entry: its end, or its beginning where it is longer than the log is high. */
  #toEnd() {
    const { log } = this.#parts;
    log.scrollTop = log.lastElementChild.offsetTop - 12;
  }

  #countUnread(entries) {
    const { panel, unread, launcher } = this.#parts;
    const answers = entries.filter(({ role, past }) => !past && (role === "agent" || role === "representative")).length;
    if (!panel.hidden) this.#seen = answers;
    const waiting = answers - this.#seen;
    unread.hidden = waiting <= 0;
    unread.textContent = waiting > 0 ? String(waiting) : "";
    launcher.setAttribute("aria-label", waiting > 0 ? `Help, ${waiting} new` : "Help");
  }
}

const SPEAKERS = { customer: "You", agent: "Assistant", representative: "Support team" };

function drawEntry(entry) {
  if (entry.role === "notice") return el("p", { class: `notice ${entry.notice}` }, ...noticeOf(entry));
  const own = entry.role === "customer";
  return el(
    "article",
    { class: `message ${entry.role}` },
    el(
      "p",
      { class: own ? "unseen" : "speaker" },
      entry.role === "representative" ? icon(...PERSON) : null,
      SPEAKERS[entry.role],
    ),
    el("div", { class: "bubble" }, prose(entry.text)),
    sourcesOf(entry.citations ?? []),
    own ? el("p", { class: "delivery" }) : null,
    el("time", { datetime: entry.at?.toISOString() }, entry.at ? clock(entry.at) : ""),
  );
}

function sourcesOf(citations) {
  if (!citations.length) return null;
  const items = citations.map(({ title, source }) => el("li", {}, safeLink(source ?? "", title) ?? title));
  return el(
    "div",
    { class: "sources" },
    el("span", {}, citations.length > 1 ? "Sources" : "Source"),
    el("ul", {}, items),
  );
}

function noticeOf({ notice, handoff }) {
  const team = handoff.team ?? "a colleague";
  const texts = {
    open: [
      el("strong", {}, `Passed to ${team}.`),
      handoff.dueAt ? ` They answer by ${moment(handoff.dueAt)}.` : "",
      " You can keep writing here.",
    ],
    joined: [el("strong", {}, `A colleague from ${team} has joined.`)],
    returned: [`A colleague from ${team} has passed this back to our assistant.`],
    resolved: [`A colleague from ${team} has closed this matter. Write here if anything is left.`],
  };
  return texts[notice];
}

/** Who has the conversation now, in a line. */
function standingOf({ handoff, withPerson, awaitsApproval }) {
  if (awaitsApproval && !withPerson) return "A colleague has to approve this; you will see it here";
  if (!withPerson) return "You are writing with our assistant";
  const team = handoff.team ?? "a colleague";
  if (handoff.state === "joined") return `With a person from ${team}`;
  if (handoff.state === "claimed") return `A colleague from ${team} is reading this`;
  return handoff.dueAt ? `With ${team}: answer by ${moment(handoff.dueAt)}` : `With ${team}`;
}

function clock(date) {
  return date.toLocaleTimeString("en-GB", { hour: "2-digit", minute: "2-digit" });
}

/**
 * A time as the team that promised it would say it, and where the visitor's clock differs, as the visitor would.
 * @param {string} stamp RFC 3339 with the offset of the team's place
 */
function moment(stamp) {
  const date = new Date(stamp);
  const [, hours, minutes] = /T(\d\d):(\d\d)/.exec(stamp);
  const theirs = `${hours}:${minutes}`;
  const days = { weekday: "long", day: "numeric", month: "long" };
  const day =
    date.toDateString() === new Date().toDateString() ? "today" : `on ${date.toLocaleDateString("en-GB", days)}`;
  return clock(date) === theirs ? `${theirs} ${day}` : `${theirs} (${clock(date)} your time) ${day}`;
}

const stores = new Map();

/** What a holder's conversation keeps over a reload of this tab. */
function storedUnder(holder) {
  if (!stores.has(holder)) {
    const store = Object.create({
      save() {
        try {
          sessionStorage.setItem(holder, JSON.stringify(this));
        } catch {
          // The browser keeps nothing for this page: the conversation then ends with the page.
        }
      },
    });
    try {
      Object.assign(store, JSON.parse(sessionStorage.getItem(holder)));
    } catch {
      // Nothing kept, or nothing that can be read.
    }
    stores.set(holder, store);
  }
  return stores.get(holder);
}

customElements.define("handrail-chat", HandrailChat);
