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
    without_introduction,
    without_negated,
    without_signature,
    without_spared,
    without_writer,
)
from agents.procedures.candidates import Found, Several, candidate_named
from agents.procedures.choices import NUMBER, choice_wished
from agents.procedures.counts import change_in, direction_in, wanted_in_all
from agents.procedures.dates import months_in
from agents.procedures.expressions import ExpressionError
from agents.procedures.procedure import Procedure, Slot
from agents.triage.phrasing import asks
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
            return choice_wished(slot, text)
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
