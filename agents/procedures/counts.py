"""How many: telling "three more" from "three fewer" and from "fifteen in all" in the customer's words."""

import re
from dataclasses import dataclass

from agents.triage.parts import without_ruled_out
from tools.provenance import IDLE, NUMBER_WORDS, speaks_of_unused, told_from

_WORDS = "|".join(word for word in NUMBER_WORDS if word not in ("a", "an", "another", "zero", "one"))
_OTHER_UNIT = (
    r"%|(?:am|pm|st|nd|rd|th|o'?clock|euros?|dollars?|pounds?|eur|usd|gbp|days?|weeks?|months?|years?|"
    r"jan|feb|mar|apr|jun|jul|aug|sep|oct|nov|dec)\w*\b"
)
_NO_COUNT = rf"(?![\d.,/:-]*\d|\s*(?:{_OTHER_UNIT}))"
_PRONOUN = "".join(rf"(?<!\b{word} )" for word in ("another", "the", "this", "that", "no", "which", "other"))
_NUMBER = rf"(?:(?<![\w.,:/-])\d{{1,4}}{_NO_COUNT}|\b(?:{_WORDS}|{_PRONOUN}one)\b)"
_THINGS = "seats?|users?|licen[cs]es?|people|persons?|employees|colleagues|members|logins?|places?"
_UNIT = rf"(?:\s+(?:user |team )?(?:{_THINGS}))?"
_THING = r"(?:\s+[a-z]{4,10})?"
_MORE = r"(?!\s+(?:more|fewer|less|extra|additional|further|new|of them)\b)"
_VERBS = (
    "raise|increase|reduce|lower|cut|bring|get|take|set|change|adjust|drop|shrink|bump|go|grow|come|trim|extend|expand|"
    "decrease|enlarge|be|move|put|lift|correct|scale|down|up|back"
)


def _patterns(*sources: str) -> list[re.Pattern[str]]:
    """``<N>`` stands for the number that is looked for, ``<M>`` for another one."""
    meant, other = rf"(?P<n>{_NUMBER}){_UNIT}", rf"{_NUMBER}{_UNIT}"
    return [re.compile(s.replace("<N>", meant).replace("<M>", other), re.IGNORECASE) for s in sources]


_TOTALS = _patterns(
    r"\b(?:have|has|had|are|were|got|with|pay(?:ing)? for|at|on)\s+(?:only |now |currently )?<M>\b[^.!?\d]{0,25}"
    rf"\b(?:make it|make that|want|wants?|need|needs|should be|be|to) (?:to be |to have )?(?:only |just )?<N>{_MORE}",
    r"<N> (?:\w+ )?(?:in (?:total|all)|altogether|overall|total)\b",
    r"\b(?:a total of|in total|in all) <N>",
    r"\b(?:today|now|currently|current|at present|so far)\b[^.!?\d]{0,12}<M>[^!?\d]{0,30}\b(?:required|needed|wanted|"
    r"new|then|future|target|planned|from now on)\b[^.!?\d]{0,20}<N>",
    r"\b(?:which|that|this|so it)(?:'ll| will| would|'d)? (?:makes?|leaves?|gives?|brings?) (?:us |it |that )?"
    r"(?:with |down to |to |at )?<N>",
    rf"\b(?:{_VERBS})\b[^.!?\d]{{0,40}}\bto (?:just |only |exactly )?<N>{_MORE}",
    rf"\b(?:(?:{_VERBS}|keep|leave|have) (?:us|it|them|the \w+|this|that)|set|cap|keep|stay|hold|be|fix)\b"
    rf"[^.!?\d]{{0,20}}\bat (?:just |only |exactly )?<N>{_MORE}",
    r"\bend(?:ing)? up (?:at|with) (?:just |only |exactly )?<N>",
    r"\b(?:i|we)(?:'d| would|'ll| will| want to| shall)? (?:only |just |rather |like to )*keep (?:only |just )?<N>",
    r"\bmake <N> (?:out )?of (?:it|them|that)\b",
    r"\b(?:have|has|had|are|were|got|with|pay(?:ing)? for|at|on)\s+(?:only |now |currently )?<M>[^!?\d]{0,25}[.,;] "
    r"(?:please |pls |so |now )?make (?:it|that|them) <N>",
    r"\bonly <N> (?:of us|left|remain|log in|work|are)\b",
    r"<M>\b[^.!?\d]{0,40}\b(?:are|we're|were) (?:only|just) <N>",
    r"<M>\b[^.!?\d]{0,20}\bbut (?:(?:now|at present|in fact|really) )?(?:we'?re|we are|there are|there's) <N>",
)
_ENOUGH = _patterns(
    r"\b(?:(?:need|require|use) (?:only|just)|(?:only|just) (?:need|require|use)) <N>"
    r"(?![^.!?\n]*\b(?:more|extra|additional|further|new|added|on top|removed|for (?:the|our|my|a|two|three))\b)",
    r"\b(?:fine|okay|ok|happy|do|manage|live|get by|get along|be) with (?:only |just )?<N>",
    r"<N> (?:from now on|is all we need|will be all)\b",
    r"<N> (?:would|will|are|is) (?:also )?(?:do|be enough|suffice|be plenty|be fine|enough|plenty|sufficient)\b",
)
"""Wordings that say how many in all in a request, and how many more in a correction of "five more"."""
_CHANGES = _patterns(
    r"<N>(?:\s+\w+)?\s+(?:more|fewer|less)\b",
    r"\b(?:by(?: the| these| those)?|another|plus|minus) <N>",
    r"<N>\s+(?:extra|additional|further|new)\b",
)
_STANDING = _patterns(
    rf"\b(?:have|has|had|now|currently|it'?s|there are|(?<!\brid )of (?:the|our)|paying for|pay for)\s+<N>{_MORE}",
    rf"\bcount <N>{_MORE}",
    r"<N> (?:booked|in use|used|taken|occupied|paid for|filled)\b",
)
_BARE = _patterns("<N>")
_ASKED_FOR = _patterns(
    r"\b(?:add|remove|drop|cut|delete|release|order|buy|purchase|return|(?:give|hand|take)(?: back| off| away| out)?|"
    rf"get rid of) (?:(?:please|only|just|the|those|these|our|us|me|other|last|{IDLE}) ){{0,3}}<N>",
    rf"\b(?:the|those|these|our) <N> {IDLE}\b",
)
"""Numbers that directly follow what shall be done, or count what nobody uses."""
_BESIDE_OTHERS = re.compile(
    rf"\b(?:and|plus|&) (?:the|our|those|these) {_NUMBER} (?:from|in|at|of)\b(?! (?:them|those|these|us)\b)",
    re.IGNORECASE,
)
"""A number beside others who are named ("Yasmin and the two from Lyon"): not how many there are in all."""
_EITHER = re.compile(
    rf"{_NUMBER}{_UNIT}\s+(?:or|vs\.?|versus)\s+(?:maybe |only |just )?{_NUMBER}{_UNIT}", re.IGNORECASE
)
"""Two numbers between which the writer is deciding: neither is said yet."""


