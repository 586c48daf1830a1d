// An approval that waits: what the assistant wants to do, why it may not alone, the evidence, and the decision.

import { el } from "./dom.js";
import { growing, triedList } from "./packet.js";
import { facts, following, moment, until } from "./record.js";
import { trail } from "./trail.js";

const MAY_DECIDE = new Set(["approver", "lead", "admin"]);

/** One approval on screen. `desk` is the console. */
export class ApprovalCase {
  #desk;
  #id;
  #follow;

  constructor(desk, approval) {
    this.#desk = desk;
    this.#id = approval.id;
    this.element = el("article", { class: "case", "aria-labelledby": "case-title" }, this.#build(approval));
    this.show(approval);
  }

  /** Draws the approval as it stands now. */
  show(approval) {
    for (const follow of this.#follow) follow(approval);
  }

  #build({ customer, summary, reasons, requested_at: asked, expires_at: end, decision_id: judged, conversation }) {
    const decision = el("div", { class: "decide" });
    const transcript = el("div", { class: "transcript", role: "log", tabindex: "0", "aria-label": "Transcript" });
    this.#follow = [
      following(
        decision,
        ({ state, decided_by: by, comment, arguments: wanted, asked_arguments: before }) =>
          ({ state, by, comment, wanted, before }),
        (now) => this.#decision(now),
      ),
      growing(transcript),
    ];
    const looked = conversation.steps.filter(({ kind }) => kind === "tool").map(({ payload }) => payload);
    const part = (id, title, ...inside) => el("section", { "aria-labelledby": id }, el("h3", { id }, title), inside);
    return [
      el(
        "header",
        { class: "case-head" },
        el("p", { class: "back" }, el("a", { href: "#" }, "Back to the queue")),
        el("h2", { id: "case-title" }, `Approve for ${customer.company ?? customer.id}?`),
        el("p", { class: "request" }, `${summary.charAt(0).toUpperCase()}${summary.slice(1)}.`),
        el(
          "p",
          { class: "tags" },
          el("span", { class: "tag" }, `asked ${moment(asked)}`),
          el("span", { class: "tag" }, `lapses ${until(end)}`),
        ),
      ),
      el(
        "div",
        { class: "case-body" },
        el(
          "div",
          {},
          part(
            "why-title",
            "Why a person decides",
            el(
              "ul",
              {},
              reasons.map((reason) => el("li", {}, reason)),
            ),
          ),
          decision,
          part("talk-title", "Conversation", transcript),
        ),
        el(
          "div",
          {},
          part("evidence-title", "What was looked up", triedList(looked, { open: true })),
          part("customer-title", "Customer", facts(customer)),
        ),
      ),
      part("trail-title", "How it was judged", trail(conversation.decisions.filter(({ id }) => id === judged))),
    ];
  }

  #decision({ state, by, comment, wanted, before }) {
    if (state !== "pending") {
      const approved = before ? "Approved with a change" : "Approved";
      const outcome =
        by && state !== "expired"
          ? `${state === "approved" ? approved : "Denied"} by ${by}`
          : "It lapsed before anybody decided";
      return el("p", { class: "outcome" }, `${outcome}${comment ? `: ${comment}` : "."}`);
    }
    if (!MAY_DECIDE.has(this.#desk.role)) return el("p", { class: "quiet" }, "An approver or a lead decides this.");
    const field = el("textarea", { id: "comment", rows: "2" });
    const change = new Change(wanted);
    const button = (label, kind, decision) =>
      el(
        "button",
        { type: "button", class: kind, onclick: () => this.#decide({ ...decision(), comment: field.value.trim() }) },
        label,
      );
    return [
      el("label", { for: "comment" }, "Comment (where you deny or change it, the customer reads it)"),
      field,
      el(
        "div",
        { class: "row" },
        button("Approve", "primary", () => ({ approved: true })),
        button("Deny", "danger", () => ({ approved: false })),
      ),
      el(
        "details",
        { class: "change" },
        el("summary", {}, "Approve something else"),
        el("p", { class: "quiet" }, "The rules apply to it all the same, and the customer is asked whether they agree."),
        change.element,
        button("Approve this instead", "", () => ({ approved: true, arguments: change.value })),
      ),
    ];
  }

  async #decide(decision) {
    await this.#desk.attempt(async () => {
      await this.#desk.service.post(`/v1/approvals/${this.#id}`, decision);
      this.#desk.say(decision.approved ? "Approved. The customer is told." : "Denied. The customer is told.");
    });
  }
}

/** The values of a request as fields: a number stays a number, money is in minor units. */
class Change {
  #wanted;
  #fields;

  constructor(wanted) {
    this.#wanted = wanted;
    const plain = Object.entries(wanted).filter(([, value]) => ["number", "string"].includes(typeof value));
    this.#fields = plain.map(([name, value]) => {
      const number = typeof value === "number";
      const id = `change-${name}`;
      const input = el("input", { id, type: number ? "number" : "text", ...(number && { step: "1", min: "0" }) });
      input.value = String(value);
      return { name, number, id, input };
    });
    this.element = el(
      "div",
      { class: "fields" },
      this.#fields.flatMap(({ name, id, input }) => [el("label", { for: id }, name.replaceAll("_", " ")), input]),
    );
  }

  get value() {
    const given = this.#fields.map(({ name, number, input }) => [
      name,
      number ? Number(input.value) : input.value.trim(),
    ]);
    return { ...this.#wanted, ...Object.fromEntries(given) };
  }
}
