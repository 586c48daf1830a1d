// The handoff packet and the transcript: what a person who takes over needs to know.

import { el } from "./dom.js";
import { prose } from "./prose.js";
import { facts, moment, money, percent, shown, table, time, until, words } from "./record.js";

const SPEAKERS = { customer: "Customer", agent: "Assistant", representative: "Representative" };
const EFFECTS = {
  intended: "intended, not sent yet",
  sent: "sent, not confirmed yet",
  verified: "done and read back",
  failed: "failed, nothing changed",
  unknown: "outcome unknown, being settled",
  compensated: "undone",
};

/** The packet, part by part. */
export function packetOf({ reason, trigger, packet }) {
  const { customer = {}, tried = [], effects = [], citations = [], proposed = [] } = packet;
  const block = (title, ...inside) => el("div", { class: "block" }, el("h4", {}, title), inside);
  return [
    block(
      "Why it is here",
      el("p", {}, packet.detail || reason),
      el("p", { class: "quiet" }, trigger ? ["Rule ", el("code", {}, trigger)] : reason),
    ),
    block("Summary", el("p", {}, packet.summary)),
    block("Customer", facts(customer)),
    block(
      "What was tried",
      tried.length ? triedList(tried) : el("p", { class: "quiet" }, "Nothing: it came here at once."),
    ),
    block(
      "Effects",
      effects.length ? effectsTable(effects) : el("p", { class: "quiet" }, "Nothing was changed in the account."),
    ),
    proposed.length
      ? block(
          "Proposed next",
          proposed.map(({ tool, arguments: given }) => el("div", {}, el("code", {}, tool), facts(given))),
        )
      : null,
    block(
      "Sources",
      citations.length
        ? el(
            "ul",
            { class: "plain" },
            citations.map(({ title }) => el("li", {}, title)),
          )
        : el("p", { class: "quiet" }, "None were quoted."),
    ),
    block("Signals", signals(packet)),
  ];
}

function signals({ intent, ranking = [], signals: found = [], urgency, sentiment }) {
  const guesses = ranking
    .slice(0, 3)
    .filter(([, p]) => p >= 0.01)
    .map(([name, p]) => `${words(name)} ${percent(p)}`);
  return facts({
    about: words(intent),
    "best guesses": guesses.join(", "),
    "words that matter": found.map(words).join(", "),
    urgency: urgency ? percent(urgency) : "",
    mood: sentiment === undefined ? "" : sentiment < -0.3 ? "upset" : sentiment > 0.3 ? "friendly" : "neutral",
  });
}

/** What was looked up and done, and what came back; the same twice is told once. */
export function triedList(tried, { open = false } = {}) {
  const once = new Map(tried.map((step) => [JSON.stringify({ ...step, call_id: "" }), step]));
  const part = (title, value) => (Object.keys(value ?? {}).length ? [el("h5", {}, title), shown(value)] : []);
  const items = [...once.values()].map(({ tool, arguments: given, result, problem }) =>
    el(
      "li",
      {},
      el(
        "details",
        { open },
        el("summary", {}, el("code", {}, tool), problem ? el("span", { class: "problem" }, ` ${problem}`) : null),
        part("Asked with", given && { currency: result?.currency, ...given }),
        part("Came back", result),
      ),
    ),
  );
  return el("ul", { class: "plain tried" }, items);
}

function effectsTable(effects) {
  const rows = effects.map(({ tool, arguments: given, state, result }) => [
    el("code", {}, tool),
    given.amount === undefined ? shown(given) : money(given.amount, result?.currency),
    EFFECTS[state] ?? state,
  ]);
  return table("Effects and their state in the ledger", ["Tool", "What", "State"], rows);
}

/** When the first answer is due, marked where that has passed. */
export function due(at) {
  const overdue = new Date(at) < new Date();
  return el("span", { class: overdue ? "tag overdue" : "tag" }, `${until(at)} (${moment(at)})`);
}

/** A transcript that only grows, so that a screen reader reads what is new. */
export function growing(log) {
  let count = 0;
  return ({ conversation: { messages } }) => {
    const atEnd = log.scrollHeight - log.scrollTop - log.clientHeight < 60;
    log.append(...messages.slice(count).map(said));
    count = messages.length;
    if (atEnd) requestAnimationFrame(() => (log.scrollTop = log.scrollHeight));
  };
}

function said({ role, author, text, at, citations }) {
  return el(
    "article",
    { class: `said ${role}` },
    el("p", { class: "speaker" }, el("strong", {}, author ?? SPEAKERS[role]), time(at)),
    prose(text),
    citations?.length ? el("p", { class: "quiet" }, `From: ${citations.map(({ title }) => title).join("; ")}`) : null,
  );
}