_WAYS = {
    "more": re.compile(
        r"\b(?:add|adding|more|extra|additional|further|increase|increasing|raise|raising|buy|buying|purchase|expand|"
        r"extend|enlarge|order|another|plus|upsize|double|top up|(?:put|need|want|have|get)\b[^.,;!?]{0,30}\bback)\b",
        re.IGNORECASE,
    ),
    "fewer": re.compile(
        r"\b(?:remove|removing|fewer|less|reduce|reducing|decrease|decreasing|lower|lowering|cut|cutting|drop|dropping|"
        r"release|trim|minus|shrink|downsize|delete|get rid of|give up|free up|(?:give|hand)\b[^.,;!?]{0,30}\bback|"
        r"(?:take|taking)\b[^.,;!?]{0,30}\b(?:off|away|out)|"
        r"(?:some|a few|those|these|they|two|three|\d{1,3})(?: of (?:them|those|these|ours))? "
        r"(?:can |may |could |should )?go)\b",
        re.IGNORECASE,
    ),
}


_TAKES_AWAY = re.compile(
    r"\b(?:(?:remove|drop|cut|delete|release|get rid of|give back|take (?:away|off|out))\b[^.!?\n]{0,30}\b(?:extra|"
    r"additional)|"
    r"take\b[^.!?\n]{0,30}\b(?:extra|additional)\b[^.!?\n]{0,20}\b(?:off|away|out))\b",
    re.IGNORECASE,
)
"""Words by which the extra ones are those that shall go."""


@dataclass(frozen=True)
class Move:
    """A number that shall become another; `end` is where the words for it end."""

    old: int
    new: int
    end: int


_MOVES = [
    re.compile(
        pattern.replace("<OLD>", rf"(?P<old>{_NUMBER}){_THING}").replace("<NEW>", rf"(?P<new>{_NUMBER}){_THING}"), re.I
    )
    for pattern in (
        r"\bfrom <OLD> (?:up |down )?to <NEW>",
        r"<NEW>(?: from now on| now)? (?:instead of|in place of|rather than) (?:the )?<OLD>",
        r"\b(?:instead of|in place of|rather than) (?:the )?<OLD>,? (?:(?!so\b|please\b|and\b|"
        r"take\b)[a-z']+ ){1,4}?<NEW>",
        r"<OLD>\s*[-=]+>\s*<NEW>",
    )
]


