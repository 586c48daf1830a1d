"""Finding a slot's value in the customer's words."""

import re
from collections.abc import Sequence
from datetime import date
from typing import Any

from agents.consent import read_answer
from agents.frame import ActiveProcedure
from agents.procedures.asides import (
    PERIOD,
    TAKEN_BACK,
    corrected_to,
    negated_in,
    without_introduction,
    without_negated,
    without_signature,
    without_spared,
    without_writer,
)
from agents.procedures.candidates import Found, Several, alike_to, candidate_named, identity
from agents.procedures.choices import NUMBER, choice_wished
from agents.procedures.counts import change_in, direction_in, wanted_in_all, wants_unused_gone
from agents.procedures.dates import months_in
from agents.procedures.expressions import ExpressionError
from agents.procedures.procedure import Procedure, Slot
from agents.triage.phrasing import asks, orders
from tools.provenance import NUMBER_WORDS, told_from


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
    if candidates and (other := _other_than_negated(slot, text, candidates, today)) is not None:
        return other
    if candidates is not None or slot.type in ("count", "month"):
        text = without_negated(text if asked else without_signature(text))
    if candidates is not None:
        text = without_spared(text)
        without_name = without_introduction if current is None else without_writer
        if slot.type == "user" and not asked and (rest := without_name(text)) != text:
            named = candidate_named(slot, rest, candidates, asked=asked, today=today, current=current)
            if named is not None or current is not None:
                return named
        chosen = {"asked": asked, "today": today, "current": current}
        if current is not None:  # no end of a story changes what was settled before
            text = PERIOD.sub(" ", text)
        if (rest := PERIOD.sub(" ", text)) != text and months_in(rest, today):
            found = candidate_named(slot, rest, candidates, **chosen)
            return found if isinstance(found, Found) else candidate_named(slot, text, candidates, **chosen)
        found = candidate_named(slot, text, candidates, **chosen)
        if isinstance(found, Several) and slot.type == "user" and (rest := without_writer(text)) != text:
            return candidate_named(slot, rest, candidates, **chosen) or found
        return (_asked_for(slot, text, candidates, **chosen) or found) if isinstance(found, Several) else found
    match slot.type:
        case "choice":
            return choice_wished(slot, text, settled=current is not None)
        case "yes_no":
            return _yes_no(slot, text) if asked else None
        case "count":
            return Found(count) if (count := change_in(text)) is not None else None
        case "direction":
            return Found(way) if (way := direction_in(text)) is not None else None
        case "email":
            return Found(address[0].lower()) if (address := _EMAIL.search(text)) else None
        case "month":
            return Found(found[0]) if (found := months_in(text, today)) else None
        case _:
            return _free_text(text, asked)


def _other_than_negated(slot: Slot, text: str, candidates: Sequence[dict[str, Any]], today: date) -> Found | None:
    """Of two that are alike, the one that is not ruled out by name ("not Ortiz, the other one")."""
    ruled_out = negated_in(text).lower()  # "Not Ortiz" would look like somebody's full name
    if not ruled_out or not _THE_OTHER.search(text):
        return None
    named = candidate_named(slot, ruled_out, candidates, asked=True, today=today, current=None)
    if not isinstance(named, Found):
        return None
    others = [item for item in candidates if identity(slot, item) != named.value]
    alike = alike_to(slot, named.value, candidates)
    left = others if len(others) == 1 else alike
    return Found(identity(slot, left[0])) if len(left) == 1 else None


_THE_OTHER = re.compile(r"\bother one\b|\bthe other\b(?=\s*(?:[.,;!?]|$|please\b|pls\b))", re.IGNORECASE)
_EMAIL = re.compile(r"(?<![\w.+-])[\w.+-]{1,64}@[\w-]{1,63}(?:\.[\w-]{1,63}){1,4}")
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
    found = candidate_named(slot, _BY_PLACE.sub(" ", asking[0]), candidates, **chosen)
    return found if isinstance(found, Found) else None


_BY_PLACE = re.compile(
    r"\b(?:this|that|last|current|previous|past) (?:month|one|invoice|bill)(?:'?s)?\b|"
    r"\b(?:latest|last|most recent|newest|current|recent|oldest|earliest)\b",
    re.IGNORECASE,
)
"""What names a record by its place only; within a story it leans on what was told before."""


