// The decision trail: each proposal of the model and what the gate made of it, in words that a support lead can follow.

import { el } from "./dom.js";
import { percent, shown, table, time, words } from "./record.js";

const VERDICTS = {
  permitted: "Permitted",
  ask: "Customer asked first",
  needs_approval: "Needs approval",
  refused: "Refused",
  escalate: "Handed to people",
  shadowed: "Only noted",
};
const ORIGINS = {
  customer: "the customer said it",
  record: "from a record",
  policy: "from policy",
  knowledge: "from our documentation",
  free_text: "text written by others",
  model: "made up by the model",
};

/** The decisions of a conversation, oldest first, as an ordered list. */
export function trail(decisions) {
  if (!decisions.length) return el("p", { class: "quiet" }, "No decisions yet.");
  return el(
    "ol",
    { class: "trail" },
    decisions.map((decision) => el("li", {}, step(decision))),
  );
}

function step(decision) {
  const { verdict, check, reason, p_correct: p, at, policies } = decision;
  return el(
    "details",
    {},
    el(
      "summary",
      {},
      time(at),
      el("span", { class: "what" }, what(decision)),
      badge(verdict),
      p === null ? null : el("span", { class: "quiet" }, `p ${p.toFixed(3)}`),
    ),
    el(
      "div",
      { class: "inside" },
      reason ? el("p", {}, el("strong", {}, check ? `${words(check)}: ` : ""), reason) : null,
      policies.length
        ? el(
            "p",
            {},
            "Policies: ",
            policies.flatMap((name, n) => [n ? ", " : "", el("code", {}, name)]),
          )
        : null,
      proposal(decision),
      checks(decision.checks),
    ),
  );
}

function what({ kind, proposal: { tool, queue, text } }) {
  if (kind === "routing") return `Route to ${words(queue)}`;
  if (kind === "reply") return `Reply: “${text?.length > 70 ? `${text.slice(0, 70)}…` : (text ?? "")}”`;
  return ["Call ", el("code", {}, tool)];
}

function proposal({ kind, proposal: { arguments: given = {}, text }, origins, checks: all }) {
  if (kind === "reply" && text) return el("blockquote", {}, text);
  const names = Object.keys(given);
  if (!names.length) return null;
  const currency = all.find(({ check }) => check === "policy")?.figures.currency;
  const rows = names.map((name) => {
    const { origin, source } = origins[name] ?? {};
    return [words(name), shown(given[name], name, currency), ORIGINS[origin] ?? words(origin), source ?? ""];
  });
  return table("Values and where they came from", ["Value", "Is", "Origin", "Source"], rows);
}

function checks(all) {
  if (!all.length) return null;
  const rows = all.map(({ check, ruling, reason, figures }) => [
    words(check),
    badge(ruling),
    [reason, ...weighed(figures)],
  ]);
  return table("Checks of the gate", ["Check", "Ruling", "Why"], rows);
}

/** The figures that a check weighed, as the sentences that they stand for. */
function weighed({ stage, p_correct: p, minimum_probability: bound, expected_loss: loss, cost_of_person: person }) {
  const cents = (minor) => (minor / 100).toFixed(2);
  return [
    stage ? `Stage ${stage}.` : "",
    p !== undefined && bound != null ? `Right with ${percent(p)}; at least ${percent(bound)} is asked. ` : "",
    loss !== undefined ? `A mistake is expected to cost ${cents(loss)}, a person costs ${cents(person)}.` : "",
  ];
}

/** A ruling as a label; its colour only repeats what it says. */
export function badge(verdict) {
  return el("span", { class: `badge ${verdict}` }, VERDICTS[verdict] ?? words(verdict));
}
