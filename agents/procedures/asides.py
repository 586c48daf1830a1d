"""What a customer says beside what they ask for: what is ruled out or in order, a signature, words taken back."""

import re

from agents.procedures.dates import LISTED_MONTHS, MONTH
from agents.triage.courtesy import GREETING

_NEGATED = re.compile(
    r"[,;]?\s*\b(?:and\s+)?(?:not|no(?: (?:need|change|link))?(?= for\b)|nothing(?= for\b)|instead of|rather than)\s+"
    r"(?:(?:the|an?|for|in|from|just|only)\s+)*"
    r"[\w.#'@-]+(?:\s+one\b)?",
    re.IGNORECASE,
)
_SIGNATURE = re.compile(
    r"(\b(?i:thanks|thank you|thx|regards|cheers|sincerely|best|greetings|yours|wishes)\b[^.!?\n]{0,30}[.,!]?\s+)"
    r"[A-Z][\w'’.-]+(?:\s+[A-Z][\w'’.-]+){0,2}\.?\s*$"
)
_CLOSING_LINE = re.compile(
    r"(?<=\S)[ \t]*\n(?:[ \t]*\n)?[ \t]*[\w' ]{2,25},[ \t]*\n(?:[ \t]*\n)?"
    r"(?:[A-Z][\w'’.&-]*(?:[ \t,]+[A-Z&][\w'’.&-]*){0,3}[ \t]*(?:\n|$)){1,3}$"
)
"""A line that closes a letter with a comma ("Ta,"), and the names below it."""
_HERE = re.compile(
    rf"\A\W*(?:{GREETING}\b[\s,.!-]*"
    r"(?:there|all|team)?[\s,.!-]*)?(?:"
    r"[\w'’-]+ [\w'’-]+,[^.!?\n]{2,40}[.\n]|"
    r"[\w'’-]+(?: [\w'’-]+)?,? (?:here|speaking)(?=\s*(?:[,.;:!\n-]|$|(?:from|at|in)\b|@))|"
    r"[\w'’-]+(?: [\w'’-]+)? (?:from|of|at|@) [^.,!?\n]{2,30}[.,!\n]|"
    r"(?:this is|it'?s|my name is|i am|i'm) [\w'’-]+(?: [\w'’-]+)?"
    r"(?=[\s,]+(?:from|at|of|here|speaking|with)\b|\s*[,.;\n]))",
    re.IGNORECASE,
)
"""Who writes, as they say at the beginning ("Gary here", "this is Ann Lee from the bakery")."""
_LAST_LINES = re.compile(r"(?<=\S)\s*\n[ \t]*\n(?:[A-Z][\w'’.&-]*(?:[ \t,]+[A-Z&][\w'’.&-]*){0,3}[ \t]*(?:\n|$)){1,3}$")
"""A block of names on lines of their own, after an empty line at the end of a letter."""
_NOT_ASKING = "".join(rf"(?<!\b{word} )" for word in ("can", "could", "may", "might", "shall", "should", "must", "if"))
"""No such word stands before it: "could we have" asks for what "we have" says is there."""
_SENTENCE = r"(?:^|(?<=[.!?;\n]))"
_BESIDE = re.compile(
    "|".join(
        (
            # a month that is all right
            rf"\b{MONTH}(?:(?: invoice| bill| one| fee| payment| charge)?,? (?:is|was)|(?<='s)) (?:[\w.,%]+ ){{0,3}}"
            r"(?:fine|ok|okay|in order|correct|right|good|all right|alright)\b",
            rf"\b{MONTH},? (?:i|we|they) (?:did use|do use|did need|did have)\b(?: it| that)?",
            # a month that shall be left alone
            rf"{_SENTENCE}[^.!?;\n]*\b{MONTH}\b[^.!?;\n]*\bleave (?:that|it|this|those)(?: ones?)?"
            r"(?: alone| be| as (?:it |they )?(?:is|are))?\s*(?=[.!?;\n]|$)",
            # months whose papers somebody has
            rf"(?:{_NOT_ASKING}\b(?:i|we|they) (?:still |only )?(?:have|got)|\balready (?:has|have|got)|\bhas) "
            rf"(?:already )?(?:(?:the|that|those|invoices?|bills?|ones?|for|of|from) )*{LISTED_MONTHS.pattern}",
            # a month that is taken back
            rf"\b(?:forget|skip|leave out|ignore|scratch|never mind) (?:about )?(?:the )?{MONTH}\b"
            r"(?: (?:invoice|bill|one|fee|payment|charge))?",
            # what is in use
            rf"{_SENTENCE}(?![^.!?;\n]*\b(?:please|pls|send|delete|remove|could|can|would)\b)[^.!?;\n]*"
            r"\b(?:is|are) (?:all |both )?still (?:\w+ )?(?:used|needed|required|wanted|in use)\b[^.!?;\n]*",
        )
    ),
    re.IGNORECASE,
)
"""What is spoken of and not meant: the request is about something else."""
PERIOD = re.compile(
    r"\b(?:from|since|until|till|up to|to|between|and) (?:the )?"
    r"(?:\d{1,2}(?:st|nd|rd|th)?|end|middle|mid|start|beginning|early|late)(?: of)?[ -]"
    rf"(?:{MONTH}|this month|last month)\b|"
    rf"\b(?:since|until|till) {MONTH}\b",
    re.IGNORECASE,
)
"""An end of the time in which something happened: it is no invoice's month where another month is named."""


