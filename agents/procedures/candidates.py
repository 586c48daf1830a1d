"""Which of the records that were looked up a text names: by number, name, month, amount or place in a list."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from itertools import pairwise
from typing import Any

from rapidfuzz import fuzz

from agents.procedures.asides import without_negated, without_spared
from agents.procedures.dates import LISTED_MONTHS, dates_in, months_in
from agents.procedures.missing import unknown_numbers, unknown_resource
from agents.procedures.procedure import Slot
from agents.triage.phrasing import leans
from tools.provenance import numbers_in

TRAITS = ("role", "status", "plan", "currency")
"""What records are, or shall become. A correction of another value may name it too, and means no other record."""
ORDINALS = ["first", "second", "third", "fourth", "fifth", "sixth"]


@dataclass(frozen=True)
class Found:
    """One value."""

    value: Any


@dataclass(frozen=True)
class Several:
    """More than one candidate fits the words equally well."""

    candidates: list[dict[str, Any]]


def identity(slot: Slot, item: dict[str, Any]) -> Any:
    """The value that stands for a candidate: its id, or what serves as one."""
    for key in (f"{slot.type}_id", "id", slot.type, "kind", "month"):
        if key in item:
            return item[key]
    return next(iter(item.values()))


_BETWEEN = re.compile(
    r"\W*(?:(?:and|plus|also|as well as|the|both|then|of|for|from|in|invoices?|bills?|numbers?|no|nr|our|"
    r"buckets?|databases?|caches?|queues?|clusters?|gateways?|servers?|ones?)\W+)*",
    re.IGNORECASE,
)
"""What stands between the names of a list."""
_EACH = re.compile(r"\b(both|all (?:of them|three|four)|each|and|&|plus)\b|\+|,", re.IGNORECASE)


def all_named(slot: Slot, several: Several, text: str, today: date) -> list[Any]:
    """The candidates that a text names one by one ("october and november"), or all of them ("both"); else none.

    Users only by their full names: of two with one name, one is meant.
    """
    if slot.type not in ("invoice", "resource", "user") or not _EACH.search(text) or re.search(r"\bor\b", text, re.I):
        return []
    items = several.candidates
    values = [identity(slot, item) for item in items]
    if slot.type == "user":
        low = plain(text)
        return values if _listed({plain(str(item["name"])) for item in items if item.get("name")}, low) else []
    if re.search(r"\bboth\b", text, re.IGNORECASE):
        return values if len(items) == 2 else []
    text = without_spared(without_negated(text))
    months = [item["issued_on"][:7] for item in items if isinstance(item.get("issued_on"), str)]
    listed = months_in(" ".join(match[0] for match in LISTED_MONTHS.finditer(text)), today)
    if len(set(months)) == len(items) and set(months) <= set(listed):
        return values
    low = plain(text)
    own = [str(item.get(key, "")).lower() for item in items for key in ("number", "name", "id") if item.get(key)]
    said = {name for name in own if re.search(rf"(?<![\w.-]){re.escape(name)}(?![\w-])", low)}
    names = [{str(item.get(key, "")).lower() for key in ("number", "name", "id")} & said for item in items]
    apart = all(names) and len(set(map(frozenset, names))) == len(items)
    return values if apart and _listed(said, low) else []


def _listed(names: set[str], low: str) -> bool:
    """Whether the names stand in one list ("logs, media and old-db"), and not here and there in a story."""
    places = sorted((found.start(), found.end()) for name in names for found in re.finditer(re.escape(name), low))
    return len(places) >= len(names) > 1 and all(
        end > begin or _BETWEEN.fullmatch(low[end:begin]) for (_, end), (begin, _) in pairwise(places)
    )


_RECORDS = {
    "invoice": "invoice|bill|receipt|payment|charge",
    "payment": "payment|charge",
    "user": "user|person|colleague",
    "resource": "database|bucket|cache|queue|cluster|gateway|server|resource",
}
"""What customers call a record of a type when they mean one that was spoken of."""


def refers_back(slot: Slot, text: str) -> bool:
    """Whether a text means a record that was spoken of before ("that invoice", "give us it back")."""
    nouns = _RECORDS.get(slot.type)
    if nouns is None:
        return False
    if slot.type == "user" and re.search(r"\b(?:him|her|his|he|she)\b", text, re.IGNORECASE):
        return True
    pointed = re.search(rf"\b(?:that|this|the same|said|the other) (?:{nouns}|one)\b", text, re.IGNORECASE)
    named = re.search(rf"\b(?:{nouns})s?\b", text, re.IGNORECASE)  # "an invoice, it's for our books" means any
    return pointed is not None or (named is None and leans(text))


def takes_along(slot: Slot, text: str) -> bool:
    """Whether a text wants a record that was spoken of before beside what it names ("that one, and June's as well")."""
    record = rf"(?:that|this|the same) (?:{_RECORDS.get(slot.type, 'one')}|one)"
    join = r"(?:and|plus|as well as|along with|together with)"
    return re.search(rf"\b{record},? {join}\b|\b{join} {record}(?= too\b| as well\b|\W*$)", text, re.I) is not None


_ME = r"(?:me|mine|myself|my own|i)"


def says_me(text: str) -> bool:
    """Whether an answer is that its writer is meant, and nothing else."""
    return (
        re.fullmatch(rf"\W*(?:(?:it'?s|that'?s|for|just|only|yes|please)\W+)*{_ME}\W*(?:please\W*)?", text, re.I)
        is not None
    )


def says_not_me(text: str) -> bool:
    """Whether an answer says that its writer is not meant ("not me, the other one")."""
    return re.match(rf"\W*(?:(?:no|it'?s|that'?s|well|oh|sorry)\W+)*not (?:for )?{_ME}\b", text, re.I) is not None


def named_in(slot: Slot, text: str, candidates: Sequence[dict[str, Any]]) -> list[Any]:
    """The candidates that a reply of ours calls by their own number or name."""
    low = plain(text)
    return [
        identity(slot, item)
        for item in candidates
        if any(
            (name := plain(str(item.get(key) or ""))) and re.search(rf"(?<![\w.-]){re.escape(name)}(?![\w-])", low)
            for key in ("number", "name", "id")
        )
    ]


def candidate_named(
    slot: Slot, text: str, candidates: Sequence[dict[str, Any]], *, asked: bool, today: date, current: Any
) -> Found | Several | None:
    low = plain(text)
    if slot.type == "invoice" and candidates and unknown_numbers(low, candidates):
        return Several(list(candidates))
    if slot.type == "resource" and candidates and unknown_resource(text, candidates):
        return Several(list(candidates))
    another = re.search(r"\b(other|another|different) (one|invoice|user|payment|resource)?\b", low)
    if current is not None and another and not _named_again(slot, current, candidates, low):
        others = [item for item in candidates if identity(slot, item) != current]
        alike = alike_to(slot, current, candidates)
        if len(others) == 1 or len(alike) == 1:
            return Found(identity(slot, (others if len(others) == 1 else alike)[0]))
        candidates = others or candidates
    kinds = {plain(item["kind"]) for item in candidates if isinstance(item.get("kind"), str)}
    # An answer may begin with the name itself; a sentence of a request begins with another word.
    said = f"- {text}" if asked else text
    traits = TRAITS if current is None else (slot.type,)
    scores = [(_likeness(item, said, low, today, kinds, traits), item) for item in candidates]
    best = max((score for score, _ in scores), default=0.0)
    if best > 0:
        fitting = [item for score, item in scores if score >= best - 1e-9]
        if current is not None and _confirmed(current, slot, fitting, candidates, low):
            return None
        called = [item for item in candidates if _is_called(item, low)]
        ordered = len(called) == 1 and _is_ordered(called[0], low)
        if (
            slot.type == "resource"
            and len(called) == 1
            and (ordered or called[0] in fitting)
            and _apart(called[0], fitting, text)
        ):
            fitting = called  # the other is only spoken of in another sentence, and not by its name
        if len(called) > 1 and all(item in called for item in fitting):
            fitting = called  # several by their own names: that one of them is named twice over makes it no likelier
        if current is not None and len(fitting) > 1:  # who corrects names what was wrong beside what is right
            fitting = [item for item in fitting if identity(slot, item) != current] or fitting
        if len(fitting) == 1:
            return Found(identity(slot, fitting[0]))
        ordinal = re.sub(r"\bthis month(?:'?s)?\b", " ", low)  # a month like any other, and it has had its say
        if (position := _ordinal(ordinal, len(fitting), asked)) is not None:
            return Found(identity(slot, fitting[position]))
        return Several(fitting)
    if (position := _ordinal(low, len(candidates), asked)) is not None:
        return Found(identity(slot, candidates[position]))
    if slot.type == "invoice" and current is not None and (step := _neighbour(low)):
        at = next((n for n, item in enumerate(candidates) if identity(slot, item) == current), None)
        if at is not None and 0 <= at + step < len(candidates):
            return Found(identity(slot, candidates[at + step]))
    return None


def _neighbour(low: str) -> int:
    """The step in a list that runs newest first which "the one before that" means; 0 where nothing of it is said."""
    if re.search(
        r"\b(?:one|month|invoice|bill)s? (?:from |of )?(?:the (?:month|one) )?before\b(?! (?:i|we|you|the)\b)", low
    ):
        return 1
    return -1 if re.search(r"\b(?:one|month|invoice|bill) (?:right )?after(?: (?:that|it|this))\b", low) else 0


def _named_again(slot: Slot, current: Any, candidates: Sequence[dict[str, Any]], low: str) -> bool:
    """Whether a text says of the current user that it is them ("it's Rivera, the other one is me")."""
    if slot.type != "user":
        return False
    names = [plain(str(item.get("name", ""))) for item in candidates if identity(slot, item) == current]
    words = [word for name in names for word in name.split()]
    return any(re.search(rf"\b(?:it'?s|for|yes,?|only|just) {re.escape(word)}\b", low) for word in words)


def alike_to(slot: Slot, current: Any, candidates: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Of users, those who share a name with the current one: "the other one" is one of them."""
    if slot.type != "user":
        return []
    names = {identity(slot, item): set(plain(str(item.get("name", ""))).split()) for item in candidates}
    mine = names.get(current, set())
    return [i for i in candidates if identity(slot, i) != current and names[identity(slot, i)] & mine]


