"""Finding a slot's value in the customer's words."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from functools import lru_cache
from itertools import pairwise
from typing import Any

from rapidfuzz import fuzz

from agents.consent import read_answer
from agents.frame import ActiveProcedure
from agents.procedures.asides import (
    PERIOD,
    TAKEN_BACK,
    corrected_to,
    without_introduction,
    without_negated,
    without_signature,
    without_spared,
    without_writer,
)
from agents.procedures.counts import change_in, direction_in, wanted_in_all
from agents.procedures.dates import LISTED_MONTHS, dates_in, months_in
from agents.procedures.expressions import ExpressionError
from agents.procedures.missing import unknown_numbers
from agents.procedures.procedure import Procedure, Slot
from agents.triage.phrasing import asks, leans
from tools.provenance import NUMBER_WORDS, numbers_in, told_from

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


def find(
    slot: Slot, text: str, candidates: Sequence[dict[str, Any]] | None, *, asked: bool, today: date, current: Any = None
) -> Found | Several | None:
    """The value of `slot` that `text` names.

    `asked` says that the slot was just asked for, so a bare "the second" or a bare name counts. `current` is the value
    so far: "the other one" means another.
    """
    if candidates and asked and _UNDECIDED.search(text):
        return Several(list(candidates))
    if corrected := corrected_to(text):
        found = find(slot, corrected, candidates, asked=asked, today=today, current=current)
        if isinstance(found, Found):
            return found
        if slot.type == "count" and (bare := _BARE_COUNT.match(corrected)):
            return Found(int(bare[1]) if bare[1].isdigit() else NUMBER_WORDS[bare[1].lower()])
    if candidates is not None or slot.type in ("count", "month"):
        text = without_negated(text if asked else without_signature(text))
    if candidates is not None:
        text = without_spared(text)
        without_name = without_introduction if current is None else without_writer
        if slot.type == "user" and not asked and (rest := without_name(text)) != text:
            named = _candidate(slot, rest, candidates, asked=asked, today=today, current=current)
            if named is not None or current is not None:
                return named
        chosen = {"asked": asked, "today": today, "current": current}
        if current is not None:  # no end of a story changes what was settled before
            text = PERIOD.sub(" ", text)
        if (rest := PERIOD.sub(" ", text)) != text and months_in(rest, today):
            found = _candidate(slot, rest, candidates, **chosen)
            return found if isinstance(found, Found) else _candidate(slot, text, candidates, **chosen)
        found = _candidate(slot, text, candidates, **chosen)
        if isinstance(found, Several) and slot.type == "user" and (rest := without_writer(text)) != text:
            return _candidate(slot, rest, candidates, **chosen) or found
        return (_asked_for(slot, text, candidates, **chosen) or found) if isinstance(found, Several) else found
    match slot.type:
        case "choice":
            return _choice(slot, text)
        case "yes_no":
            return _yes_no(slot, text) if asked else None
        case "count":
            return Found(count) if (count := change_in(text)) is not None else None
        case "direction":
            return Found(way) if (way := direction_in(text)) is not None else None
        case "month":
            return Found(found[0]) if (found := months_in(text, today)) else None
        case _:
            return _free_text(text, asked)


_UNDECIDED = re.compile(
    r"\beither\b[^.!?\n]*\bor\b|\bwhich(?:so)?ever\b|\b(?:up to you|(?:you|your) (?:choose|pick|choice|decide))\b|"
    r"\bany (?:one )?of (?:them|these|those)\b",
    re.IGNORECASE,
)
"""An answer that leaves open which one it is."""


def _asked_for(slot: Slot, text: str, candidates: Sequence[dict[str, Any]], **chosen: Any) -> Found | None:
    """Of several records that a text names, the one in the only sentence that asks for something."""
    sentences = [sentence for sentence in re.split(r"(?<=[.!?])\s+|\n+", text) if sentence.strip()]
    asking = [sentence for sentence in sentences if asks(sentence)]
    if len(sentences) < 2 or len(asking) != 1:
        return None
    found = _candidate(slot, _BY_PLACE.sub(" ", asking[0]), candidates, **chosen)
    return found if isinstance(found, Found) else None


_BY_PLACE = re.compile(
    r"\b(?:this|that|last|current|previous|past) (?:month|one|invoice|bill)(?:'?s)?\b|"
    r"\b(?:latest|last|most recent|newest|current|recent|oldest|earliest)\b",
    re.IGNORECASE,
)
"""What names a record by its place only; within a story it leans on what was told before."""
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
        low = _plain(text)
        return values if _listed({_plain(str(item["name"])) for item in items if item.get("name")}, low) else []
    if re.search(r"\bboth\b", text, re.IGNORECASE):
        return values if len(items) == 2 else []
    text = without_spared(without_negated(text))
    months = [item["issued_on"][:7] for item in items if isinstance(item.get("issued_on"), str)]
    listed = months_in(" ".join(match[0] for match in LISTED_MONTHS.finditer(text)), today)
    if len(set(months)) == len(items) and set(months) <= set(listed):
        return values
    low = _plain(text)
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


def in_all(text: str, before: int | None, *, opening: bool) -> int | None:
    """`wanted_in_all` of a message that may correct itself: "raise us to 20, sorry, 18"."""
    for said in TAKEN_BACK.split(text):
        before = wanted_in_all(without_negated(said) if before is not None else said, before, opening=opening)
    return before


def by_total(slot: Slot, total: int | None, names: dict[str, Any]) -> Found | None:
    """The value that follows from how many the customer wants in all, where that is said and the slot asks for it."""
    if slot.total is None or total is None:
        return None
    try:
        value = slot.total.evaluate({**names, "total": total})
    except ExpressionError:  # how many there are now is not known yet
        return None
    return Found(value) if value else None


def answers(slot: Slot, text: str, candidates: Sequence[dict[str, Any]] | None, *, today: date) -> bool:
    """Whether a message gives `slot` a value of its own; free text could be anything and so proves nothing."""
    if slot.type == "text" or (candidates is None and slot.source is not None):
        return False
    if slot.total is not None and in_all(text, None, opening=False) is not None:
        return True
    return isinstance(find(slot, text, candidates, asked=True, today=today), Found)


def clause_about(text: str, matter: str) -> str:
    """Of an answer that speaks of several matters ("Ann for the role, Tom for the password"), the part about this one.

    `matter` is what the procedure is called. Empty where no part, or more than one, shares a word with it.
    """
    words = set(re.findall(r"[a-z]{4,}", matter.lower()))
    clauses = [clause for clause in re.split(r"[,;.\n]+|\band\b", text) if clause.strip()]
    about = [clause for clause in clauses if words & set(re.findall(r"[a-z]{4,}", clause.lower()))]
    return about[0].strip() if len(about) == 1 and len(clauses) > 1 else ""


_RECORDS = {
    "invoice": "invoice|bill|receipt|payment|charge|one",
    "payment": "payment|charge|one",
    "user": "user|person|colleague|one",
    "resource": "database|bucket|cache|queue|cluster|gateway|server|resource|one",
}
"""What customers call a record of a type when they mean one that was spoken of."""


def refers_back(slot: Slot, text: str) -> bool:
    """Whether a text means a record that was spoken of before ("that invoice", "give us it back")."""
    nouns = _RECORDS.get(slot.type)
    if nouns is None:
        return False
    if slot.type == "user" and re.search(r"\b(?:him|her|his|he|she)\b", text, re.IGNORECASE):
        return True
    pointed = re.search(rf"\b(?:that|this|the same|said|the other) (?:{nouns})\b", text, re.IGNORECASE)
    return pointed is not None or leans(text)


_ME = r"(?:me|mine|myself|my own|i)"


def says_me(text: str) -> bool:
    """Whether an answer is that its writer is meant, and nothing else."""
    return (
        re.fullmatch(rf"\W*(?:(?:it'?s|that'?s|for|just|only|yes|please)\W+)*{_ME}\W*(?:please\W*)?", text, re.I)
        is not None
    )


def says_not_me(text: str) -> bool:
    """Whether an answer says that its writer is not meant ("not me, the other one")."""
    return re.match(rf"\W*(?:(?:no|it'?s|that'?s)\W+)*not (?:for )?{_ME}\b", text, re.I) is not None


def named_in(slot: Slot, text: str, candidates: Sequence[dict[str, Any]]) -> list[Any]:
    """The candidates that a reply of ours calls by their own number or name."""
    low = _plain(text)
    return [
        identity(slot, item)
        for item in candidates
        if any(
            (name := _plain(str(item.get(key) or ""))) and re.search(rf"(?<![\w.-]){re.escape(name)}(?![\w-])", low)
            for key in ("number", "name", "id")
        )
    ]


def candidates_of(slot: Slot, active: ActiveProcedure) -> list[dict[str, Any]] | None:
    """The records that `slot` chooses from, as looked up when it was asked for; None before that."""
    result = active.saved.get(f"_{slot.name}")
    return None if result is None else next((value for value in result.values() if isinstance(value, list)), [])


def revisions(procedure: Procedure, active: ActiveProcedure, text: str, today: date) -> dict[str, Any]:
    """The slots that a message gives another value than they have ("no, the other invoice", "make it 2")."""
    text = _without_questions(text)
    corrected = corrected_to(text)
    return (corrected and _revised(procedure, active, corrected, today)) or _revised(procedure, active, text, today)


_REVISES = re.compile(
    r"\b(?:make (?:it|that)|instead|rather|(?:can|could|may|shall|should) (?:we|i|you)|what about|how about|better|"
    r"would (?:it|we|that|\d))\b",
    re.IGNORECASE,
)
"""Words by which a question asks for another value."""


def _without_questions(text: str) -> str:
    """The text less the questions that only ask how things are ("what we paid for those two, does that come back?")."""
    sentences = re.split(r"(?<=[.!?])\s+|\n+", text)
    kept = [s for s in sentences if not s.rstrip().endswith("?") or len(s.split()) <= 3 or _REVISES.search(s)]
    return " ".join(kept) if len(kept) < len(sentences) else text


def _revised(procedure: Procedure, active: ActiveProcedure, text: str, today: date) -> dict[str, Any]:
    changed: dict[str, Any] = {}
    reckoned = bool(told_from({1, 2}, text))  # from a number before, so "less" gives no direction
    total = in_all(text, active.in_all, opening=False)
    for name, slot in procedure.slots.items():
        if name == active.waiting_for or active.slots.get(name) is None or slot.type in ("yes_no", "text"):
            continue
        candidates = candidates_of(slot, active)
        if slot.source and candidates is None:
            continue
        found = by_total(slot, total, {**active.saved, "slots": active.slots})
        if found is None and slot.type == "count" and (told := told_from({active.slots[name]}, text)):
            found = Found(told.pop())
        if reckoned and slot.type == "direction":
            continue
        if found is None and slot.type == "count" and (those := _THOSE.search(text)):
            found = Found(int(those[1]) if those[1].isdigit() else NUMBER_WORDS[those[1].lower()])
        found = found or find(slot, text, candidates, asked=False, today=today, current=active.slots[name])
        if isinstance(found, Found) and found.value != active.slots[name]:
            changed[name] = found.value
    return changed


def _yes_no(slot: Slot, text: str) -> Found | None:
    answer = read_answer(text, "")
    if answer == "other" and (found := _choice(slot, text)) is not None:
        answer = found.value
    return Found(answer == "yes") if answer in ("yes", "no") else None


def agrees_by_choice(slot: Slot, text: str) -> bool:
    """Whether a text names the yes of a question by one of the operator's phrases ("then we stay with you")."""
    found = _choice(slot, text) if slot.type == "yes_no" and slot.choices else None
    return found is not None and found.value == "yes"


