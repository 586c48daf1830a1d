// Plain text as readable elements: paragraphs, lists, and links to http(s) addresses. Everything else stays text.

import { el } from "./dom.js";

const BULLET = /^\s*[-*•]\s+/;
const NUMBER = /^\s*\d{1,3}[.)]\s+/;
const DOCUMENT = /^\/v1\/documents\/\w+$/;
const ADDRESS = /https?:\/\/[^\s<>"'`]+|(?<![\w./])\/v1\/documents\/\w+/g;
const ENDS_A_SENTENCE = /[.,;:!?)\]}…]+$/;

/** The elements that show a text. */
export function prose(text) {
  const blocks = document.createDocumentFragment();
  let open = null; // the list or paragraph that the next line may go on with
  for (const line of text.split("\n")) {
    const kind = !line.trim() ? null : BULLET.test(line) ? "ul" : NUMBER.test(line) ? "ol" : "p";
    if (kind === null) {
      open = null;
      continue;
    }
    const goesOn = open?.tagName === kind.toUpperCase();
    if (!goesOn) blocks.append((open = el(kind, kind === "ol" ? { start: parseInt(line, 10) } : {})));
    if (kind === "p") open.append(...(goesOn ? [el("br")] : []), ...linked(line));
    else open.append(el("li", {}, linked(line.replace(kind === "ul" ? BULLET : NUMBER, ""))));
  }
  return blocks;
}

/** A line with its web addresses, and the service's own documents, as links. */
export function linked(line) {
  const parts = [];
  let from = 0;
  for (const found of line.matchAll(ADDRESS)) {
    const address = found[0].replace(ENDS_A_SENTENCE, "");
    const link = DOCUMENT.test(address) ? documentLink(address) : safeLink(address);
    if (link === null) continue;
    parts.push(line.slice(from, found.index), link);
    from = found.index + address.length;
  }
  return [...parts, line.slice(from)].filter((part) => part !== "");
}

/** A link to one of the customer's documents: whoever shows it fetches the file with the caller's token. */
function documentLink(path) {
  return el("a", { href: path, "data-document": "" }, "Download the document");
}

/** A link to an http(s) address, or null where the address is none. */
export function safeLink(address, label = address) {
  if (!URL.canParse(address) || !["http:", "https:"].includes(new URL(address).protocol)) return null;
  return el("a", { href: address, target: "_blank", rel: "noopener noreferrer" }, label);
}
