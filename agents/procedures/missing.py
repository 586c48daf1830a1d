"""What a customer names that is no record of theirs: it is said, and never replaced by the only one that there is."""

import re
from collections.abc import Sequence
from datetime import date
from typing import Any

from agents.procedures.asides import without_negated
from agents.procedures.dates import MONTH, MONTHS, months_in
from agents.procedures.procedure import Slot

_PAPER = r"(?:invoices?|bills?|receipts?|statements?)"
_OF_A_MONTH = re.compile(
    rf"\b{_PAPER} (?:(?:of|for|from|in|dated|the|month|last|this)\s+){{1,4}}{MONTH}(?: \d{{4}})?\b|"
    rf"\b(?:(?:the|our|my|your|last|this)\s+){{0,3}}{MONTH}(?: \d{{4}})?(?:'?s)? {_PAPER}\b",
    re.IGNORECASE,
)
"""An invoice that is named by its month; a month of a story names none."""
_BARE_MONTH = re.compile(
    rf"\W*(?:(?:the|of|for|from|in|one|please|then|it'?s|that'?s)\s+){{0,6}}{MONTH}(?: \d{{4}})?"
    r"(?:\W+(?:please|pls|then))*\W*",
    re.IGNORECASE,
)
_NUMBERED = re.compile(r"\b(?:invoices?|bills?|number|no\.?|nr\.?|#)\s*(?:in_)?(\d{3,6})\b", re.IGNORECASE)
_NAME = re.compile(r"(?:(?:for|it'?s|that'?s|user|colleague)\s+)?([A-Z][\w'’-]+ [A-Z][\w'’-]+)[.!]?")
"""An answer that is somebody's full name and nothing else."""


def not_there(slot: Slot, text: str, candidates: Sequence[dict[str, Any]], *, asked: bool, today: date) -> str:
    """How to call what `text` names and `candidates` do not hold ("invoice 4410", "Sam Okafor"); else empty."""
    text = without_negated(text)
    if slot.type == "invoice":
        if numbers := unknown_numbers(text.lower(), candidates):
            return f"invoice {min(numbers)}"
        named = " ".join(found[0] for found in _OF_A_MONTH.finditer(text))
        if asked and not named and _BARE_MONTH.fullmatch(text):
            named = f"of {text}"
        months = months_in(named, today)
        on_record = {str(item.get("issued_on", ""))[:7] for item in candidates}
        if months and not on_record & set(months):
            year, month = months[0].split("-")
            return f"invoice of {MONTHS[int(month) - 1].capitalize()} {year}"
    if slot.type == "user" and asked and (name := _NAME.fullmatch(text.strip())):
        there = {str(item.get("name", "")).lower() for item in candidates}
        return "" if name[1].lower() in there else f"user called {name[1]}"
    return ""


def unknown_numbers(low: str, candidates: Sequence[dict[str, Any]]) -> set[str]:
    """Invoice numbers that the customer names and that are none of theirs; empty where one of theirs is named too."""
    named = set(_NUMBERED.findall(low))
    known = {str(item.get("number", "")) for item in candidates}
    known |= {number.lstrip("0") for number in known}
    return set() if named & known else named