def _choice(slot: Slot, text: str) -> Found | None:
    """The choice that stands where something shall lead ("from billing to member"), else one that is no reason for
    another ("a cache to take load off the server"), else the longest phrase.
    """
    low = _NOT_THAT.sub(" ", _KEPT.sub(" ", _SETTLED.sub(" ", _plain(text))))
    wished = _UNWANTED.sub(" ", low)
    return _choice_in(slot, wished) or (_choice_in(slot, low) if wished != low else None)


def _choice_in(slot: Slot, low: str) -> Found | None:
    reasons = [(reason.start(), reason.end()) for reason in _REASON.finditer(low)]
    hits = [
        (
            not any(begin < hit.start() < end for begin, end in reasons),
            _LEADS.search(low[: hit.start()]) is not None,
            len(said),
            value,
        )
        for value, phrases in slot.choices.items()
        for said in map(_plain, phrases)
        for hit in _said(said).finditer(low)
        if said.startswith(("not ", "no ")) or _RULES_OUT.search(low[: hit.start()]) is None
    ]
    return Found(max(hits)[3]) if hits else None


_NUMBER = rf"(?:\d{{1,4}}|{'|'.join(word for word in NUMBER_WORDS if word not in ('a', 'an', 'another', 'zero'))})"


_BARE_COUNT = re.compile(
    rf"\W*(?:(?:it'?s|make it|make that|rather|only|just|no|that'?s)\s+)*({_NUMBER})\b"
    r"(?=\s*(?:[.,;!?](?!\d)|$|(?:more|please|pls|then|seats?|places?|people)\b))",
    re.IGNORECASE,
)
"""How many, after words by which a number is taken back ("sorry, it's three")."""
_THOSE = re.compile(
    rf"\bthen (?:(?:just|only|please|pls|take|do|it'?s) )*(?:those|these|the) ({_NUMBER})\b", re.IGNORECASE
)
"""A number of what was spoken of ("then just those two")."""
_RULES_OUT = re.compile(r"\b(?:not|nor|instead of|rather than) (?:the |an? |our |that |this )?$")
"""What stands before a choice that is ruled out."""
_LEADS = re.compile(r"\b(?:(?:to|into|as) (?:be )?|make (?:him|her|them|it|us|me|that|\w+) )(?:an? |the )?(?:\w+ )?$")


