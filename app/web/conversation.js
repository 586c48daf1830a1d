// A customer's conversation: what was said, what is on its way, and where the matter stands. It knows no page.
//
// What is shown is a fold over the service's numbered events, so a reload or a broken line changes nothing: an event that
// was handled is known by its number, and a message by the id that it got here before it was sent.

import { pause } from "./service.js";

const ATTEMPTS = 6;

export class Conversation extends EventTarget {
  /** What was said, oldest first: messages and notices. `key` stays the same over the life of an entry. */
  entries = [];
  /** What is being done for the customer right now, or an empty text. */
  status = "";
  /** What the customer is asked to agree to. */
  offers = [];
  /** The last handoff: `team`, `dueAt` and `state` (open, claimed, joined, returned or resolved), or null. */
  handoff = null;
  awaitsApproval = false;
  /** The answer that the customer may still say yes or no to (was this solved?), or null. */
  solvedQuestion = null;
  /** Whether the line to the service is up. */
  connected = true;
  /** Why nothing works any more, as a sentence, or an empty text. */
  problem = "";

  #service;
  #store;
  #lastEvent = 0;
  #history = 0; // events up to this number happened before this page was opened
  #delivering = false;
  #stop = () => {};

  /**
   * @param {import("./service.js").Service} service signed as the customer
   * @param {{id?: string, outbox?: object[], answered?: string}} store survives a reload; `save()` writes it
   */
  constructor(service, store) {
    super();
    this.#service = service;
    this.#store = store;
  }

  /** Whether people have it now. */
  get withPerson() {
    return ["open", "claimed", "joined"].includes(this.handoff?.state);
  }

  /** Goes on with the stored conversation, if there is one, and sends what was left unsent. */
  async resume() {
    for (const { key, text } of this.#store.outbox ?? []) this.#show({ key, role: "customer", text, state: "sending" });
    if (this.#store.id) await this.#catchUp();
    if (this.#store.outbox?.length) this.#deliverAll();
  }

  async #catchUp() {
    try {
      this.#history = (await this.#get("")).last_event_id;
      this.#listen();
    } catch (error) {
      if (error.status === 404) this.#forget();
      else if (error.passing) this.#listen();
      else this.#fail(error);
    }
  }

  /** Shows a message at once and sends it; what cannot be sent can be retried. */
  send(text) {
    const key = uniqueId();
    this.offers = [];
    this.solvedQuestion = null;
    this.#store.outbox = [...(this.#store.outbox ?? []), { key, text }];
    this.#store.save();
    this.#show({ key, role: "customer", text, at: new Date(), state: "sending" });
    this.#deliverAll();
  }

  /** Tries again to send what failed. */
  retry() {
    for (const entry of this.entries) if (entry.state === "failed") this.#mark(entry, "sending");
    this.#deliverAll();
  }

  /** Goes on after the customer has signed in again. */
  revive() {
    if (!this.problem) return;
    this.problem = "";
    if (this.#store.id) this.#listen();
    this.retry();
  }

  /** Takes back a message that the service refused; returns its text. */
  takeBack(key) {
    const entry = this.entries.find((each) => each.key === key);
    this.entries = this.entries.filter((each) => each !== entry);
    this.#changed();
    return entry.text;
  }

  async answerSolved(solved) {
    const question = this.solvedQuestion;
    await this.#service.post(`${this.#path}/feedback`, { solved });
    this.#store.answered = question;
    this.#store.save();
    this.solvedQuestion = null;
    this.#changed();
  }

  stop() {
    this.#stop();
  }

  get #path() {
    return `/v1/conversations/${this.#store.id}`;
  }

  #get(path) {
    return this.#service.get(this.#path + path);
  }

  // Sending: in the order of writing, each until it arrived.

  async #deliverAll() {
    if (this.#delivering) return;
    this.#delivering = true;
    for (let entry; (entry = this.entries.find((each) => each.state === "sending"));) await this.#deliver(entry);
    this.#delivering = false;
  }

  async #deliver(entry) {
    for (let attempt = 1; entry.state === "sending"; attempt += 1) {
      try {
        if (!this.#store.id) await this.#open();
        await this.#service.post(`${this.#path}/messages`, { text: entry.text, client_message_id: entry.key });
        return this.#arrived(entry);
      } catch (error) {
        if (error.status === 404 && attempt === 1) this.#forget();
        else if (!error.passing) return this.#refused(entry, error);
        else if (attempt === ATTEMPTS) return this.#mark(entry, "failed", error.message);
        else await pause(Math.min(8000, 400 * 2 ** attempt));
      }
    }
  }

  async #open() {
    this.#store.id = (await this.#service.post("/v1/conversations", { channel: "chat" })).id;
    this.#store.save();
    this.#listen();
  }

