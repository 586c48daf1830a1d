"""Months and days in a customer's words."""

import re
from datetime import date

MONTHS = "january february march april may june july august september october november december".split()
MONTH = rf"(?:{'|'.join(f'{name}|{name[:3]}' for name in MONTHS)})(?:'?s)?"
"""A pattern for the name of one, full or short."""
LISTED_MONTHS = re.compile(
    rf"\b{MONTH}\b(?:(?:\s*(?:,|&|\+|/)\s*|\s+(?:and|plus|as well as)\s+)+"
    rf"(?:(?:the|for|from|of|in|one|ones|invoices?|bills?|also|then)\s+)*{MONTH}\b)+",
    re.IGNORECASE,
)


def months_in(text: str, today: date) -> list[str]:
    """Months named in a text as ``YYYY-MM``: ISO, names (the latest such month not in the future), "last month"."""
    low = text.lower()
    found = re.findall(r"\b(\d{4}-(?:0[1-9]|1[0-2]))\b", low)
    for number, name in enumerate(MONTHS, 1):
        short = (
            rf"\b(?:{name}|{name[:3]})\b"
            if name != "may"
            else r"\b(?:in|of|for|from) may\b|\bmay('s)? (?:invoice|bill|\d{4})|"
            r"\bis may\b(?=\W*(?:$|[.,;!?]))|^\W*may\b(?=\W*(?:$|,|\d))"
        )
        if match := re.search(short + r"(?:\s+(\d{4}))?", low):
            year = int(match[match.lastindex]) if match.lastindex and (match[match.lastindex] or "").isdigit() else 0
            found.append(f"{year or (today.year if number <= today.month else today.year - 1)}-{number:02d}")
    if re.search(r"\b(last|previous|past) month", low):
        year, month = (today.year, today.month - 1) if today.month > 1 else (today.year - 1, 12)
        found.append(f"{year}-{month:02d}")
    if re.search(r"\b(this|current) month", low):
        found.append(f"{today.year}-{today.month:02d}")
    return list(dict.fromkeys(found))


def dates_in(text: str, today: date) -> set[date]:
    """Days named in a text: ISO dates, "3 November", "November 3rd", "3.11."."""
    low = text.lower()
    found = set()
    for match in re.finditer(r"\b(\d{4})-(\d{2})-(\d{2})\b", low):
        found |= _day(int(match[1]), int(match[2]), int(match[3]))
    names = "|".join(f"{name}|{name[:3]}" for name in MONTHS)
    for match in re.finditer(rf"\b(\d{{1,2}})(?:st|nd|rd|th)?(?: of)? ({names})\b", low):
        found |= _day(today.year, _month_number(match[2]), int(match[1]))
    for match in re.finditer(rf"\b({names})\.? (\d{{1,2}})(?:st|nd|rd|th)?\b", low):
        found |= _day(today.year, _month_number(match[1]), int(match[2]))
    return found


def _month_number(name: str) -> int:
    return next(number for number, month in enumerate(MONTHS, 1) if month.startswith(name[:3]))


def _day(year: int, month: int, day: int) -> set[date]:
    try:
        return {date(year, month, day)}
    except ValueError:
        return set()