_ORDERED = (
    r"(?<!not )(?<!don't )(?<!dont )(?<!never )"
    r"\b(?:delete|remove|drop|unlock|reset|refund|send|cancel|change|take|for|only|just)"
)
_TURNS = r"(?!.*(?:\bno\b|\bnot\b|\bn't\b|\binstead\b|\brather\b|\bbut\b|\?))"
"""Nothing after it takes it back: "refund 0042? no, 0041"."""


def _confirmed(
    current: Any, slot: Slot, fitting: Sequence[dict[str, Any]], candidates: Sequence[dict[str, Any]], low: str
) -> bool:
    """Whether a message orders the very record that was settled, and names another only beside it."""
    settled = [item for item in candidates if identity(slot, item) == current]
    names = [plain(str(item[key])) for item in settled for key in ("name", "number", "id") if item.get(key)]
    if slot.type == "user":
        names += [word for name in names for word in re.findall(r"[^\W\d_]{3,}", name)]
    beside = any(identity(slot, item) != current for item in fitting)
    return beside and any(
        re.search(rf"{_ORDERED} (?:the |only |just )?{re.escape(name)}(?![\w-]){_TURNS}", low) for name in names
    )


def _apart(item: dict[str, Any], fitting: Sequence[dict[str, Any]], text: str) -> bool:
    """Whether a text names a record in a sentence that speaks of none of the others that fit."""
    own = [s for s in map(plain, re.split(r"(?<=[.!?;])\s+|\n+", text)) if _is_called(item, s)]
    others = {plain(str(other.get("kind") or "")) for other in fitting if other is not item} - {""}
    return bool(own) and not any(re.search(rf"\b{re.escape(o)}s?\b", s) for s in own for o in others)