@lru_cache(maxsize=4096)
def _said(phrase: str) -> re.Pattern[str]:
    """The pattern of a choice's phrase; "{n}" in it stands for a number."""
    return re.compile(rf"(?<!\w){re.escape(phrase).replace(re.escape('{n}'), _NUMBER)}(?!\w)")


_REASON = re.compile(
    r"\b(?:because|since|so that|in order to|instead of|in front of|next to|same (?:\w+ )?as|"
    r"for (?:our|my|the|his|her|their)|"
    r"to (?:take|keep|store|hold|serve|speed|relieve|offload|replace|put behind|put in front of))\b[^.,;!?\n]*"
)
"""What tells what something is for, why, or what it is like, not what it is."""


_SETTLED = re.compile(
    r"\b(?:all|every|each)\b(?: (?!that\b|which\b)[\w'-]+){1,4}? (?:is|are|was|were|has been|have been|got) (?:\w+ )?"
    r"(?:paid|settled|cleared|covered)\b|"
    r"\b(?:paid|settled|cleared|covered|pay|settle) (?:you )?(?:for )?(?:all|every|each)\b(?: of)?(?: [\w'-]+){1,2}"
)
"""What is paid already: nobody asks for that ("all bills are settled, please start us again")."""
_KEPT = re.compile(
    r"\b(?:everything else|everything|(?:all )?the (?:rest|others?)|all others?)\b[^.,;!?]{0,25}"
    r"\b(?:stays?|remains?|(?:be|is|are) kept|as (?:it|they) (?:is|are))\b|"
    r"\b(?:keep|leave) (?:everything else|everything as|(?:all )?the (?:rest|others?)|all others?)\b|"
    r"\b(?:leave|keep) (?:him|her|them|it|us|me) (?:as |an? |on |at |the )[\w ]{2,20}|"
    r"\b(?:everything|all) (?:that )?(?:i|we|he|she|they|you) (?:\w+ )?(?:need|needed|want|wanted|had|have)\b"
)
"""What shall stay as it is, or what somebody has: nothing is asked of that."""
_NOT_THAT = re.compile(
    r"[^.!?;\n]*\bnot (?:that|this|those|these)(?: ones?)?\b(?=\s*(?:[.,!?;]|$|please\b|pls\b))[^.!?;\n]*"
)
"""What a customer speaks of to say that it is not meant ("the overview we have, so not that one")."""
_UNWANTED = re.compile(
    r"\b(?:do not|don't|dont|does not|doesn't|no longer|not|never|nor|won't|wouldn't|will not|would not) "
    r"(?:be )?(?:wants?|wish|wishes|needs?|like|have|wanting|needing|requiring)\b"
    r"(?: (?:him|her|them|me|us|it|any))?(?: to)?(?: (?:be|have|get|keep|stay))?(?: (?:an?|the|any|longer|more))*"
    r" [\w'-]+(?: (?:rights|role|access))?|"
    r"\b[\w-]+(?:'s| is| was| would be)? (?:far |much |way )?(?:too (?:little|much|low|high|small|big|weak|dear|"
    r"expensive)|not enough|wishful thinking)\b"
)
"""What is not wanted: "I don't want to be the administrator"."""