# Words that are no part of the name of what shall stay.
_NOTHING_SPARED = (
    "please|pls|and|or|but|can|could|would|will|must|should|shall|go|goes|delete|remove|take|drop|kill|cancel|refund|"
    "return|send|give|change|make|set|unlock|reset|restore|me|us|you|an eye|track|in mind|to|who|which|that|"
    "everything|everyone|anything|other|others|rest"
)
# Words of a sentence that asks for a change, so that what it names is not all to stay.
_CHANGING = (
    "please|pls|send|delete|remove|refund|cancel|back|drop|could|can you|can we|would|reset|unlock|"
    "change|make|becomes?|goes"
)
_SPARED_NAME = rf"(?:(?!(?:{_NOTHING_SPARED})\b)[\w.'@-]+ ){{0,2}}(?!(?:{_NOTHING_SPARED})\b)[\w.'@-]+"
_SPARED_NAMES = rf"{_SPARED_NAME}(?:(?:\s*,\s*(?:and |or )?|\s+(?:and|or|&)\s+){_SPARED_NAME})*"
_OTHERS = (
    r"(?:the |all |all the )?(?:others?|other (?:ones?|two|things|ones|resources|users|people)|rest|everything else)"
)
# "Stays locked" and "keeps failing" tell of a trouble, not of what shall stay.
_AS_BEFORE = (
    r"(?!\s+(?:\w+ing|locked|blocked|down|out|unpaid|open|"
    r"broken|suspended|stuck|wrong|without|unable|in the (?:room|office))\b)"
)
_CLAUSE = r"(?:(?<=[.,;:!?\n(])|^|\b(?:but|while|and)\b)\s*(?:for )?"
_WHAT_IT_HAS = r"(?:what|all|everything|(?:his|her|their|the same) (?:role|rights))"
_AS_IT_IS = (
    r"(?:untouched|to stay|not (?:affected|concerned|meant)|(?:fine|ok|okay|alright|all right|good)"
    r"(?: (?:as|how|the way) (?:(?:it|he|she|they) )?(?:is|are))?(?=\s*(?:[,.;!?]|$)))"
)
_SPARED = re.compile(
    "|".join(
        (
            # "the other one keeps what he has", "B is fine as it is"
            rf"{_CLAUSE}(?:{_SPARED_NAME}|{_OTHERS}),? (?:stays|remains|keeps {_WHAT_IT_HAS}|is {_AS_IT_IS})\b"
            rf"{_AS_BEFORE}[^.,;!?\n]*",
            # "A, B and the cache must stay"
            rf"{_CLAUSE}(?:{_SPARED_NAMES}|{_OTHERS}),? "
            r"(?:(?:must|should|shall|can|may|has to|have to|needs? to|will|is to|are to)\s+)?(?:both |all )?"
            rf"(?:(?:stay|remain|keep {_WHAT_IT_HAS}|be kept|be left|are {_AS_IT_IS})\b{_AS_BEFORE}|"
            r"not (?:go|be (?:touched|deleted|removed|changed))\b)[^.,;!?\n]*"
            rf"(?:,? (?:also|and also|including|as well as|even|especially) {_SPARED_NAMES})?",
            # "A and B are normal, those stay how they are"
            rf"{_SENTENCE}(?![^.!?;\n]*\b(?:{_CHANGING})\b)[^.!?;\n]*\b(?:those|these|they|that|it|both|all)"
            r"(?: (?:two|three|ones?|can|may|must|should|shall|will|all|both|simply|just)){0,2} (?:stays?|remains?)\b"
            rf"{_AS_BEFORE}[^.!?;\n]*",
            # "keep A and B", "don't touch the cache", "leave A alone"
            rf"\b(?:(?:(?:keep|leave) (?:your |the |all )?)?(?:hands|fingers) off|keep|leave|spare|"
            r"(?:do not|don't|dont|not|never) touch) "
            rf"(?!\w+ing\b)(?:{_SPARED_NAMES}|{_OTHERS})"
            rf"(?: (?:alone|be|as (?:it|they|is)|untouched|out of (?:it|this))\b)?",
        )
    ),
    re.IGNORECASE,
)
"""Records that shall stay as they are, beside the one that is meant."""


