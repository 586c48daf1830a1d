"""The same customer in other words: typing errors, capitals, punctuation, a greeting, politeness.

What the request hangs on stays letter by letter: numbers, amounts, ids, names, addresses, and every yes and no.
"""

import random
import re
from collections.abc import Iterable

from evals.tickets import Ticket, TicketMessage

GREETINGS = ("hi, ", "Hello, ", "hey there, ", "Good morning, ", "Hi team, ", "hello\n")
CLOSINGS = (" thanks", " Thank you.", " cheers", " many thanks!", " thx")
POLITE = ("please ", "could you look at this: ", "quick one: ", "sorry to bother you. ")
ENDINGS = ("", ".", "!", "...", " ..")
GREETED = re.compile(r"^\s*(hi|hey|hello|dear|good (morning|afternoon|evening)|greetings|yo)\b", re.IGNORECASE)
PLAIN = re.compile(r"(?<!\S)[a-z]{6,}(?=[,.!?;:]?(?:\s|$))")
"""Ordinary words: small letters only, and long enough to stay readable with an error in them."""
WORDS_A_TYPO = 9
"""One typing error for so many words, and never more than `MOST_TYPOS` in a message."""
MOST_TYPOS = 3
KEPT = frozenset(
    "cannot nothing nobody neither without unless should either decline accept confirm cancel refund "
    "january february march april june july august september october november december "
    "monday tuesday wednesday thursday friday saturday sunday yesterday tomorrow "
    "eleven twelve thirteen fourteen fifteen sixteen seventeen eighteen nineteen twenty thirty hundred thousand "
    "administrator administrators viewer member editor billing finance business starter growth enterprise".split()
)
"""Words that carry a value, a yes or a no."""
ANSWERS = re.compile(r"\W*(yes|no|yep|nope|ok|okay|sure|go ahead|please do|don't|none of these)\b", re.IGNORECASE)


def reworded(ticket: Ticket, seed: int, repeat: int) -> Ticket:
    """The ticket with its customer's recorded messages put differently; the same for the same seed and repeat."""
    rng = random.Random(f"{seed} {ticket.id} {repeat}")  # noqa: S311 - a draw, not a secret
    arguments = (value for effect in ticket.expected.effects for value in effect.arguments.values())
    kept = KEPT | _words(map(str, [*ticket.facts.values(), *arguments]))
    messages: list[TicketMessage] = []
    for message in ticket.messages:
        if message.role == "customer":
            first = not any(earlier.role == "customer" for earlier in messages)
            message = message.model_copy(update={"text": varied(message.text, rng, kept, first=first)})
        messages.append(message)
    return ticket.model_copy(update={"messages": messages})


def varied(text: str, rng: random.Random, kept: frozenset[str], *, first: bool) -> str:
    """One message put differently; `first` may get a greeting. An answer such as "yes, do it" stays as it is."""
    if ANSWERS.match(text):
        return text
    text = _mistyped(text, rng, kept)
    text = _other_ending(text, rng)
    text = _other_capital(text, rng)
    if first:
        text = _polite(text, rng)
    return text


def _words(texts: Iterable[str]) -> frozenset[str]:
    return frozenset(word.lower() for text in texts for word in re.findall(r"\w+", text))


def _mistyped(text: str, rng: random.Random, kept: frozenset[str]) -> str:
    """Swaps, drops or doubles letters inside a few plain words."""
    plain = [(found.start(), found[0]) for found in PLAIN.finditer(text) if found[0] not in kept]
    count = min(MOST_TYPOS, len(plain), len(text.split()) // WORDS_A_TYPO + 1)
    for start, word in sorted(rng.sample(plain, rng.randint(0, count)), reverse=True):
        text = text[:start] + _typing_error(word, rng) + text[start + len(word) :]
    return text


def _typing_error(word: str, rng: random.Random) -> str:
    at = rng.randint(1, len(word) - 3)
    kind = rng.choice(("swap", "drop", "double"))
    if kind == "swap":
        return word[:at] + word[at + 1] + word[at] + word[at + 2 :]
    return word[:at] + word[at + 1 :] if kind == "drop" else word[:at] + word[at] + word[at:]


def _other_ending(text: str, rng: random.Random) -> str:
    bare = text.rstrip()
    last = bare.split()[-1:] or [""]
    if rng.random() < 0.5 or re.search(r"[\d@_/]", last[0]) or not (bare[-1:].isalpha() or bare[-1:] in ".!"):
        return text
    return bare.rstrip(".!") + rng.choice(ENDINGS)


def _other_capital(text: str, rng: random.Random) -> str:
    """The first letter large or small, where the first word is no name."""
    first = re.match(r"[A-Za-z]+", text)
    if first is None or rng.random() < 0.5 or first[0] == "I" or first[0][1:] != first[0][1:].lower():
        return text
    if text[0].islower():
        return text[0].upper() + text[1:]
    return text[0].lower() + text[1:] if first[0].lower() in STARTS else text


STARTS = frozenset(
    "hi hello hey dear please can could would we our my you your the this there it is are do does how what when "
    "where why which who in on at for from since after before to add remove delete change send give move upgrade "
    "downgrade".split()
)


def _polite(text: str, rng: random.Random) -> str:
    draw = rng.random()
    if draw < 0.35 and not GREETED.match(text):
        return rng.choice(GREETINGS) + text
    if draw < 0.5 and not GREETED.match(text):
        return rng.choice(POLITE) + text
    if draw < 0.75:
        return text.rstrip() + ("" if text.rstrip()[-1:] in ".!?" else ",") + rng.choice(CLOSINGS)
    return text
