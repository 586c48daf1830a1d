"""Whether a language model's reply says more than the records do.

Lists of forbidden phrases end where a paraphrase begins ("consider it refunded", "it went through"). So the rule is the
other way round: a statement may use plain words, the customer's own words for the matter, and the words of the evidence
(values of tool results, passages, what a verified effect is said to do). Whatever else it says, nobody knows to be so.
Questions are free, unless they begin as a statement.
"""

import re
import unicodedata
from collections.abc import Collection, Iterable
from functools import lru_cache
from itertools import chain, pairwise
from typing import Any

from rapidfuzz import fuzz

QUOTED = 90.0
"""Likeness (0 to 100) from which a sentence counts as a quotation."""

_PLAIN = frozenset(
    """
    about above account accounts actually afraid after all already also although among and another any
    anything apologies apologise are around ask asked asks because been before being below best between both but can
    cannot chat check checked clear company conversation could currently customer date dates day days dear details
    did different does doing down during each earlier either else enough entry especially eur even every exactly
    example far few find first following for form found from further gbp general give given glad gladly good has
    have having hello help helpful her here hers him his how however idea including inconvenience information
    instead into invoice invoices item items its itself just kind know last later latest let like list listed lists
    little long look looked looking looks make many matter matters may mean means might minute moment month
    monthly months more most much must name named names near need needs neither next nice nor not note nothing
    number numbers off often once one only open option options order other otherwise our out over overview own
    page part particular per perhaps period plan plans please point possible precisely present question questions
    quite rather read reason records regarding regards request requests right same say says seat seats see seen
    service several shall she should show shows since some something soon sorry specific start still subscription
    such sure tell than thank thanks that the their them then there these they thing things think third this
    those though through time times today together too total towards trouble twice type under understand
    unfortunately unless until upon usage usd use used useful user users using usual usually various very via wait
    want wants was way welcome well were what when where whether which while who whom whose why will wish with
    within wonder word words would write writing written wrote year years yes yet you your yourself
    """.split()
)
"""Words that promise nothing and tell nothing: a statement made of these alone is harmless."""

_WEIGHTY = re.compile(
    r"^(?:refund|reimburs|repa[iy]|credit|revers|return|cancel|terminat|clos|charg|wai?v|discount|compensat|guarante|"
    r"promis|approv|grant|gave|give|admin|remov|delet|destro|creat|provision|unlock|restor|reactivat|activat|upgrad|"
    r"downgrad|switch|mov|transfer|pass|forward|escalat|hand|connect|assign|send|sent|mail|email|post|add|buy|bought|"
    r"reset|chang|fix|resolv|solv|sort|settl|confirm|book|start|stop|free|entitl|owe|legal|lawyer|manager|supervis|"
    r"colleague|team|person|human|specialist|expert|ticket|case|(?:now|made|sum|whole|always|never|without)$)",
)
"""Stems that tell of an outcome or of a rule: that the customer used them makes them no truer."""

_ASKS = re.compile(
    r"^\W*(?:(?:ok(?:ay)?|so|and|also|otherwise|please|thanks?|thank you|sorry|hello|hi|well|sure)\W+)*"
    r"(?:what|which|who|whom|whose|when|where|why|how|is|are|do|does|did|can|could|may|would|will|shall|should|have|has|"
    r"was|were|anything|something else)\b",
    re.IGNORECASE,
)


_TELLS = re.compile(
    r"\b(?:i|we)(?:'ve|'d|'ll| have| had| will)? (?:just |already |now )?\w+(?:ed|en|t)\b|"
    r"\b(?:your|the|my|our|his|her|its|this|that|it|she|he|they|you|everything|all)\s+(?:[\w'-]+\s+){0,4}?"
    r"(?:is|are|was|were|has|have|had|got|went|goes|comes|arrives|will|would|won't)\b|"
    r"\b(?:it|that|he|she|there)'s\b|\b(?:they|you|we)'re\b|"
    r"\b(?:i|we) (?:(?:have|had|just|already|now) )*(?:made|did|gave|paid|put|took|got)\b",
    re.IGNORECASE,
)
"""A clause within a question that tells how things are; the question is then read like a statement."""

_PRESUMES = re.compile(
    r"^\W*(?:(?:have|had|did) you (?:already |yet )?(?:see|get|got|receiv|notic|find|found|had)\w*|"
    r"(?:are|were) you (?:happy|glad|pleased|satisfied|content|fine|ok)\b)"
    r".*\b(?:refund|reimburse|repa|credit|discount|money)",
    re.IGNORECASE,
)
"""A question that takes money for given ("have you seen the refund?")."""

_NOT = r"(?:(?:do|does|did|will|would|must) not|(?:do|does|wo|would|must)n't|never)"
_RELEASES = re.compile(
    r"\bon (?:us|the house)\b|"
    rf"\b(?:need not|needn't|no need to|nothing (?:left |more )?to|without having to|{_NOT}(?: (?:need|have) to)?)"
    r" (?:be )?(?:pay|paid|paying|settle|settling)\b",
    re.IGNORECASE,
)
"""A sentence that frees the customer of a payment: plain words, and no small promise."""
_AS_WISHED = re.compile(
    r"\b(?:this|that|it|they|all|everything)\b.{0,30}"
    r"\b(?:the way|as|how|what|just like|just as|exactly as) (?:you|they|he|she) (?:have |had |'d )?"
    r"(?:want|wish|ask|request|need|like|hop|order)\w*",
    re.IGNORECASE,
)
"""A sentence that says that things are as somebody wished."""

_UNSEEN = re.compile("[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u3164\ufe00-\ufe0f\uffa0\U000e0100-\U000e01ef]")
"""Fillers, joiners and variation selectors: with the format characters (Cf) what stands in a text and is not seen."""
_SPACED = re.compile(r"(?<!\w)\w(?:[^\w\n]{1,3}\w){3,}(?!\w)")
"""Single letters in a row: "r e f u n d"."""

