"""How a question is put: how something is, how something is done, what would be if."""

import re

from agents.triage.phrasing import SENTENCE_END, asks

_HOW_IT_IS = re.compile(
    r"^\W*(?:(?:hi|hey|hello|hm+|so|and|also|quick question|question|one question|just (?:asking|curious))\W+)*"
    r"(?:can|could|may|might|do|does|is|are|will|should)\s+(?:(?:a|an|any|every|each|all|only|the|my|our|normal|ordinary)\s+)*"
    r"(?:[a-z]+\s+)?(?:people|staff|employees|viewers?|members?|admins?|administrators?|users?|guests?|owners?|customers?|companies|plans?)\s+"
    r"(?!be\b|please\b|get\b|have\b)[a-z]+",
    re.IGNORECASE,
)
_WONDERS = re.compile(
    r"^\W*(?>(?:and|but|so|or|ok|okay|hm+|wait|hold on|hang on|one (?:more )?(?:thing|question)|quick question|"
    r"before (?:that|i (?:say yes|agree|answer|decide|confirm))|just to be (?:sure|clear)|sorry|oh|ah|also|then|"
    r"by the way|btw|fair enough|alright|all right|[\w-]{2,20}(?=,))\W+)*+"
    r"(?:what(?! about| if)|which|when|where|why|who|whose|how(?! about)|is|are|isn't|aren't|was|were|does|do|don't|"
    r"did|has|had|will)\b"
    r"(?![^?]*\b(?:(?:can|could|would|may) (?:you|we|i)|please|pls|able|possible|mind|want)\b)[^.!?\n]*\?\W*$",
    re.IGNORECASE,
)
"""A question how something is, in one sentence. What leads to it is read one way only, or "and, and" never ends."""
_SUPPOSES = re.compile(
    r"^\W*(?:(?:hi|hey|hello|hej|hm+|so|and|also|ok|okay|(?:quick |one )?question|just (?:asking|curious))\W+)*"
    r"(?:say|suppose|supposing|assuming|assume|imagine|let'?s say|if|once)\s+(?:that )?"
    r"(?:i|we|one|somebody|someone|an? \w+|our \w+|my \w+)\b[^.!?]*?[,:]?\s"
    r"(?:would|do|does|will|is|are|what|how|when)\s(?:(?:happens?|much|long|many|soon)\b|"
    r"(?:would |do |does |will |is |are )?(?:i|we|it|they|there|that|the|our|my|one|his|her|their)\b)"
    r"(?! (?:be )?possible\b)[^.!?]*\?\W*$|"
    r"^\W*(?:(?:hi|hey|hello|hm+|so|and|also|ok|okay)\W+)*(?:if|suppose|say) (?:i|we|one|somebody|someone)\b[^.!?]*"
    r"\b(?:by (?:mistake|accident)|accidentally)\b[^.!?]*\?\W*$|"
    r"^\W*(?:(?:hi|hey|hello|hm+|so|and|also|ok|okay)\W+)*what (?:happens )?if "
    r"(?:i|we|one|somebody|someone)\b[^.!?]*\?\W*$",
    re.IGNORECASE,
)
"""What would be if: a supposition and the question what follows from it, in one sentence."""


def asks_how_it_is(text: str) -> bool:
    """Whether a message asks what is so for anybody ("can a viewer invite people?") and for nothing to be done."""
    return _HOW_IT_IS.match(text.replace("’", "'")) is not None and len(re.findall(r"[.!?](?:\s|$)", text)) <= 1


def only_wonders(text: str) -> bool:
    """Whether a message asks how something is ("which card is it going to?") and for nothing to be done."""
    *before, last = [s for s in SENTENCE_END.split(text.strip().replace("’", "'")) if re.search(r"\w", s)] or [""]
    return _WONDERS.match(last) is not None and not any(map(asks, before))


_TERMS = re.compile(
    r"(?:^|[.!?;,\n])\W{0,8}(?:(?:and|so|or|but|then)\W{1,8})*do you (?:also |even |perhaps )*"
    r"(?:take|accept|support|allow|work with|deal with)\b[^.!?\n]*\?|"
    r"\b(?:can|could) (?:we|i|one) (?:also )?pay (?:you )?(?:also )?(?:by|with|via|through) "
    r"(?![^.!?\n]*\b(?:another|other|different|new|card)\b)[^.!?\n]*\?",
    re.IGNORECASE,
)
"""A question what the company takes or allows."""


def asks_terms(text: str) -> bool:
    """Whether a message asks what the company takes or allows ("do you accept bank transfers?")."""
    return _TERMS.search(text.replace("’", "'")) is not None


_HOW_TO = re.compile(r"\b(?:how|where) (?:do|can|could|would|should|might) (?:i|we|one)\b|\bhow to\b", re.IGNORECASE)


def asks_how_to(text: str) -> bool:
    """Whether a message asks how something is done by oneself ("how do I get her into the console?")."""
    return _HOW_TO.search(text) is not None


def supposes(text: str) -> bool:
    """Whether a message only asks what would be if ("say we gave up a seat, would we get money back?")."""
    sentences = [s for s in SENTENCE_END.split(text.replace("’", "'")) if s.strip()]
    asking = [s for s in sentences if asks(s)]
    return bool(asking) and all(_SUPPOSES.match(s) is not None for s in asking)


def questions_in(text: str) -> list[str]:
    """The questions of a text, each without what introduces it before a colon ("before I invite her: is it free?")."""
    questions = [piece.strip() for piece in SENTENCE_END.split(text) if piece.strip().endswith("?")]
    return [question.rsplit(": ", 1)[-1] for question in questions]


_CONCLUDES = re.compile(
    r"^\W*(?:(?:oh|ah|ok|okay|hm+|and|so|then|well)\W+)*(?:that|it|this)(?:'s| is|'d be| would be|'ll be| will be|"
    r" makes| would make| comes to| would come to)\b[^?.!\n]*\?\W*$",
    re.IGNORECASE,
)


def concludes(part: str) -> bool:
    """Whether a part of a message asks whether its writer has understood ("so that would be 24 instead of 30?")."""
    return _CONCLUDES.match(part.replace("’", "'")) is not None
