// The representatives' console: who is signed in, the queue, and the case that is open. It follows the service's events.

import { ApprovalCase } from "./console-approval.js";
import { Case } from "./console-case.js";
import { el } from "./dom.js";
import { due } from "./packet.js";
import { until, words } from "./record.js";
import { Refused, Service, claimsOf } from "./service.js";

const TOKEN = "handrail staff token";
const PERSON = "handrail staff person";
const SAMPLE_STAFF = { "lead@example.com": "lead", "rep@example.com": "rep", "approver@example.com": "approver" };
const NOBODY = new Refused(401, { title: "Sign in again" });
const REFRESH = 30_000; // what another replica changed, and the clocks of deadlines
const RETRY = 5_000;

const find = (id) => document.getElementById(id);

/** The console as its cases see it: who works here, the service, the dialog and the notices. */
class Desk {
  email = "";
  role = "";
  queues = {};
  service = new Service(location.origin, (renew) => this.#token(renew));

  #development = false;
  #queue = { items: [], approvals: [] };
  #cases = new Map(); // drawn cases by their address, so that a half-written reply survives a look at another case
  #stop = () => {};
  #waiting = null;

  async start() {
    this.#development = (await fetch("/development/staff-token")).ok;
    for (const id of ["reports-link", "sample-link"]) find(id).hidden = !this.#development;
    find("filters").addEventListener("change", () => this.#drawQueue());
    window.addEventListener("hashchange", () => this.#open({ focus: true }));
    setInterval(() => this.#soon(), REFRESH);
    await this.#signIn();
  }

  // Who works here.

  async #signIn() {
    this.#stop();
    find("line").textContent = "";
    try {
      const { sub, role } = claimsOf(await this.#token());
      await this.#refresh();
      Object.assign(this, { email: sub, role });
      this.#cases.clear();
    } catch (error) {
      if (error !== NOBODY) this.complain(error.message);
      const refused = error instanceof Refused && !error.passing;
      return refused ? this.#askForToken() : void setTimeout(() => this.#signIn(), RETRY);
    }
    this.#drawWho();
    this.#drawQueue();
    await this.#open();
    this.#stop = this.service.follow("/v1/staff/events", {
      event: () => this.#soon(),
      state: (connected) => this.#line(connected),
      refused: (error) => (error.status === 401 ? this.#askForToken() : this.complain(error.message)),
    });
  }

  async #token(renew = false) {
    const kept = sessionStorage.getItem(TOKEN);
    if (kept && !renew) return kept;
    if (!this.#development) throw NOBODY;
    const email = sessionStorage.getItem(PERSON) ?? Object.keys(SAMPLE_STAFF)[0];
    const query = new URLSearchParams({ email, role: SAMPLE_STAFF[email] });
    const { token } = await (await fetch(`/development/staff-token?${query}`)).json();
    sessionStorage.setItem(TOKEN, token);
    return token;
  }

  #drawWho() {
    if (!this.#development) {
      const out = el("button", { type: "button", onclick: () => this.#askForToken() }, "Sign out");
      return find("who").replaceChildren(el("span", {}, `${this.email} (${this.role})`), out);
    }
    const people = Object.entries(SAMPLE_STAFF);
    const options = people.map(([email, role]) =>
      el("option", { value: email, selected: email === this.email }, `${email} (${role})`),
    );
    const choose = ({ target }) => {
      sessionStorage.setItem(PERSON, target.value);
      sessionStorage.removeItem(TOKEN);
      this.#signIn();
    };
    find("who").replaceChildren(el("label", {}, "You are ", el("select", { onchange: choose }, options)));
  }

  #askForToken() {
    this.#stop();
    this.email = "";
    sessionStorage.removeItem(TOKEN);
    find("who").replaceChildren();
    find("waiting").replaceChildren();
    const field = el("input", { id: "token", type: "password", autocomplete: "off", required: true });
    const enter = (event) => {
      event.preventDefault();
      sessionStorage.setItem(TOKEN, field.value.trim());
      this.#signIn();
    };
    find("case").replaceChildren(
      el(
        "form",
        { class: "sign-in", onsubmit: enter },
        el("h2", {}, "Sign in"),
        el(
          "p",
          {},
          "Paste the staff token that your administrator gave you. ",
          el("code", {}, "handrail token --staff you@example.com --role rep"),
          " makes one.",
        ),
        el("label", { for: "token" }, "Staff token"),
        field,
        el("button", { type: "submit", class: "primary" }, "Sign in"),
      ),
    );
    field.focus();
  }

  // What is new.

  #line(connected) {
    find("line").textContent = connected ? "Live" : "Connecting again…";
    find("line").classList.toggle("off", !connected);
    if (connected) this.#soon();
  }

  /** Reads the queue and the open case again, once for changes that come together. */
  #soon() {
    if (!this.email) return;
    clearTimeout(this.#waiting);
    this.#waiting = setTimeout(() => this.attempt(() => this.#refresh().then(() => this.#open())), 120);
  }

  async #refresh() {
    this.#queue = await this.service.get("/v1/queue");
    this.queues = this.#queue.queues;
    const { queue } = find("filters").elements;
    if (queue.options.length === 1)
      queue.append(...Object.keys(this.queues).map((name) => el("option", { value: name }, words(name))));
    this.#drawQueue();
  }

  // The queue.

  #drawQueue() {
    const items = this.#queue.items.filter((item) => this.#wanted(item));
    const { approvals } = this.#queue;
    const here = location.hash;
    const focused = document.activeElement?.closest("#waiting a")?.hash;
    find("waiting").replaceChildren(
      ...(approvals.length
        ? [
            el("h3", {}, `Approvals (${approvals.length})`),
            el(
              "ul",
              {},
              approvals.map((each) => approvalItem(each, here)),
            ),
          ]
        : []),
      el("h3", {}, `Handoffs (${items.length})`),
      items.length
        ? el(
            "ul",
            {},
            items.map((item) => handoffItem(item, here, this.email)),
          )
        : el("p", { class: "quiet" }, this.#queue.items.length ? "None matches the filter." : "Nobody is waiting."),
    );
    if (focused) [...find("waiting").querySelectorAll("a")].find((link) => link.hash === focused)?.focus();
    const count = this.#queue.items.length + approvals.length;
    document.title = count ? `(${count}) Console - Handrail` : "Console - Handrail";
  }

  #wanted(item) {
    const { queue, priority, due: when, holder } = Object.fromEntries(new FormData(find("filters")));
    const left = new Date(item.due_at) - Date.now();
    return (
      (!queue || item.queue === queue) &&
      (!priority || item.priority === priority) &&
      (!when || (when === "overdue" ? left < 0 : left < 3_600_000)) &&
      (!holder || (holder === "me" ? item.claimed_by === this.email : !item.claimed_by))
    );
  }

