"""How many: telling "three more" from "three fewer" and from "fifteen in all" in the customer's words."""

import re

from tools.provenance import NUMBER_WORDS, told_from

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
    r"\bfrom <M> (?:up |down )?to <N>",
    r"<M>\s*[-=]+>\s*<N>",
    r"<N> (?:instead of|rather than) (?:the )?<M>",
    r"\b(?:have|has|had|are|were|got|with|pay(?:ing)? for|at|on)\s+(?:only |now |currently )?<M>\b[^.!?\d]{0,25}"
    rf"\b(?:make it|make that|want|wants?|need|needs|should be|be|to) (?:to be |to have )?(?:only |just )?<N>{_MORE}",
    r"<N> (?:\w+ )?(?:in (?:total|all)|altogether|overall|total)\b",
    r"\b(?:a total of|in total|in all) <N>",
    rf"\b(?:{_VERBS})\b[^.!?\d]{{0,40}}\b(?:to|at) (?:just |only |exactly )?<N>{_MORE}",
    r"\bonly <N> (?:of us|left|remain|log in|work|are)\b",
)
_ENOUGH = _patterns(
    r"<N> (?:would|will|are|is) (?:also )?(?:do|be enough|suffice|be plenty|be fine|enough|plenty|sufficient)\b",
)
"""Wordings that say how many in all in a request, and how many more in a correction of "five more"."""
_CHANGES = _patterns(
    r"<N>(?:\s+\w+)?\s+(?:more|fewer|less)\b",
    r"\b(?:by|another|plus|minus) <N>",
    r"<N>\s+(?:extra|additional|further|new)\b",
)
_STANDING = _patterns(
    rf"\b(?:have|has|had|now|currently|it'?s|there are|of (?:the|our)|paying for|pay for)\s+<N>{_MORE}",
)
_BARE = _patterns("<N>")


_RULED_OUT = re.compile(
    r"\b(?:don['\u2019]?t|do not|not|never|no need to|instead of|rather than|without) (?:\w+ ){0,2}?"
    r"(?:add|remov|reduc|cut|drop|increas|delet|cancel|giv|tak)\w*[^,.;!?]*",
    re.IGNORECASE,
)
_WAYS = {
    "more": re.compile(
        r"\b(?:add|adding|more|extra|additional|further|increase|increasing|raise|raising|buy|buying|purchase|expand|"
        r"extend|enlarge|order|another|plus|upsize|double|top up|(?:put|need|want|have|get)\b[^.,;!?]{0,30}\bback)\b",
        re.IGNORECASE,
    ),
    "fewer": re.compile(
        r"\b(?:remove|removing|fewer|less|reduce|reducing|decrease|decreasing|lower|lowering|cut|cutting|drop|dropping|"
        r"release|trim|minus|shrink|downsize|delete|get rid of|give up|free up|(?:give|hand)\b[^.,;!?]{0,30}\bback|"
        r"(?:take|taking)\b[^.,;!?]{0,30}\b(?:off|away|out))\b",
        re.IGNORECASE,
    ),
}


def direction_in(text: str) -> str | None:
    """Whether the text asks for ``more`` or ``fewer``: by the words at the number, else by the only ones there are."""
    text = _RULED_OUT.sub(" ", text)
    if (signed := re.search(r"(?<![\w.,-])([+-])\s?\d{1,4}(?![\w.,-]*\d)", text)) is not None:
        return "more" if signed[1] == "+" else "fewer"
    if (
        change := re.search(rf"{_NUMBER}(?:\s+\w+)?\s+(more|extra|additional|further|fewer|less)\b", text, re.I)
    ) is not None:
        return "fewer" if change[1].lower() in ("fewer", "less") else "more"
    places = [(found.start(), way) for way, pattern in _WAYS.items() for found in pattern.finditer(text)]
    if len({way for _, way in places}) < 2:
        return places[0][1] if places else None
    number = re.search(_NUMBER, text, re.IGNORECASE)
    if number is None:
        return None
    return min(places, key=lambda place: abs(place[0] - number.start()))[1]


def total_in(text: str, *, opening: bool = True) -> int | None:
    """How many there shall be in the end ("20 in all", "from 12 to 15"); None where the text says how many more.

    `opening`: the text is a request of its own, not a correction or an answer, so "4 are enough" speaks of all.
    """
    if any(pattern.search(text) for pattern in _CHANGES):
        return None
    return _first([*_TOTALS, *_ENOUGH] if opening else _TOTALS, text)


def change_in(text: str) -> int | None:
    """How many more or fewer there shall be; None too for what is reckoned from a number before ("half of that")."""
    if told_from({2}, text):
        return None
    if (plain := _first(_CHANGES, text)) is not None:
        return plain
    for pattern in (*_TOTALS, *_STANDING):
        text = pattern.sub(" ", text)
    text = re.sub(r"\b(?:invoice|ticket|number|#)\s*\d+", " ", text, flags=re.IGNORECASE)
    signed = re.search(r"(?<![\w.,-])[+-]\s?(\d{1,4})(?![\w.,-]*\d)", text)
    if signed is not None:
        return int(signed[1])
    if (bare := _first(_BARE, text)) is not None:
        return bare
    one = re.search(
        r"\banother one\b|\b(?:a|an|another|one more|extra)\s+(?:\w+\s+)?(?:seat|user|licen[cs]e|person|place)\b",
        text,
        re.IGNORECASE,
    )
    return 1 if one is not None else None


def _first(patterns: list[re.Pattern[str]], text: str) -> int | None:
    match = next((found for pattern in patterns if (found := pattern.search(text))), None)
    if match is None:
        return None
    number = match["n"].lower()
    return int(number) if number.isdigit() else NUMBER_WORDS[number]