  #arrived(entry) {
    this.#takeFromOutbox(entry);
    this.#mark(entry, "sent");
  }

  #refused(entry, error) {
    if (error.status === 401) {
      this.#mark(entry, "failed", error.message);
      return this.#fail(error);
    }
    this.#takeFromOutbox(entry);
    this.#mark(entry, "refused", error.message);
  }

  #takeFromOutbox(entry) {
    this.#store.outbox = (this.#store.outbox ?? []).filter(({ key }) => key !== entry.key);
    this.#store.save();
  }

  // Listening: every numbered event once.

  #listen() {
    this.#stop();
    const on = {
      event: (event) => this.#handle(event),
      state: (connected) => this.#line(connected),
      refused: (error) => this.#fail(error),
    };
    this.#stop = this.#service.follow(`${this.#path}/events`, on, () => this.#lastEvent);
  }

  #line(connected) {
    this.connected = connected;
    if (connected && this.entries.some((entry) => entry.state === "failed")) this.retry();
    this.#changed();
  }

  #handle({ kind, id, data }) {
    if (id) {
      if (id <= this.#lastEvent) return;
      this.#lastEvent = id;
    }
    this.#handlers[kind]?.(data, id);
    this.#changed();
  }

  #handlers = {
    status: ({ text }) => {
      this.status = text;
    },
    message: (data, number) => {
      const entry = { ...data, at: new Date(data.at), past: number <= this.#history };
      entry.key = data.client_message_id ?? data.message_id;
      if (data.role === "customer") {
        this.offers = [];
        this.solvedQuestion = null;
        const own = this.entries.find(({ key }) => key === entry.key);
        if (own) return this.#arrived(own);
      } else {
        this.status = "";
      }
      if (data.role === "representative" && this.handoff) this.#joined(entry);
      this.#show(entry);
    },
    offer: ({ offers }) => {
      this.offers = offers;
    },
    approval: () => {
      this.awaitsApproval = true;
    },
    handoff: (data, number) => this.#handedOff(data, number),
    disposition: ({ disposition, turn_id: turn }, number) => {
      this.status = "";
      this.awaitsApproval = disposition === "awaiting_approval";
      this.solvedQuestion = disposition === "resolved" && turn !== this.#store.answered ? turn : null;
      if (disposition === "awaiting_customer" && number >= this.#history) this.#readOffers();
    },
  };

  /** An offer may outlive a question in between, or be overtaken by a newer one: the service knows. */
  async #readOffers() {
    const event = this.#lastEvent;
    const { offers } = await this.#get("").catch(() => ({}));
    if (!offers || event !== this.#lastEvent) return;
    this.offers = offers;
    this.#changed();
  }

  #handedOff({ handoff_id: id, state = "open", team, due_at: dueAt, at }, number) {
    const was = this.handoff?.id === id ? this.handoff : {};
    this.handoff = { id, state, team: team ?? was.team, dueAt: dueAt ?? was.dueAt };
    if (state === "claimed" && was.state === "joined") this.handoff.state = "joined";
    this.solvedQuestion = state === "resolved" && id !== this.#store.answered ? id : null;
    if (state === "claimed") return;
    const notice = {
      role: "notice",
      notice: state,
      handoff: this.handoff,
      at: new Date(at),
      past: number <= this.#history,
    };
    this.#show({ ...notice, key: `event-${number}` });
  }

  #joined({ key, at, past }) {
    const first = this.handoff.state !== "joined";
    this.handoff = { ...this.handoff, state: "joined" };
    if (first) this.#show({ key: `joined-${key}`, role: "notice", notice: "joined", handoff: this.handoff, at, past });
  }

  #show(entry) {
    const waiting = this.entries.findIndex((each) => each.state && each.state !== "sent");
    if (entry.state || waiting === -1) this.entries.push(entry);
    else this.entries.splice(waiting, 0, entry); // what is still on its way stays last
    this.#changed();
  }

  #mark(entry, state, problem = "") {
    Object.assign(entry, { state, problem });
    this.#changed();
  }

  #forget() {
    this.#stop();
    Object.assign(this.#store, { id: undefined, answered: undefined });
    this.#store.save();
    this.#lastEvent = this.#history = 0;
    this.entries = this.entries.filter((entry) => entry.state === "sending");
    Object.assign(this, { handoff: null, offers: [], solvedQuestion: null, awaitsApproval: false, status: "" });
    this.#changed();
  }

  #fail(error) {
    this.#stop();
    this.problem = error.status === 401 ? "You are no longer signed in. Reload the page to go on." : error.message;
    this.#changed();
  }

  #changed() {
    this.dispatchEvent(new Event("change"));
  }
}

/** A UUID; `crypto.randomUUID` is missing on pages without HTTPS. */
function uniqueId() {
  if (crypto.randomUUID) return crypto.randomUUID();
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, "0")).join("");
}
