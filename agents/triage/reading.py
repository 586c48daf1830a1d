"""What the classifier reads of a message: what it says without greeting and signature, and its sentences."""

import re

from agents.procedures.counts import move_in
from agents.triage.courtesy import GREETING

LONG = 20
"""A message of so many words is read sentence by sentence too."""
SENTENCES = 12
"""The first so many sentences are read: a pasted log must not cost a second."""
SHORTEST = 3
"""What has fewer words stays as it is: "hi there" is a message, not a greeting before one."""

COURTESIES = 5
"""So many greetings before a message, and so many thanks and signatures after it, are left out."""
CLOSING = 300
"""Characters at the end in which they are looked for."""

_OPENINGS = (
    r"(?:hi|hello|hey|hallo|greetings)(?: [\w'-]+){0,2}\s*[,.!:\n-]",
    rf"{GREETING}\s*[,.!\n-]",
    r"(?:hi|hello|hey)(?: (?:there(?! (?:is|are|was|were|seems?|has|have|must|might)\b)|"
    r"team|all|everyone|everybody|support|guys|folks|again))*\s(?=\w)",
    r"(?:dear(?: [\w'.-]+){1,4}|to whom it may concern)\s*[,.!:\n-]",
    r"good (?:morning|afternoon|evening|day)(?: [\w'-]+){0,4}\s*[,.!:\n-]",
    r"(?:i )?hope (?:you|all|this|the)\b[^.!?\n]{0,60}[.!?\n]",
)
_OPENING = re.compile(rf"\s*(?:{'|'.join(_OPENINGS)})\s*", re.IGNORECASE)
_KIND = r"(?:many |with |kind |kindest |best |warm |and )*"
_SIGNED = r"(?:regards|wishes|greetings|sincerely|faithfully|yours(?: \w+)?)\b[^?]{0,80}"
_CLOSINGS = (
    rf"{_KIND}(?:thanks|thank you|thx|cheers|tia)(?:(?:[\s,]+[\w'.-]+){{0,7}}|[^?.!]{{0,40}}{_SIGNED})",
    rf"{_KIND}{_SIGNED}",
    r"best\s*[,\n][^?]{0,60}",
    r"(?:i am |i'm |we are )?looking forward to\b[^?\n]{0,60}",
    r"please let (?:me|us) know if you (?:need|have)\b[^?\n]{0,60}",
    r"sent from my\b[^?\n]{0,30}",
)
_BEFORE_CLOSING = r"(?:(?<=[.!?,;])\s+|\n[ \t]*(?=\S)|(?<=\w) (?=thx|thanks|cheers))"
_CLOSING = re.compile(rf"{_BEFORE_CLOSING}(?:{'|'.join(_CLOSINGS)})[\s.,!]*$", re.IGNORECASE)
_SENTENCE_END = re.compile(r"(?<=[.!?;])\s+|\n+")


_WHO = re.compile(
    r"\s*(?-i:[A-Z])[\w'’-]+(?: (?-i:[A-Z])[\w'’.-]+){0,2}(?:,| (?:from|at|of|here|speaking)\b)"
    r"(?:(?!\b(?:is|are|was|were|has|have|had|can|could|would|will|please|need|needs|want|wants|do|does|did|get|got|should|"
    r"must|my|our|your|i|we|you|it|they)\b|n't|'s\b|\d)[^.!?\n:;]){2,50}[.\n]\s*",
    re.IGNORECASE,
)
"""Who writes and for whom, in a sentence without a verb ("Ann Lee, Mirador Health, administration.")."""


_CHECKS_AGAIN = re.compile(r"\bdouble[ -]?check", re.IGNORECASE)
"""Who double-checks speaks of nothing that happened twice."""


def core_of(text: str) -> str:
    """The message without greeting, name, thanks in advance and signature, where anything else is left."""
    text = _CHECKS_AGAIN.sub("check", text)
    for _ in range(COURTESIES):
        opening = _OPENING.match(text) or _WHO.match(text)
        if opening is None or _too_short(text[opening.end() :]):
            break
        text = text[opening.end() :]
    for _ in range(COURTESIES):
        closing = _CLOSING.search(text, max(0, len(text) - CLOSING))
        if closing is None or _too_short(text[: closing.start()]):
            break
        text = text[: closing.start()]
    return text.strip(" \n,")


def directed(text: str) -> str:
    """The text with a word for the way in which a number changes: no embedding knows that 11 is more than 8."""
    move = move_in(text)
    if move is None or move.old == move.new:
        return text
    return f"{text[: move.end]} ({'more' if move.new > move.old else 'fewer'}){text[move.end :]}"


def sentences_of(core: str) -> list[str]:
    """The sentences of a long message that has several; none of a short one."""
    if len(core.split()) < LONG:
        return []
    sentences = [s for s in map(str.strip, _SENTENCE_END.split(core)) if len(s.split()) >= SHORTEST][:SENTENCES]
    return sentences if len(sentences) > 1 else []


def _too_short(rest: str) -> bool:
    return len(rest.split(maxsplit=SHORTEST)) < SHORTEST