def in_all(text: str, before: int | None, *, opening: bool) -> int | None:
    """`wanted_in_all` of a message that may correct itself: "raise us to 20, sorry, 18"."""
    for said in TAKEN_BACK.split(text):
        before = wanted_in_all(without_negated(said) if before is not None else said, before, opening=opening)
    return before


def by_total(slot: Slot, total: int | None, names: dict[str, Any], text: str = "") -> Found | None:
    """The value that follows from how many the customer wants in all, where that is said and the slot asks for it.

    Whoever wants all gone that nobody uses (`text` says so) wants as many as are in use.
    """
    unused = slot.in_use is not None and wants_unused_gone(text) and in_all(text, None, opening=False) is None
    if slot.total is None or (total is None and not unused):
        return None
    try:
        if unused and slot.in_use is not None:
            total = slot.in_use.evaluate(names)
        value = slot.total.evaluate({**names, "total": total})
    except ExpressionError:  # how many there are now is not known yet
        return None
    return Found(value) if value else None


_BETWEEN = re.compile(
    r"\b(?:the )?(?:one|plan) (?:in )?between\b|\bin[- ]between one\b|\bmiddle (?:one|plan)\b", re.IGNORECASE
)
_NEXT_UP = re.compile(
    r"\b(?:the )?next (?:one |plan |step )?(?:up|higher|bigger)\b|\bone (?:step )?(?:up|higher)\b", re.IGNORECASE
)
_NEXT_DOWN = re.compile(
    r"\b(?:the )?next (?:one |plan |step )?(?:down|lower|smaller)\b|\bone (?:step )?(?:down|lower)\b", re.IGNORECASE
)


def _step_from(
    slot: Slot, text: str, candidates: Sequence[dict[str, Any]] | None, current: Any, names: dict[str, Any]
) -> Found | None:
    """The plan that a text names by its place: between the one wished for and the present one, or next to the former.

    The candidates stand in the order of the plans.
    """
    if slot.present is None or not candidates:
        return None
    order = [identity(slot, item) for item in candidates]
    try:
        present = slot.present.evaluate(names)
    except ExpressionError:  # not looked up yet
        return None
    if current not in order:
        return None
    at = order.index(current)
    if _BETWEEN.search(text) and present in order:
        low, high = sorted((at, order.index(present)))
        between = order[low + 1 : high]
        return Found(between[0]) if len(between) == 1 else None
    to = at + 1 if _NEXT_UP.search(text) else at - 1 if _NEXT_DOWN.search(text) else at
    return Found(order[to]) if to != at and 0 <= to < len(order) and order[to] != present else None


def answers(slot: Slot, text: str, candidates: Sequence[dict[str, Any]] | None, *, today: date) -> bool:
    """Whether a message gives `slot` a value of its own; free text could be anything and so proves nothing."""
    if slot.type == "text" or (candidates is None and slot.source is not None):
        return False
    if slot.type == "yes_no" and orders(text):
        return False  # "ok unlock her then" says nothing of whether it still fails
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


def candidates_of(slot: Slot, active: ActiveProcedure) -> list[dict[str, Any]] | None:
    """The records that `slot` chooses from, as looked up when it was asked for; None before that."""
    result = active.saved.get(f"_{slot.name}")
    return None if result is None else next((value for value in result.values() if isinstance(value, list)), [])


def revisions(procedure: Procedure, active: ActiveProcedure, text: str, today: date) -> dict[str, Any]:
    """The slots that a message gives another value than they have ("no, the other invoice", "make it 2")."""
    text = _without_questions(text)
    corrected = corrected_to(text)
    named = _named(procedure, active, corrected, today) if corrected else {}
    changed = {name: value for name, value in named.items() if value != active.slots[name]}
    if changed:
        return changed
    whole = _named(procedure, active, text, today)  # what the correction leaves as it was is not looked for before it
    return {n: value for n, value in whole.items() if value != active.slots[n] and n not in named}


