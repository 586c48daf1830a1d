// How values of the record are shown: money, times, facts and tables.

import { el } from "./dom.js";

const LABELS = {
  company: "Company",
  contact_name: "Contact",
  contact_email: "E-mail",
  id: "Customer",
  plan: "Plan",
  status: "Account",
  yearly_value_minor: "Worth a year",
  churn_risk: "Risk of leaving",
  overdue_invoices: "Overdue invoices",
  since: "Customer since",
  timezone: "Time zone",
  currency: "Currency",
};

/** Minor units as money: 2900 EUR is "29.00 EUR". */
export function money(minor, currency) {
  const amount = (minor / 100).toLocaleString("en", { minimumFractionDigits: 2, maximumFractionDigits: 2 });
  return currency ? `${amount} ${currency}` : amount;
}

/** A probability as a share: 0.9957 is "99.6 %". */
export function percent(share) {
  return `${(100 * share).toFixed(1)} %`;
}

/** "14:30", with its day where that is not today. */
export function moment(stamp) {
  const date = new Date(stamp);
  const time = date.toLocaleTimeString("en-GB", { hour: "2-digit", minute: "2-digit" });
  if (date.toDateString() === new Date().toDateString()) return time;
  return `${date.toLocaleDateString("en-GB", { weekday: "short", day: "numeric", month: "short" })}, ${time}`;
}

/** A time element. */
export function time(stamp) {
  return el("time", { datetime: stamp, title: new Date(stamp).toLocaleString("en-GB") }, moment(stamp));
}

/** How far away a deadline is: "in 1 h 20 min", "5 min overdue". */
export function until(stamp, now = Date.now()) {
  const minutes = Math.round((new Date(stamp) - now) / 60_000);
  const [days, hours, rest] = [
    Math.floor(Math.abs(minutes) / 1440),
    Math.floor(Math.abs(minutes) / 60),
    Math.abs(minutes) % 60,
  ];
  const span = days > 1 ? `${days} days` : hours ? `${hours} h${rest ? ` ${rest} min` : ""}` : `${rest} min`;
  return minutes < 0 ? `${span} overdue` : minutes === 0 ? "now" : `in ${span}`;
}

/** A name of the code in words: "sla_breach" is "sla breach". */
export function words(name) {
  return String(name ?? "").replaceAll(/[_-]/g, " ");
}

/** Names and values of a record as a description list. Nested records become lists of their own. */
export function facts(record) {
  const rows = Object.entries(record).filter(([name, value]) => !isEmpty(value) && name !== "currency");
  return el(
    "dl",
    { class: "facts" },
    rows.map(([name, value]) =>
      el("div", {}, el("dt", {}, labelOf(name)), el("dd", {}, shown(value, name, record.currency))),
    ),
  );
}

/** A value of the record as something to read. */
export function shown(value, name = "", currency = "") {
  if (isEmpty(value)) return "-";
  if (typeof value === "number" && /^(amount|.*_minor)(_|$)/.test(name)) return money(value, currency);
  if (name === "churn_risk") return `${value} of 100`;
  if (typeof value === "boolean") return value ? "yes" : "no";
  if (Array.isArray(value)) {
    if (value.some((item) => typeof item === "object"))
      return el(
        "ul",
        {},
        value.map((item) => el("li", {}, shown(item, name, currency))),
      );
    return value.map((item) => shown(item, name, currency)).join(", ");
  }
  if (typeof value === "object") return facts({ currency, ...value });
  if (/^\d{4}-\d\d-\d\dT/.test(value)) return moment(value);
  return String(value);
}

/** A table with a caption that only a screen reader reads. `rows` are arrays of cells; the first is the row's header. */
export function table(caption, heads, rows) {
  const head = el(
    "tr",
    {},
    heads.map((name) => el("th", { scope: "col" }, name)),
  );
  const body = rows.map(([first, ...rest]) =>
    el(
      "tr",
      {},
      el("th", { scope: "row" }, first),
      rest.map((cell) => el("td", {}, cell)),
    ),
  );
  const inner = el(
    "table",
    {},
    el("caption", { class: "unseen" }, caption),
    el("thead", {}, head),
    el("tbody", {}, body),
  );
  return el("div", { class: "scroll", role: "region", tabindex: "0", "aria-label": caption }, inner);
}

/**
 * Keeps an element in step with a record: it is drawn again when what `pick` takes of the record has changed, and left
 * alone otherwise, so that focus, open details and scroll places stay.
 */
export function following(element, pick, draw) {
  let before;
  return (record) => {
    const data = pick(record);
    const mark = JSON.stringify(data);
    if (mark === before) return;
    before = mark;
    element.replaceChildren(...[draw(data)].flat().filter(Boolean));
  };
}

function labelOf(name) {
  const label = LABELS[name] ?? words(name.replace(/_minor$/, ""));
  return label.charAt(0).toUpperCase() + label.slice(1);
}

function isEmpty(value) {
  return (
    value === null ||
    value === undefined ||
    value === "" ||
    (typeof value === "object" && Object.keys(value).length === 0)
  );
}