def _free_text(text: str, asked: bool) -> Found | None:
    if named := re.search(r"(?:called|named|name it|call it)\s+[\"'“]?([\w.-]+)", text, re.IGNORECASE):
        return Found(named[1].strip(".,"))
    if named := re.search(
        r"\bas (?:the |its |a |our )?name,? "
        r"(?:(?:please|we|i|take|use|would|like|want|suggest|it|is|shall|be|should)\s+)*"
        r"([\w.]*-?[\w.-]*\w)|(?<!\S)(?!(?:and|but|or|with|it|that|which|something|anything)\b)([\w.-]*\w)\s+"
        r"as (?:the |its |a )?name\b|\bname:?\s+(?:is |shall be |should be )?([\w.]+-[\w.-]*\w)",
        text,
        re.I,
    ):
        return Found(next(filter(None, named.groups())))
    if quoted := re.search(r"[\"“]([^\"”]{1,80})[\"”]", text):
        return Found(quoted[1])
    return Found(text.strip().strip(".!")) if asked and 0 < len(text.split()) <= 12 else None


def _candidate(
    slot: Slot, text: str, candidates: Sequence[dict[str, Any]], *, asked: bool, today: date, current: Any
) -> Found | Several | None:
    low = _plain(text)
    if slot.type == "invoice" and candidates and unknown_numbers(low, candidates):
        return Several(list(candidates))
    another = re.search(r"\b(other|another|different) (one|invoice|user|payment|resource)?\b", low)
    if current is not None and another and not _named_again(slot, current, candidates, low):
        others = [item for item in candidates if identity(slot, item) != current]
        alike = _alike(slot, current, candidates)
        if len(others) == 1 or len(alike) == 1:
            return Found(identity(slot, (others if len(others) == 1 else alike)[0]))
        candidates = others or candidates
    kinds = {_plain(item["kind"]) for item in candidates if isinstance(item.get("kind"), str)}
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
        if slot.type == "resource" and len(called) == 1 and _apart(called[0], fitting, text):
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
    names = [_plain(str(item.get("name", ""))) for item in candidates if identity(slot, item) == current]
    words = [word for name in names for word in name.split()]
    return any(re.search(rf"\b(?:it'?s|for|yes,?|only|just) {re.escape(word)}\b", low) for word in words)