def _is_ordered(item: dict[str, Any], low: str) -> bool:
    """Whether something shall be done with a record that is called by its own name ("only drop old-uploads")."""
    name = re.escape(plain(str(item.get("name") or "")))
    return re.search(rf"{_ORDERED} (?:the |only |just )?(?:[a-z]+ )?{name}(?![\w-])", low) is not None


def _is_called(item: dict[str, Any], low: str) -> bool:
    """Whether a text names a record by its own name, and not only as a part of another word or name."""
    name = plain(str(item.get("name") or ""))
    return bool(name) and re.search(rf"(?<![\w.-]){re.escape(name)}(?![\w-])", low) is not None


_A_TIME = r"(?:years?|weeks?|nights?|times?|quarters?|spring|summer|autumn|fall|winter|\w+day)\b"
"""What "last" may say of: not a record's place then."""


def _ordinal(low: str, count: int, asked: bool) -> int | None:
    """The position that "the latest", "the first one" or (when asked) "2" means; lists run newest first."""
    if count == 0:
        return None
    if re.search(rf"\b(latest|last(?! {_A_TIME})|most recent|newest|current|this month'?s?|recent)\b", low):
        return 0
    if re.search(r"\b(oldest|earliest)\b", low):
        return count - 1
    if asked:
        for position, word in enumerate(ORDINALS[:count]):
            if re.search(rf"\b{word}\b|^\W*{position + 1}\W*$|\boption {position + 1}\b|\bnumber {position + 1}$", low):
                return position
    return None


