"""What a customer names that is no record of theirs: it is said, and never replaced by the only one that there is."""

import re
from collections.abc import Sequence
from datetime import date
from typing import Any

from rapidfuzz import fuzz

from agents.procedures.asides import without_introduction, without_negated, without_signature, without_writer
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
_CAPITAL = r"[A-ZÀ-Þ][\w'’-]+"
_NAME = re.compile(rf"(?:(?i:for|it'?s|that'?s|user|colleague)\s+)?({_CAPITAL}(?: {_CAPITAL})?)[.!]?")
"""An answer that is somebody's name and nothing else."""
_TITLES = r"(?i:(?:(?:the|our|my|new|user|colleague|named|called|mr|mrs|ms|miss|dr|herr|frau)\b\.?\s+)*)"
_ROLE = r"(?:an? |the )?(?:\w+ )?(?:admin\w*|viewer|member|editor|billing|owner)\b"
_TROUBLE = (
    r"(?:is|was|got|gets|has been|keeps getting)\s+(?:\w+ )?(?:locked|blocked|shut)|"
    r"(?:has |have )?(?:forgot(?:ten)?|lost) (?:his|her|their|the)\b|"
    r"(?:can'?t|cannot|can not|could ?n'?t) (?:log|sign|get) ?in"
)
_ENDS = r"(?=\s*(?:[.,;!?)]|$|(?:please|pls|plz|again|asap|now|for me|thanks?|thx)\b))"
_PEOPLE = (
    # a capital in the place of a person
    re.compile(
        r"\b(?i:unlock|reset|promote|demote|make|give|let|appoint|turn|restrict|for|user|colleague|named|called|help)"
        rf"\s+{_TITLES}({_CAPITAL}(?: {_CAPITAL})?)"
    ),
    re.compile(rf"\b({_CAPITAL}(?: {_CAPITAL})?)\s+(?i:{_TROUBLE})"),
    re.compile(
        r"\b(?i:rights?|role|access|powers?|permissions?)\s+(?i:away\s+)?(?i:from|of|off)"
        rf"\s+({_CAPITAL}(?: {_CAPITAL})?)"
    ),
    # small letters in a place where nothing but a person stands
    re.compile(rf"\bunlock ([a-z][\w'’-]+){_ENDS}", re.IGNORECASE),
    re.compile(rf"\b(?:password|pw|login|role|rights) (?:of|for) ([a-z][\w'’-]+){_ENDS}", re.IGNORECASE),
    re.compile(r"\b([a-z]\w+)['’]s (?:password|pw|login|role|rights)\b", re.IGNORECASE),
    re.compile(rf"\b(?:make|appoint) ([a-z]\w+) {_ROLE}", re.IGNORECASE),
    re.compile(rf"(?:^|[.,;!?\n]\s*)([a-z]\w+) (?:{_TROUBLE})", re.IGNORECASE),
)
_NOBODY = frozenset(
    "he she they it i we you who me him her them us his their our my your its this that these those the an one "
    "ones someone somebody anyone anybody everyone everybody nobody none all both each another other others which "
    "what user users account accounts login logins password passwords access console system profile page link "
    "colleague colleagues coworker employee employees staff team people person member members manager boss "
    "assistant admin admins administrator viewer editor owner billing finance accounting support sales marketing "
    "it hr sure certain clear him himself herself myself yourself themselves please pls yes no not now today "
    "again also and but so then just still only there here ok okay hi hello dear thanks cheers sorry since "
    "because when if as after day days week weeks month months year years yesterday mr mrs ms miss dr business "
    "team starter enterprise trial growth english german monday tuesday wednesday thursday friday "
    "saturday sunday january february march april may june july august september october november december "
    "christmas easter".split()
)
"""Words that stand where a name could, and name nobody."""
_KINDS = r"(?:database|db|bucket|cache|queue|cluster|gateway|server|resource|storage)"
_COMPOUND = r"[a-z0-9]+(?:[-_][a-z0-9]+)+"
_RESOURCES = (
    re.compile(
        r"\b(?:called|named|labell?ed|by (?:the )?name(?: of)?|(?:its )?name(?: is|:))\s+[\"“'‘]?([\w.-]*\w)", re.I
    ),
    re.compile(r"[\"“]([\w.-]{2,40})[\"”]"),
    re.compile(
        r"\b(?:delete|remove|drop|destroy|deprovision|decommission|kill|terminate|scrap|trash|nuke|bin|wipe|dismantle|"
        rf"(?:tear|shut|take) down)\s+(?:(?:the|our|my|that|this)\s+)?({_COMPOUND})\b(?!\s+{_KINDS})",
        re.IGNORECASE,
    ),
    re.compile(rf"\b{_KINDS}\s+({_COMPOUND})\b", re.IGNORECASE),
)
LIKE = 80
"""Likeness in percent from which a name is one of theirs, mistyped."""


