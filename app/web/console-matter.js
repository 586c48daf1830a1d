// What a handoff was about: a known intent, with triage's guess chosen, or a new name. Handrail learns from it.

import { el } from "./dom.js";
import { percent, words } from "./record.js";

const SURE = 0.3; // under this a guess is not chosen for the representative
const NEW = "+";
const GROUPS = { procedure: "Handrail does it", people: "People do it", learned: "People do it", proposed: "Named lately" };

/** The question in the dialog. `guess` is [intent, probability] or nothing, `intents` the service's list. */
export function matterQuestion(guess, intents) {
  const [guessed, probability] = guess ?? [];
  const known = intents.some(({ intent }) => intent === guessed);
  const option = ({ intent, title }) =>
    el("option", { value: intent, selected: intent === guessed && probability >= SURE }, title);
  const groups = [...new Set(Object.values(GROUPS))].map((label) =>
    el(
      "optgroup",
      { label },
      intents.filter(({ served_by: by }) => GROUPS[by] === label).map(option),
    ),
  );
  const select = el(
    "select",
    { id: "matter", "aria-describedby": "matter-help", onchange: () => follow() },
    el("option", { value: "" }, "Not sure"),
    el("option", { value: NEW }, "Something new…"),
    groups.filter((group) => group.children.length),
  );
  const name = el("input", {
    id: "matter-name",
    maxlength: "48",
    autocomplete: "off",
    "aria-describedby": "matter-name-help",
  });
  const naming = el(
    "div",
    { class: "matter-name", hidden: true },
    el("label", { for: "matter-name" }, "Name of the new matter"),
    name,
    el("p", { class: "quiet", id: "matter-name-help" }, "In two or three words, such as: tax exemption."),
  );
  const follow = () => {
    naming.hidden = select.value !== NEW;
    name.required = !naming.hidden;
    if (!naming.hidden) name.focus();
  };
  const said = known ? `Handrail took it for ${words(guessed)} (${percent(probability)}). ` : "";
  return {
    element: el(
      "div",
      { class: "matter" },
      el("label", { for: "matter" }, "What was it about?"),
      select,
      el("p", { class: "quiet", id: "matter-help" }, `${said}Handrail learns from your answer.`),
      naming,
    ),
    /** The intent, or undefined where nobody says. */
    answer: () => (select.value === NEW ? nameOf(name.value) : select.value) || undefined,
  };
}

/** A name for an intent: "Tax exemption" is "tax_exemption". */
function nameOf(text) {
  return text
    .normalize("NFKD")
    .toLowerCase()
    .replaceAll(/[^a-z0-9]+/g, "_")
    .replaceAll(/^[_0-9]+|_+$/g, "");
}