def _likeness(
    item: dict[str, Any], text: str, low: str, today: date, kinds: set[str], traits: tuple[str, ...] = TRAITS
) -> float:
    """How well an item fits the words. `traits`: what it is rather than what it is called, so far as that counts."""
    score = 0.0
    numbers = numbers_in(text)
    for key, value in item.items():
        if value is None or isinstance(value, bool) or key in ("memo", "description"):
            continue
        if key in TRAITS and key not in traits:
            continue
        if isinstance(value, int):
            if (
                key.startswith(("amount", "price"))
                and key not in ("amount_refunded", "amount_paid")
                and divmod(value, 100) in numbers
            ):
                score += 2.0
            continue
        if not isinstance(value, str) or not value:
            continue
        score += _text_likeness(key, value, text, low, today, kinds)
    return score


_PAID_ONE = re.compile(r"\s+(?:invoices?|bills?|ones?)\b")
"""What stands after "paid" where it says which invoice is meant."""
_SHALL_BE = re.compile(r"\b(?:an?|to|as|into) (?:(?!the\b)\w+ )?$")
"""What stands before what somebody or something shall become."""


def _text_likeness(key: str, value: str, text: str, low: str, today: date, kinds: set[str]) -> float:
    said = plain(value)
    if re.fullmatch(r"\d{4}-\d{2}(-\d{2}.*)?", value):
        exact = len(value) > 7 and date.fromisoformat(value[:10]) in dates_in(text, today)
        if exact:
            return 2.0
        return (
            1.0 if key in ("issued_on", "period", "month", "paid_on") and value[:7] in months_in(text, today) else 0.0
        )
    plural = "s?" if key == "kind" else ""
    if (hit := re.search(rf"(?<![\w.]){re.escape(said)}{plural}(?![\w])", low)) is not None:
        if key == "role" and _SHALL_BE.search(low[: hit.start()]) is not None:
            return 0.0  # "an ordinary member account is enough": what somebody shall be says nothing of who it is
        if key == "status" and said == "paid" and _PAID_ONE.match(low[hit.end() :]) is None:
            return 0.0  # "has my invoice been paid?" asks what it is
        if key in TRAITS:
            return 0.5  # what something is, or shall become, says less than what it is called
        return 4.0 if key in ("id", "number", "email", "invoice_id") else 3.0
    if key == "number" and re.search(rf"(?<!\d){re.escape(said.lstrip('0'))}(?!\d)", low):
        return 2.5
    if key in ("last4", "card_last4") and said in low:
        return 2.0
    if key in ("name", "title", "email", "kind"):
        words = [w for w in re.findall(r"\w+", said.split("@")[0]) if len(w) > 2 and (key == "kind" or w not in kinds)]
        if key in ("name", "email") and _named_otherwise(words, text):
            return 0.0
        spoken = re.findall(r"\w+", low)
        hits = sum(
            any(other in (word, f"{word}s") or (len(word) > 4 and fuzz.ratio(word, other) >= 85) for other in spoken)
            for word in words
        )
        return (2.0 if key != "email" else 1.5) * hits / max(len(words), 1)
    return 0.0


def _named_otherwise(words: list[str], text: str) -> bool:
    """Whether the text names somebody who shares only a part of the name: "Brenda Holt" is not Nina Holt."""
    names = re.findall(r"(?<![.!?\n] )(?<!^)\b([A-Z][\w'’-]+) ([A-Z][\w'’-]+)\b", text)
    same = [(first.lower() in words, last.lower() in words) for first, last in names]
    return any(one != other for one, other in same) and (True, True) not in same and len(words) > 1


def plain(text: str) -> str:
    """The text in small letters, with single blanks and straight quotes."""
    return re.sub(r"[\s_]+", " ", text.lower().replace("’", "'")).strip()
