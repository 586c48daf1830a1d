// The sample host site: it knows who is signed in, and hands the chat a token for them, as a real site would.

import { el } from "./dom.js";

const OPENINGS = [
  ["cus_001", "You took 29 euros twice this month."],
  [
    "cus_003",
    "You have missed the uptime in our agreement three months running. We will hold back payment under clause 9 and our counsel will write.",
  ],
  ["cus_043", "We paid invoice 4304 twice. Kindly return the second payment."],
  ["cus_013", "Everything is paid but our service is still suspended."],
  ["cus_004", "How do I rotate an API key?"],
];
const CHOSEN = "larkspur customer";
const LOOK_EVERY = 3000;

const chat = document.getElementById("chat");
const who = document.getElementById("who");
const { customers } = await (await fetch("/development/customers")).json();

for (const { id, contact_name: name, company, situation } of customers) {
  who.append(el("option", { value: id }, `${name}, ${company} (${situation.replaceAll("-", " ")})`));
}
for (const [id, words] of OPENINGS) {
  const { contact_name: name } = customers.find((customer) => customer.id === id);
  const button = el(
    "button",
    { type: "button", onclick: () => (become(id), chat.open({ draft: words })) },
    `Write as ${name}`,
  );
  document.getElementById("openings").append(el("li", {}, el("q", {}, words), button));
}
who.addEventListener("change", () => become(who.value));
let token = null;
become(new URLSearchParams(location.search).get("customer") ?? sessionStorage.getItem(CHOSEN) ?? "cus_001");

/** Signs in as a customer: the chat then shows their conversation. */
function become(id) {
  const { contact_name: name, company, plan } = customers.find((customer) => customer.id === id) ?? customers[0];
  sessionStorage.setItem(CHOSEN, id);
  who.value = id;
  show("greeting", `Welcome back, ${name.split(" ")[0]}`);
  show("company", company);
  show(
    "initials",
    name
      .split(" ")
      .map((word) => word[0])
      .slice(0, 2)
      .join(""),
  );
  show("plan", plan[0].toUpperCase() + plan.slice(1));
  const today = new Date();
  const next = new Date(today.getFullYear(), today.getMonth() + 1, 1);
  show("next-invoice", next.toLocaleDateString("en-GB", { day: "numeric", month: "long" }));
  token = null;
  chat.tokenProvider = async () => {
    const answer = await fetch(`/development/customer-token?customer=${encodeURIComponent(id)}`);
    token = (await answer.json()).token;
    return token;
  };
  showLetters([]);
}

setInterval(lookForLetters, LOOK_EVERY);

/** Looks into the mailbox of whoever chats. */
async function lookForLetters() {
  if (token === null || document.hidden) return;
  const asked = token;
  const answer = await fetch("/development/outbox", { headers: { Authorization: `Bearer ${asked}` } });
  if (answer.ok && asked === token) showLetters((await answer.json()).letters);
}

function showLetters(letters) {
  document.getElementById("mailbox").hidden = letters.length === 0;
  const items = letters.map(({ subject, sent_to: to, body }) =>
    el("li", {}, el("strong", {}, `${subject} (to ${to})`), el("p", {}, body)),
  );
  document.getElementById("letters").replaceChildren(...items);
}

function show(id, text) {
  document.getElementById(id).textContent = text;
}