_SENTENCES = re.compile(r"(?:[^.;:!?\n]|\.(?=\w)){4,400}")
"""Stretches without an end of sentence, up to a length at which the pattern above is quick on any text."""


def without_spared(text: str) -> str:
    """The text less the records that shall stay as they are ("delete A, B must stay" becomes "delete A,")."""
    return _SENTENCES.sub(lambda sentence: _SPARED.sub(" ", sentence[0]), text.replace("’", "'"))


def without_signature(text: str) -> str:
    """The text less the writer's name at its end: it names nobody who is spoken of."""
    return _LAST_LINES.sub("", _CLOSING_LINE.sub("", _SIGNATURE.sub(r"\1", text)))


INTRODUCED = 150
"""Characters within which a writer says who they are."""


def without_introduction(text: str) -> str:
    """The text less the name by which its writer begins."""
    return (_HERE.sub(" ", text[:INTRODUCED]) + text[INTRODUCED:]).lstrip()


_SALUTES = re.compile(r"\A\W*[A-Za-z']{2,12}(?: [a-z]{2,12})?[!.,]\s+")
_FULL_NAME = re.compile(r"\b([A-Z][\w'’-]+ [A-Z][\w'’-]+)(?![\w'’-]| [A-Z])")
_OF_A_COMPANY = re.compile(r"\A\W*[A-Z][\w'’-]+ [A-Z][\w'’-]+, (?=[A-Z])")
"""A full name and the company after it ("Neil Baird, Kestrel Insurance")."""


def introduced(text: str) -> str:
    """The full name by which a writer begins or signs ("Neil Baird, Kestrel Insurance, ..."); else empty."""
    whole = text[:INTRODUCED]
    rest = _SALUTES.sub("", whole)
    begins = (_HERE.match(whole), _HERE.match(rest), _OF_A_COMPANY.match(whole), _OF_A_COMPANY.match(rest))
    signs = (_LAST_LINES.search(text), _CLOSING_LINE.search(text), _SIGNATURE.search(text))
    for told in filter(None, (*begins, *signs)):
        if name := _FULL_NAME.search(told[0]):
            return name[1]
    return ""


_WRITER = re.compile(r"\b(?:i'?m|i am|my name is|(?:that'?s|it'?s) me,?) (?:the )?[a-z][\w'’-]+", re.IGNORECASE)


def without_writer(text: str) -> str:
    """The text less the name that its writer says is their own ("rivera, i'm morgan")."""
    return _WRITER.sub(" ", text)


def negated_in(text: str) -> str:
    """What a text rules out by a "not" ("not Ortiz, the other one" gives "not Ortiz")."""
    return " ".join(found[0] for found in _NEGATED.finditer(text))


def without_negated(text: str) -> str:
    """The text less what it rules out ("september, not october" becomes "september") or says is all right."""
    return _BESIDE.sub(" ", _NEGATED.sub(" ", text))


TAKEN_BACK = re.compile(
    r"(?:(?:^|[.,;:!?\n-])\s*(?:(?:oh|ah|hm+|no|wait|sorry)[\s,.]+)*(?:sorry|pardon|oops|excuse me|"
    r"wait|actually|scratch that|correction|make that|or rather|or no(?=,)|or wait)|"
    r"(?:^|[.;!?\n])\s*(?:ah|oh|hm+|ach),? no|\bi mean(?:t|s)?|\bno,? (?:sorry|wait))"
    r"\b(?![\s,]*(?:for|about|to|but|that)\b)[\s,:.!-]*",
    re.IGNORECASE,
)
_MEANT = re.compile(
    r"(?:^|[.,;:!?\n])\s*(?:(?:oh|ah|hm+|no|wait|sorry)[\s,]+)*([^.,;:!?\n]{2,40}?),? i (?:mean|meant)\s*"
    r"(?=[.,;!?\n]|$)",
    re.IGNORECASE,
)


def corrected_to(text: str) -> str:
    """What the writer says instead of what they said first ("5 seats. Sorry, 4."); empty where they do not."""
    if (meant := _MEANT.search(text)) is not None:
        return meant[1].strip()
    return TAKEN_BACK.split(text)[-1].strip() if TAKEN_BACK.search(text) else ""