def move_in(text: str) -> Move | None:
    """The number in a text that shall become another: "from 12 to 15", "15 instead of 12", "12 -> 15"."""
    found = next(filter(None, (pattern.search(text) for pattern in _MOVES)), None)
    return (
        Move(_value(found["old"]), _value(found["new"]), max(found.end("old"), found.end("new")))
        if found is not None
        else None
    )


_MORE_THAN = re.compile(r"\b(?:more|fewer|less) [\w'-]+ than\b", re.IGNORECASE)
"""What there is more of than of something else ("we've more places than people")."""


def direction_in(text: str) -> str | None:
    """Whether the text asks for ``more`` or ``fewer``: by the words at the number, else by the only ones there are."""
    text = _MORE_THAN.sub(" ", without_ruled_out(text))
    if (signed := re.search(r"(?<![\w.,-])([+-])\s?\d{1,4}(?![\w.,-]*\d)", text)) is not None:
        return "more" if signed[1] == "+" else "fewer"
    if (
        change := re.search(rf"{_NUMBER}(?:\s+\w+)?\s+(more|extra|additional|further|fewer|less)\b", text, re.I)
    ) is not None:
        spare = change[1].lower() in ("extra", "additional") and _TAKES_AWAY.search(text) is not None
        return "fewer" if spare or change[1].lower() in ("fewer", "less") else "more"
    places = [(found.start(), way) for way, pattern in _WAYS.items() for found in pattern.finditer(text)]
    if len({way for _, way in places}) < 2:
        return places[0][1] if places else None
    number = re.search(_NUMBER, text, re.IGNORECASE)
    if number is None:
        return None
    return min(places, key=lambda place: abs(place[0] - number.start()))[1]


def wanted_in_all(text: str, before: int | None, *, opening: bool) -> int | None:
    """How many the customer wants in all after these words; None where they speak of how many more or fewer.

    `before`: how many they wanted in all before, if they said so: a bare number is then another such. `opening`: the
    text is a request of its own, not a correction or an answer, so "4 are enough" speaks of all.
    """
    if before is not None and (told := told_from({before}, text)):
        return told.pop()
    if any(pattern.search(text) for pattern in _CHANGES):
        return None
    if (move := move_in(text)) is not None:
        return move.new
    if (total := _first([*_TOTALS, *_ENOUGH] if opening else _TOTALS, text)) is not None:
        return total
    bare = _first(_BARE, _without_what_is(text))
    if before is None or bare is None:
        return before
    return bare if direction_in(text) is None else None


def change_in(text: str) -> int | None:
    """How many more or fewer there shall be; None too for what is reckoned from a number before ("half of that")."""
    if told_from({2}, text) or _BESIDE_OTHERS.search(text):
        return None
    if (plain := _first(_CHANGES, text)) is not None:
        return plain
    standing = {_value(said["n"]) for pattern in (*_TOTALS, *_STANDING) for said in pattern.finditer(text)}
    text = _without_what_is(text)
    signed = re.search(r"(?<![\w.,-])[+-]\s?(\d{1,4})(?![\w.,-]*\d)", text)
    if signed is not None:
        return int(signed[1])
    if (asked_for := _first(_ASKED_FOR, text)) is not None:
        return asked_for
    bare = [_value(said["n"]) for said in _BARE[0].finditer(text)]
    if bare:
        return next((number for number in bare if number not in standing), bare[0])
    one = re.search(
        r"\banother one\b|\b(?:a|an|another|one more|extra)\s+(?:\w+\s+)?(?:seat|user|licen[cs]e|person|place)\b",
        text,
        re.IGNORECASE,
    )
    return 1 if one is not None else None


def wants_unused_gone(text: str) -> bool:
    """Whether all go that nobody uses, however many these are."""
    return speaks_of_unused(text) and change_in(text) is None


def _without_what_is(text: str) -> str:
    """The text less the numbers that say how many there are, or shall be in the end, and those that are names."""
    for pattern in (*_MOVES, *_TOTALS, *_STANDING, _EITHER):
        text = pattern.sub(" ", text)
    text = re.sub(r"\b(?:since|until|till|before|after|around)\s+\d{1,2}\b", " ", text, flags=re.IGNORECASE)
    return re.sub(r"\b(?:invoice|ticket|number|#)\s*\d+", " ", text, flags=re.IGNORECASE)


def _first(patterns: list[re.Pattern[str]], text: str) -> int | None:
    match = next((found for pattern in patterns if (found := pattern.search(text))), None)
    if match is None:
        return None
    return _value(match["n"])


def _value(number: str) -> int:
    return int(number) if number.isdigit() else NUMBER_WORDS[number.lower()]