def _alike(slot: Slot, current: Any, candidates: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Of users, those who share a name with the current one: "the other one" is one of them."""
    if slot.type != "user":
        return []
    names = {identity(slot, item): set(_plain(str(item.get("name", ""))).split()) for item in candidates}
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
    names = [_plain(str(item[key])) for item in settled for key in ("name", "number", "id") if item.get(key)]
    if slot.type == "user":
        names += [word for name in names for word in re.findall(r"[^\W\d_]{3,}", name)]
    beside = any(identity(slot, item) != current for item in fitting)
    return beside and any(
        re.search(rf"{_ORDERED} (?:the |only |just )?{re.escape(name)}(?![\w-]){_TURNS}", low) for name in names
    )


def _apart(item: dict[str, Any], fitting: Sequence[dict[str, Any]], text: str) -> bool:
    """Whether a text names a record in a sentence that speaks of none of the others that fit."""
    own = [s for s in map(_plain, re.split(r"(?<=[.!?;])\s+|\n+", text)) if _is_called(item, s)]
    others = {_plain(str(other.get("kind") or "")) for other in fitting if other is not item} - {""}
    return (
        item in fitting and bool(own) and not any(re.search(rf"\b{re.escape(o)}s?\b", s) for s in own for o in others)
    )


def _is_called(item: dict[str, Any], low: str) -> bool:
    """Whether a text names a record by its own name, and not only as a part of another word or name."""
    name = _plain(str(item.get("name") or ""))
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


def _text_likeness(key: str, value: str, text: str, low: str, today: date, kinds: set[str]) -> float:
    plain = _plain(value)
    if re.fullmatch(r"\d{4}-\d{2}(-\d{2}.*)?", value):
        exact = len(value) > 7 and date.fromisoformat(value[:10]) in dates_in(text, today)
        if exact:
            return 2.0
        return (
            1.0 if key in ("issued_on", "period", "month", "paid_on") and value[:7] in months_in(text, today) else 0.0
        )
    plural = "s?" if key == "kind" else ""
    if re.search(rf"(?<![\w.]){re.escape(plain)}{plural}(?![\w])", low):
        if key in TRAITS:
            return 0.5  # what something is, or shall become, says less than what it is called
        return 4.0 if key in ("id", "number", "email", "invoice_id") else 3.0
    if key == "number" and re.search(rf"(?<!\d){re.escape(plain.lstrip('0'))}(?!\d)", low):
        return 2.5
    if key in ("last4", "card_last4") and plain in low:
        return 2.0
    if key in ("name", "title", "email", "kind"):
        words = [w for w in re.findall(r"\w+", plain.split("@")[0]) if len(w) > 2 and (key == "kind" or w not in kinds)]
        if key in ("name", "email") and _named_otherwise(words, text):
            return 0.0
        spoken = re.findall(r"\w+", low)
        hits = sum(
            any(word == said or (len(word) > 4 and fuzz.ratio(word, said) >= 85) for said in spoken) for word in words
        )
        return (2.0 if key != "email" else 1.5) * hits / max(len(words), 1)
    return 0.0


def _named_otherwise(words: list[str], text: str) -> bool:
    """Whether the text names somebody who shares only a part of the name: "Brenda Holt" is not Nina Holt."""
    names = re.findall(r"(?<![.!?\n] )(?<!^)\b([A-Z][\w'’-]+) ([A-Z][\w'’-]+)\b", text)
    same = [(first.lower() in words, last.lower() in words) for first, last in names]
    return any(one != other for one, other in same) and (True, True) not in same and len(words) > 1


def _plain(text: str) -> str:
    return re.sub(r"[\s_]+", " ", text.lower().replace("’", "'")).strip()