def not_there(slot: Slot, text: str, candidates: Sequence[dict[str, Any]], *, asked: bool, today: date) -> str:
    """How to call what `text` names and `candidates` do not hold ("invoice 4410", "Sam Okafor"); else empty."""
    if slot.type == "user":
        name = unknown_person(text, candidates, asked=asked)
        return f"user called {name}" if name else ""
    text = without_negated(text)
    if slot.type == "resource":
        name = unknown_resource(text, candidates)
        return f"resource called {name}" if name else unknown_kind(text, candidates)
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
    return ""


def unknown_person(text: str, users: Sequence[dict[str, Any]], *, asked: bool) -> str:
    """Whom a text names in the place of a user, where none of the users is called so; empty where one is."""
    said = without_negated(without_writer(without_introduction(without_signature(text))))
    names = [found[1] for pattern in _PEOPLE for found in pattern.finditer(said)]
    if asked and (answer := _NAME.fullmatch(text.strip())):
        names.append(answer[1])
    known = [(str(user.get("name", "")), str(user.get("email", "")).split("@")[0]) for user in users]
    unknown = ""
    for name in names:
        words = re.sub(r"['’]s$", "", name).lower().split()
        if any(word in _NOBODY for word in words):
            continue
        if any(_is_part(words, f"{full} {address}") for full, address in known):
            return ""
        called = re.sub(r"['’]s$", "", name)
        unknown = unknown or (called if called != called.lower() else called.title())
    return unknown


def _is_part(words: Sequence[str], name: str) -> bool:
    own = re.findall(r"\w+", name.lower().replace(".", " "))
    return all(any(word == one or (len(word) > 3 and fuzz.ratio(word, one) >= LIKE) for one in own) for word in words)


def unknown_resource(text: str, resources: Sequence[dict[str, Any]]) -> str:
    """The name by which a text calls a resource, where none of them has it; empty where one of theirs is named too."""
    low = text.lower()
    theirs = [str(item.get("name", "")).lower() for item in resources]
    if any(name and re.search(rf"(?<![\w.-]){re.escape(name)}(?![\w-])", low) for name in theirs):
        return ""
    places = {str(item.get("region", "")).lower() for item in resources}
    kinds = {str(item.get("kind", "")).lower() for item in resources}
    for pattern in _RESOURCES:
        for found in pattern.finditer(text):
            name = found[1].lower()
            if name in places or name in kinds or any(_alike(name, other) for other in theirs):
                continue
            return found[1]
    return ""


_OF_THEIRS = re.compile(rf"\b(?:the|our|my|that|this) ({_KINDS})\b", re.IGNORECASE)


def unknown_kind(text: str, resources: Sequence[dict[str, Any]]) -> str:
    """The kind of resource that a text speaks of ("the cache"), where they have none and it names none of theirs."""
    low = text.lower()
    named = {found[1].lower() for found in _OF_THEIRS.finditer(text)} - _ANY_KIND
    named = {"database" if kind == "db" else kind for kind in named}
    theirs = {str(item.get(key, "")).lower() for item in resources for key in ("kind", "name")} - {""}
    if len(named) != 1 or any(re.search(rf"(?<![\w.-]){re.escape(own)}s?(?![\w-])", low) for own in theirs):
        return ""
    return next(iter(named - theirs), "")


_ANY_KIND = frozenset({"resource", "server", "storage"})
"""What customers call resources of any kind."""


def _alike(name: str, other: str) -> bool:
    return name in re.split(r"[-_. ]", other) or fuzz.ratio(name, other) >= LIKE


def unknown_numbers(low: str, candidates: Sequence[dict[str, Any]]) -> set[str]:
    """Invoice numbers that the customer names and that are none of theirs; empty where one of theirs is named too."""
    named = set(_NUMBERED.findall(low))
    known = {str(item.get("number", "")) for item in candidates}
    known |= {number.lstrip("0") for number in known}
    return set() if named & known else named
