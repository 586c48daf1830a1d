"""Messages that name what they are about and not what is wanted ("there is a problem with our payment").

A classifier has to guess at such a message, and guesses by its other words: "problem" sounds like an outage. Whoever
writes so expects to be asked.
"""

import re
from collections.abc import Mapping

from agents.triage.reading import core_of

_LOOSELY = (
    r"(?:(?:a|an|some|any|another|one|small|little|big|quick|short|bit|bit of|slight|urgent|general|the same|new)\s+)*"
)
_TROUBLE = (
    r"(?:problems?|issues?|questions?|trouble|troubles|difficult(?:y|ies)|quer(?:y|ies)|concerns?|"
    r"enquir(?:y|ies)|bother|hassle)"
)
_SOMEBODY_HAS = (
    r"(?:(?:there(?:'s| is| are| seems? to be)|we|we've|i|i've|you|they|(?:some|one) of (?:us|our \w+))\s+)?"
    r"(?:(?:just|still|now|do|am|are|'ve)\s+)*(?:(?:have|has|having|got|had|see|seeing|experiencing)\s+)*"
)
_ABOUT = r"(?:with|about|regarding|concerning|on|around|re|over|for)"
_WHAT = r"(?P<what>[\w' -]{3,60}?)"
_WRONG = r"(?:wrong|off|odd|strange|weird|fishy|broken|not right|not ok(?:ay)?|not correct|not working|incorrect)"
_FRAMES = tuple(
    re.compile(rf"(?:so|ok|well|yes)?[\s,]*(?:{frame})(?:\s+(?:again|here|today|now|at the moment))?", re.IGNORECASE)
    for frame in (
        rf"{_SOMEBODY_HAS}{_LOOSELY}{_TROUBLE}\s+{_ABOUT}\s+{_WHAT}",
        rf"(?:there(?:'s| is)\s+)?(?:something|sth)(?:'s| is| seems| looks)?\s+(?:to be\s+)?{_WRONG}"
        rf"\s+{_ABOUT}\s+{_WHAT}",
        rf"(?:(?:we|i)\s+)?(?:need|could use|want|would like)?\s*(?:some|your)?\s*help\s+{_ABOUT}\s+{_WHAT}",
        rf"(?:can|could) (?:you|someone|anyone|somebody) help (?:me|us)?\s*{_ABOUT}\s+{_WHAT}",
        rf"(?:(?:it's|it is|this is|i'm writing|i am writing|i write|we write|i'm calling)\s+)?"
        rf"(?:about|regarding|concerning|because of)\s+{_WHAT}",
        rf"{_WHAT}\s+{_TROUBLE}",
        rf"{_WHAT}\s+(?:still\s+)?(?:has|have|is having|are having|has got|have got)\s+{_LOOSELY}{_TROUBLE}",
    )
)
_OF_NO_SUBJECT = frozenset(
    "our my the a an one of some this that your last latest these those few couple two its all".split()
)
_OF_OURS = re.compile(
    r" (?:(?:that )?(?:you|we|i|us) (?:have |'ve )?\w+|on (?:file|record)|of (?:ours|mine|our account))$"
)
"""What says no more than whose it is ("the card that you charge")."""
_ASKED_TO_HELP = re.compile(
    r"[\s,.!?-]*(?:(?:please|pls|plz|help|can|could|would|you|someone|anybody|anyone|somebody|assist|look|into|it|check|me|us|"
    r"have|a|at|this|that|urgently|asap|thanks|thank)\b[\s,.!?-]*)*$",
    re.IGNORECASE,
)
"""A request for help after it, which says no more."""
_LONGEST = 120
"""Characters up to which a message can be nothing but its subject."""


def only_subject(text: str, subjects: Mapping[str, tuple[str, ...]]) -> tuple[str, ...]:
    """The intents that `subjects` (noun, in the singular -> intents) has for a message that names no more than one."""
    core = core_of(text.replace("’", "'")).strip()
    if len(core) > _LONGEST:
        return ()
    said = _ASKED_TO_HELP.sub("", core.strip(" .!?,-")) or core
    for each in {said.strip(" .!?,-"), core.strip(" .!?,-")}:
        for frame in _FRAMES:
            found = frame.fullmatch(each)
            if found is not None and (about := _named(found["what"], subjects)):
                return about
    return ()


def _named(what: str, subjects: Mapping[str, tuple[str, ...]]) -> tuple[str, ...]:
    """The intents for a noun with its articles, in the singular or the plural."""
    words = [word for word in _OF_OURS.sub("", what.lower()).split() if word not in _OF_NO_SUBJECT]
    noun = " ".join(words)
    return subjects.get(noun) or subjects.get(noun.removesuffix("s")) or ()