RETOLD = 2
"""So many words of a passage a sentence must have to count as telling it again: one stands in some passage anyway."""
SHARED = 0.6
"""The part of a sentence's words that it must share with the telling of something done, and with the results."""
NAME_WORDS = 3
"""Text that others wrote and that is no longer than this is a name, which may be said."""


def beyond(
    text: str,
    *,
    evidence: Iterable[Any],
    context: Iterable[str],
    passages: Iterable[str] = (),
    done: Iterable[str] = (),
    foreign: Collection[str] = (),
) -> list[str]:
    """The words of a reply's statements that nothing known has, in order; empty where the reply says no more than that.

    `evidence`: JSON values and texts that are known to be so, without the texts in `foreign`, which others wrote.
    `context`: what was said in the conversation; its words may be repeated but prove no outcome. `passages`: what
    two neighbouring sentences of one say may be said in other order; an outcome only in a sentence that all but quotes.
    `done`: how what was done is told; a sentence may use the words of one of theirs where it tells mostly the same.
    """
    text = visible(text)
    known: set[str] = set()
    for value in evidence:
        _collect(value, known, frozenset(foreign))
    names = [text for text in foreign if len(text.split()) <= NAME_WORDS]
    spoken = {stem for said in (*context, *names) for stem in map(_stem, _words(said)) if not _WEIGHTY.match(stem)}
    allowed = known | spoken | _PLAIN_STEMS
    quotable = [_sentences(passage) for passage in passages]
    windows = [_light(f"{one} {two}") for sentences in quotable for one, two in pairwise([*sentences, ""])]
    tellings = [_sentences(telling) for telling in done]
    told = [_words_and_stems(f"{one} {two}") for sentences in tellings for one, two in pairwise([*sentences, ""])]
    stray: list[str] = []
    for sentence in _sentences(text):
        if _is_question(sentence) or _quotes(sentence, chain.from_iterable(quotable)):
            continue
        if released := _RELEASES.search(sentence) or (None if tellings else _AS_WISHED.search(sentence)):
            stray.append(released[0])
            continue
        unknown = [word for word in _words(sentence) if not {word, _stem(word)} & allowed]
        if unknown and any(_tells_the_same(sentence, unknown, known, one) for one in told):
            continue
        said_there = any(all(_stem(word) in window for word in unknown) for window in windows)
        if not said_there or len(unknown) < RETOLD:
            stray += unknown
    return list(dict.fromkeys(stray))


def visible(text: str) -> str:
    """A text as it is read: without the characters that nobody sees, with the plain forms of fancy letters."""
    if text.isascii():
        return text
    kept = (letter for letter in _UNSEEN.sub("", text) if unicodedata.category(letter) != "Cf")
    return unicodedata.normalize("NFKC", "".join(kept))


def _light(text: str) -> set[str]:
    return {stem for stem in map(_stem, _words(text)) if not _WEIGHTY.match(stem)}


def _quotes(sentence: str, quotable: Iterable[str]) -> bool:
    return any(fuzz.ratio(sentence.lower(), other.lower()) >= QUOTED for other in quotable)


def _tells_the_same(sentence: str, unknown: list[str], known: set[str], told: frozenset[str]) -> bool:
    words = _words(sentence)
    shared = sum(bool({word, _stem(word)} & (told | known)) for word in words)
    return all({word, _stem(word)} & told for word in unknown) and shared >= SHARED * len(words)


def _sentences(text: str) -> list[str]:
    return [part.strip() for part in re.split(r"(?<=[.!?])\s+|\n+", text) if part.strip()]


def _is_question(sentence: str) -> bool:
    """Whether a sentence only asks. "Shall I?" does; "did you know that your money is back?" tells something too."""
    asks = _ASKS.match(sentence)
    if not sentence.endswith("?") or asks is None or _PRESUMES.match(sentence):
        return False
    return _TELLS.search(sentence, asks.end()) is None


@lru_cache(maxsize=4096)  # the same field names and records are read in every turn
def _words(text: str) -> tuple[str, ...]:
    """Addresses are left out: where they come from is checked by themselves."""
    spoken = re.sub(r"\S+@\S+|https?://\S+|<\w+>", " ", text)
    spoken = _SPACED.sub(lambda letters: re.sub(r"\W", "", letters[0]), spoken)
    return tuple(word for word in re.findall(r"[^\W\d_]+", spoken.lower()) if len(word) > 2)


@lru_cache(maxsize=4096)
def _words_and_stems(text: str) -> frozenset[str]:
    words = _words(text.replace("_", " "))
    return frozenset((*words, *map(_stem, words)))


def _stem(word: str) -> str:
    if word in ("yours", "ours", "hers", "theirs"):
        return word
    for ending in ("ing", "ies", "es", "ed", "s"):
        if word.endswith(ending) and len(word) - len(ending) >= 4:
            return word[: -len(ending)]
    return word


def _collect(value: Any, known: set[str], foreign: frozenset[str]) -> None:
    """The words of a value; a field's name counts only where the field holds something."""
    if value is None or value is False or value == 0:
        return
    if isinstance(value, dict):
        for key, item in value.items():
            if item not in (None, False, 0, "", [], {}):
                known.update(_words_and_stems(str(key)))
                _collect(item, known, foreign)
    elif isinstance(value, list | tuple):
        for item in value:
            _collect(item, known, foreign)
    elif isinstance(value, str) and value not in foreign:
        known.update(_words_and_stems(value))


_PLAIN_STEMS = frozenset(map(_stem, _PLAIN)) | _PLAIN