def additions(procedure: Procedure, active: ActiveProcedure, text: str, today: date) -> dict[str, Any]:
    """What a message adds to a matter that was only told about ("only until New Year", of a higher limit).

    These are choices that nobody is asked for and that were not made before.
    """
    if procedure.offered:
        return {}
    open_still = [
        s for n, s in procedure.slots.items() if s.type == "choice" and s.optional and not active.slots.get(n)
    ]
    found = {slot.name: find(slot, text, None, asked=False, today=today) for slot in open_still if slot.source is None}
    return {name: value.value for name, value in found.items() if isinstance(value, Found)}


_REVISES = re.compile(
    r"\b(?:make (?:it|that)|instead|rather|(?:can|could|may|shall|should) (?:we|i|you)|what about|how about|better|"
    r"would (?:it|we|that|\d))\b",
    re.IGNORECASE,
)
"""Words by which a question asks for another value."""


_NAMES_FIRST = re.compile(r"\W*and (?:the |our |what of )?[\w.'-]+(?: [\w.'-]+)?\s*[,?]", re.IGNORECASE)
"""A question about another record, which it names first ("and old-uploads, does anything hang on that one?")."""


def _without_questions(text: str) -> str:
    """The text less the questions that only ask how things are ("what we paid for those two, does that come back?")."""
    sentences = re.split(r"(?<=[.!?])\s+|\n+", text)
    kept = [
        s
        for s in sentences
        if not s.rstrip().endswith("?") or len(s.split()) <= 3 or _REVISES.search(s) or _NAMES_FIRST.match(s)
    ]
    return " ".join(kept) if len(kept) < len(sentences) else text


def _named(procedure: Procedure, active: ActiveProcedure, text: str, today: date) -> dict[str, Any]:
    """The values that a message names for slots that have one, be they new or the same."""
    named: dict[str, Any] = {}
    reckoned = bool(told_from({1, 2}, text))  # from a number before, so "less" gives no direction
    total = in_all(text, active.in_all, opening=False)
    for name, slot in procedure.slots.items():
        if name == active.waiting_for or slot.type in ("yes_no", "text"):
            continue
        if active.slots.get(name) is None and not (slot.type == "email" and name in active.slots):
            continue
        candidates = candidates_of(slot, active)
        if slot.source and candidates is None:
            continue
        known = {**active.saved, "slots": active.slots}
        found = by_total(slot, total, known, text) or _step_from(slot, text, candidates, active.slots[name], known)
        if found is None and slot.type == "count" and (told := told_from({active.slots[name]}, text)):
            found = Found(told.pop())
        if reckoned and slot.type == "direction":
            continue
        if found is None and slot.type == "count" and (those := _THOSE.search(text)):
            found = Found(int(those[1]) if those[1].isdigit() else NUMBER_WORDS[those[1].lower()])
        found = found or find(slot, text, candidates, asked=False, today=today, current=active.slots[name])
        if isinstance(found, Found):
            named[name] = found.value
    return named


def _yes_no(slot: Slot, text: str) -> Found | None:
    answer = read_answer(text, "")
    if answer == "other" and (found := choice_wished(slot, text)) is not None:
        answer = found.value
    return Found(answer == "yes") if answer in ("yes", "no") else None


def agrees_by_choice(slot: Slot, text: str) -> bool:
    """Whether a text names the yes of a question by one of the operator's phrases ("then we stay with you")."""
    found = choice_wished(slot, text) if slot.type == "yes_no" and slot.choices else None
    return found is not None and found.value == "yes"


_BARE_COUNT = re.compile(
    rf"\W*(?:(?:it'?s|make it|make that|rather|only|just|no|that'?s)\s+)*({NUMBER})\b"
    r"(?=\s*(?:[.,;!?](?!\d)|$|(?:more|please|pls|then|seats?|places?|people)\b))",
    re.IGNORECASE,
)
"""How many, after words by which a number is taken back ("sorry, it's three")."""
_THOSE = re.compile(
    rf"\bthen (?:(?:just|only|please|pls|take|do|it'?s) )*(?:those|these|the) ({NUMBER})\b", re.IGNORECASE
)
"""A number of what was spoken of ("then just those two")."""


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