  // The open case.

  async #open({ focus = false } = {}) {
    if (!this.email) return;
    const [, kind, id] = /^#(handoff|approval)\/(\w+)$/.exec(location.hash) ?? [];
    document.body.classList.toggle("reading", Boolean(kind));
    const main = find("case");
    if (focus) this.#drawQueue();
    if (!kind) return main.replaceChildren(el("p", { class: "empty quiet" }, "Choose who to help from the queue."));
    await this.attempt(async () => {
      const record = await this.service.get(`/v1/${kind}s/${id}`);
      const known = this.#cases.get(location.hash);
      const shown = known ?? new (kind === "handoff" ? Case : ApprovalCase)(this, record);
      this.#cases.set(location.hash, shown);
      if (known) known.show(record);
      if (main.firstChild !== shown.element) main.replaceChildren(shown.element);
      if (focus) main.focus();
    });
  }

  // For the cases.

  /** Does something with the service and shows why where it does not work. */
  async attempt(work) {
    try {
      await work();
    } catch (error) {
      this.complain(error.message);
    }
  }

  say(text) {
    this.#notice(text, "status");
    this.#soon();
  }

  complain(text) {
    this.#notice(text, "alert");
  }

  #notice(text, role) {
    document.querySelector(".notice")?.remove();
    const close = el("button", { type: "button", "aria-label": "Close", onclick: () => notice.remove() }, "×");
    const notice = el("div", { class: `notice ${role}`, role }, el("span", {}, text), close);
    document.body.append(notice);
    if (role === "status") setTimeout(() => notice.remove(), 6000);
  }

  /** Asks for a note, or a choice among `options`, after `more`; null where the answer is to leave it. */
  ask({ title, text, label, options, confirm, more }) {
    const dialog = find("ask");
    const choices = options?.map((name) => el("option", { value: name }, words(name)));
    const field = choices ? el("select", { id: "ask-field" }, choices) : el("textarea", { id: "ask-field", rows: "3" });
    return new Promise((resolve) => {
      const answer = (value) => {
        dialog.close();
        resolve(value);
      };
      dialog.replaceChildren(
        el(
          "form",
          { onsubmit: (event) => (event.preventDefault(), answer(field.value.trim())) },
          el("h2", { id: "ask-title" }, title),
          el("p", {}, text),
          more,
          el("label", { for: "ask-field" }, label),
          field,
          el(
            "div",
            { class: "row" },
            el("button", { type: "submit", class: "primary" }, confirm),
            el("button", { type: "button", onclick: () => answer(null) }, "Cancel"),
          ),
        ),
      );
      dialog.oncancel = () => resolve(null);
      dialog.showModal();
    });
  }
}

function handoffItem(item, here, email) {
  const address = `#handoff/${item.handoff_id}`;
  const holder = item.claimed_by && (item.claimed_by === email ? "you" : item.claimed_by);
  return el(
    "li",
    {},
    el(
      "a",
      { href: address, class: item.priority, "aria-current": address === here ? "true" : undefined },
      el("strong", {}, item.customer || "A customer"),
      el("span", { class: "why" }, words(item.reason.replace(/^trigger: /, ""))),
      el(
        "span",
        { class: "tags" },
        el("span", { class: "tag" }, words(item.queue)),
        item.priority === "normal" ? null : el("span", { class: `tag ${item.priority}` }, item.priority),
        due(item.due_at),
        holder ? el("span", { class: "tag" }, `claimed by ${holder}`) : null,
      ),
    ),
  );
}

function approvalItem({ id, summary, expires_at: end }, here) {
  const address = `#approval/${id}`;
  return el(
    "li",
    {},
    el(
      "a",
      { href: address, "aria-current": address === here ? "true" : undefined },
      el("strong", {}, "Approve?"),
      el("span", { class: "why" }, summary),
      el("span", { class: "tags" }, el("span", { class: "tag" }, `lapses ${until(end)}`)),
    ),
  );
}

await new Desk().start();
