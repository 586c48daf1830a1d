// The HTTP interface for people, drawn from /openapi.json without any library.

import { el } from "./dom.js";
import { table } from "./record.js";

const description = await (await fetch("/openapi.json")).json();
const groups = new Map();
for (const [path, methods] of Object.entries(description.paths)) {
  for (const [method, operation] of Object.entries(methods)) {
    const group = operation.tags?.[0] ?? "other";
    groups.set(group, [...(groups.get(group) ?? []), { path, method: method.toUpperCase(), ...operation }]);
  }
}

for (const [group, operations] of groups) {
  const id = `group-${group.replaceAll(/\W+/g, "-")}`;
  document.getElementById("contents").append(
    el("h2", {}, capital(group)),
    el(
      "ul",
      {},
      operations.map((each) => el("li", {}, el("a", { href: `#${each.operationId}` }, route(each)))),
    ),
  );
  document
    .getElementById("interface")
    .append(el("section", { "aria-labelledby": id }, el("h2", { id }, capital(group)), operations.map(drawn)));
}
if (location.hash) document.getElementById(location.hash.slice(1))?.scrollIntoView();

function drawn(operation) {
  const { path, method, description: text, parameters = [], requestBody, responses } = operation;
  const body = requestBody && bodySchema(requestBody.content["application/json"].schema);
  const fields = Object.entries(body?.properties ?? {}).map(([name, schema]) => ({
    name,
    in: "body",
    schema,
    required: body.required?.includes(name),
  }));
  const rows = [...parameters, ...fields].map(row);
  return el(
    "article",
    { class: "operation", id: operation.operationId },
    el("h3", {}, route(operation)),
    el("p", {}, withCode(text)),
    rows.length ? table(`What ${method} ${path} takes`, ["Name", "In", "Type", "Needed", "Default"], rows) : null,
    el(
      "details",
      {},
      el("summary", {}, "Example"),
      el("pre", { tabindex: "0", "aria-label": `Example of ${method} ${path}` }, example(operation, body)),
    ),
    el(
      "p",
      { class: "quiet" },
      "Answers: ",
      Object.entries(responses)
        .map(([status, { description: meaning }]) => `${status} ${meaning}`)
        .join("; "),
    ),
  );
}

function route({ path, method }) {
  return [el("span", { class: `method ${method}` }, method), " ", el("code", {}, path)];
}

function row({ name, in: place, required, schema }) {
  return [el("code", {}, name), place, typeOf(schema), required ? "yes" : "no", defaultOf(schema)];
}

/** A description with what stands between backticks as code. */
function withCode(text = "") {
  return text.split("`").map((part, n) => (n % 2 ? el("code", {}, part) : part));
}

/** What a body holds; of a body that may be missing, what it holds where it is there. */
function bodySchema(schema) {
  const known = resolved(schema);
  return known.anyOf ? resolved(known.anyOf.find((each) => each.type !== "null")) : known;
}

function resolved(schema) {
  return schema.$ref ? description.components.schemas[schema.$ref.split("/").pop()] : schema;
}

function typeOf(schema) {
  const known = resolved(schema);
  if (known.anyOf)
    return known.anyOf
      .filter((each) => each.type !== "null")
      .map(typeOf)
      .join(" or ");
  if (known.enum) return known.enum.map((value) => JSON.stringify(value)).join(", ");
  if (known.type === "array") return `list of ${typeOf(known.items)}`;
  const bounds = [
    known.minLength !== undefined || known.maxLength !== undefined
      ? `${known.minLength ?? 0} to ${known.maxLength ?? "any number of"} characters`
      : "",
    known.minimum !== undefined || known.maximum !== undefined
      ? `${known.minimum ?? ""} to ${known.maximum ?? ""}`
      : "",
    known.pattern ?? "",
  ].filter(Boolean);
  if (known.type === "object" && known.properties) return `{${Object.keys(known.properties).join(", ")}}`;
  return [known.type ?? "any", bounds.length ? `(${bounds.join("; ")})` : ""].join(" ").trim();
}

function defaultOf(schema) {
  const { default: value } = resolved(schema);
  return value === undefined || value === null || value === "" ? "" : JSON.stringify(value);
}

/** The call as a command that can be pasted. */
function example({ path, method }, body) {
  const address = `${location.origin}${path}`;
  const parts = [`curl ${method === "GET" ? "" : `-X ${method} `}'${address}'`];
  if (path.startsWith("/v1/")) parts.push(`-H "Authorization: Bearer $TOKEN"`);
  if (body)
    parts.push("-H 'Content-Type: application/json'", `-d '${JSON.stringify(body.examples?.[0] ?? sampleOf(body))}'`);
  if (path.endsWith("/events")) parts.push("--no-buffer");
  return parts.join(" \\\n  ");
}

function sampleOf(schema) {
  const known = resolved(schema);
  if (known.anyOf) return sampleOf(known.anyOf[0]);
  if (known.enum) return known.enum[0];
  if (known.properties) {
    const names = known.required ?? Object.keys(known.properties);
    return Object.fromEntries(names.map((name) => [name, sampleOf(known.properties[name])]));
  }
  return (
    known.default ??
    { string: "text", integer: 1, number: 0.5, boolean: true, array: [], object: {} }[known.type] ??
    null
  );
}

function capital(text) {
  return text.charAt(0).toUpperCase() + text.slice(1);
}
