"""Reading a yes: does the customer's message accept an offer, decline it, or say something else?

Strict on purpose. A yes with a condition, a changed figure or a question is no yes: it leads to a new offer.
"""

import re
from typing import Literal

from agents.triage.phrasing import asks

Answer = Literal["yes", "no", "other"]

_YES = re.compile(
    r"\b(yes|yep|yeah|yea|ya|yup|sure|ok|okay|okey|k|affirmative|correct|confirm(ed)?|i confirm|agreed?|absolutely|"
    r"definitely|certainly|of course|exactly|right|perfect|great|fine|sounds good|looks good|that works|works for me|"
    r"that'?s (right|fine|correct|ok|okay|it|good|the one)|please do|pls do|do it|do that|do so|do both|go ahead|"
    r"go for it|proceed|make it so|yes please|let'?s do (it|that|this)|i accept|accepted?|i agree|i would|i do|"
    r"please go|both)\b|👍|✅",
    re.IGNORECASE,
)
_NO = re.compile(
    r"\b(no|nope|nah|not now|not yet|never ?mind|don'?t|do not|dont|stop|leave it|forget (it|that)|"
    r"(please )?cancel that|hold on|hold off|wait|rather not|i'?d rather not|negative|no way|changed my mind|"
    r"decline)\b",
    re.IGNORECASE,
)
_TAKES_BACK = (
    r"never ?mind|nvm|nevermind|forget (?:it|about it|that|i (?:asked|said|wrote)|what i \w+|"
    r"(?:my|the|this) (?:question|request|message|mail))|"
    r"leave it(?! (?:to|at|with|on|in|running)\b)|(?:i )?changed my mind|don'?t bother(?! with\b| to\b)|drop it|"
    r"no longer needed"
)
_REFUSAL = re.compile(
    rf"\b({_TAKES_BACK}|no thanks?|no thank you|hold off|not now|not yet|skip (it|that)|i'?d rather not|let'?s not|"
    r"no,? (please )?don'?t|(do not|don'?t|dont) (do|cancel|delete|remove|refund|change|upgrade|downgrade|send|add|"
    r"create|reset|unlock|touch|restore|start) (it|that|this|anything|them|him|her|me|us))\b",
    re.IGNORECASE,
)
"""Wordings that refuse an offer however much is said around them."""
_CONDITION = re.compile(
    r"\b(but|only|instead|except|unless|if|actually|rather|other|another|different|not|wrong|after|before|until|first|"
    r"also|and then|half|more|less|what|which|why|how|when|who)\b|\?",
    re.IGNORECASE,
)
_NO_REFUSAL = re.compile(
    # what there shall be none of
    r"\bno (?:more )?(?:\w+ )?(?:bills?|invoices?|payments?|charges?|fees?|debits?)\b|"
    # what is only ruled out beside the offer: "no no, nothing else, only the card"
    r"\b(?:no,? ?)+(?:that'?s all|nothing else|nothing more),?\s+(?=only\b|just\b)|"
    # what tells how things are
    r"\b(?:i|we|you|they|he|she|it) (?:really |still )?(?:don'?t|do not|dont) (?:owe|know|see|use|understand|remember|"
    r"have|get|recall|mind|work|pay)\b",
    re.IGNORECASE,
)
"""A no that refuses nothing, and is no yes either."""
_UNDERSTANDS = re.compile(
    r"\b(?:understood|i understand|i see|alright|all right|grand|super|cool|well|oh|ah|brilliant|lovely)\b",
    re.IGNORECASE,
)
_FIGURE = re.compile(r"(?<![\w-])\d")
_PLACED = re.compile(r"\b(to|from|into|as) (?:the |an? )?([\w'@.-]+)")
RESTATED = 16
"""Words of a message that says again what is offered."""
_ANOTHER = re.compile(r"\b(other|another|different|instead|meant|mean)\b", re.IGNORECASE)
_FILLER = re.compile(
    r"\b(please|pls|plz|thanks?|thank you|thx|ty|cheers|mate|now|asap|quickly|then|that|it|this|the|for me|just|so|"
    r"very|much|good|i|you|can|will|would|that would be|be|is|to|with|my|me|a|of|all|them|do|and|want|go|ahead|like|"
    r"have|your|on|in)\b",
    re.IGNORECASE,
)


def read_answer(text: str, offer: str) -> Answer:
    """Whether `text` accepts (`yes`), declines (`no`) or does neither to the offer whose wording is `offer`."""
    words = text.strip().lower().replace("’", "'")
    yes, no = _YES.search(words), _NO.search(words)
    if yes and not no:
        rest = _YES.sub(" ", words)
        if _CONDITION.search(rest) or _foreign_figures(rest, offer):
            return "other"
        unexplained = [w for w in re.findall(r"[\w']+", _FILLER.sub(" ", rest)) if w not in offer.lower()]
        return "yes" if len(unexplained) <= 3 else "other"
    if no and not yes:
        if _NO.search(_NO_REFUSAL.sub(" ", words)) is None:
            return "other"
        if _ANOTHER.search(words):
            return "other"
        if _REFUSAL.search(words) and not re.search(r"\d", words):
            return "no"
        rest = _FILLER.sub(" ", _NO.sub(" ", words))
        return "other" if re.search(r"\d", rest) or len(re.findall(r"[\w']+", rest)) > 8 else "no"
    if re.fullmatch(r"y+|j", words):
        return "yes"
    if re.fullmatch(r"n+", words):
        return "no"
    return "other"


def restates(text: str, offer: str) -> bool:
    """Whether a message orders just what one offer says, in its words alone ("then please send me the link").

    It names no number, and nothing after "to" or "from" that does not stand so in the offer: an offer holds what is
    now beside what shall be.
    """
    words, offer = text.strip().lower().replace("’", "'"), offer.lower()
    terms = re.findall(r"[\w'-]+", offer)
    if not terms or any(sign.search(words) for sign in (_CONDITION, _NO, _FIGURE)):
        return False
    if any(
        re.search(rf"\b{leads} (?:the |an? )?{re.escape(place)}\b", offer) is None
        for leads, place in _PLACED.findall(words)
    ):
        return False
    verb = re.escape(terms[0])
    if not re.search(rf"(?:^|[,.;!]\s*|\b(?:then|so|please|pls|just|and)\s+){verb}\b", words):
        return False
    said = re.findall(r"[\w'-]+", _FILLER.sub(" ", _YES.sub(" ", _UNDERSTANDS.sub(" ", words))))
    return 1 < len(words.split()) <= RESTATED and set(said) <= set(terms)


def declines(text: str) -> bool:
    """Whether a message is a no to whatever was said before, where nothing was offered ("no, that's all")."""
    said = text.strip().replace("’", "'")
    begins = _NO.match(said) or re.match(r"(?:i|we) (?:don'?t think so|think not|don'?t need anything)\b", said, re.I)
    return begins is not None and read_answer(said, "") == "no"


def rules_out(text: str) -> bool:
    """Whether a message says that what was offered shall not be done ("don't cancel", "something else instead")."""
    return re.search(r"\b(do not|don'?t|dont|instead|rather|not that)\b", text.replace("’", "'").lower()) is not None


def leans_to_yes(text: str) -> bool:
    """Whether a message begins with a yes, whatever follows."""
    return _YES.match(text.strip().replace("’", "'")) is not None


def _foreign_figures(text: str, offer: str) -> bool:
    return bool(set(re.findall(r"\d+", text)) - set(re.findall(r"\d+", offer)))


_DROP = re.compile(
    rf"\b({_TAKES_BACK}|doesn'?t matter|nothing (needs|has) to be done|leave (everything|all) as it is|"
    r"(?<![a-z] )do nothing|(please|just|then) do nothing|we keep (it|everything)|stop this|"
    r"cancel (this|that|the request|my request))\b",
    re.IGNORECASE,
)
_SIGH = re.compile(
    r"^(?:(?:lol|haha|oh|ah|ok|okay|sorry|hm+|well|hi|hey|actually|um|uh|then|so|"
    r"i see|we|i'd|i|let'?s|let us|please)\b\W*)*",
    re.IGNORECASE,
)
DROP_WORDS = 12
"""Words up to which a message, or the first sentence of one that begins so, takes a request back."""
LAST_WORDS = 18
"""The same for a last sentence after others."""
_NEEDLESS = re.compile(
    r"(?:(?:hi|hey|hello|sorry|ok|okay|actually|all good|update|oh)\W+)*"
    r"(?:there(?:'s| is) )?no (?:longer any )?need (?:any ?more )?"
    r"(?:to do anything|for (?:anything|that|it)|any ?more)\b",
    re.IGNORECASE,
)


def drops_request(text: str) -> bool:
    """Whether the customer takes back what they asked for."""
    said = text.strip().replace("’", "'")
    if _NEEDLESS.match(said) is not None or (_DROP.search(said) is not None and len(said.split()) <= DROP_WORDS):
        return True
    first, *after = sentences = [s for s in re.split(r"(?<=[.!?])\s+|\n+", said) if re.search(r"\w", s)] or [""]
    opening = _DROP.match(_SIGH.sub("", first))
    if opening is not None and not any(map(asks, after)):
        told = _SIGH.sub("", first)[opening.end() :]
        if len(first.split()) <= DROP_WORDS or (re.match(r"\s*[,;:-]", told) and not asks(told)):
            return True
    *before, last = sentences
    return (
        _DROP.match(_SIGH.sub("", last)) is not None and len(last.split()) <= LAST_WORDS and not any(map(asks, before))
    )


def begins_by_dropping(text: str) -> bool:
    """Whether the very first words take a request back ("nvm, we found it")."""
    return _DROP.match(_SIGH.sub("", text.strip().replace("’", "'"))) is not None


_PAUSES = re.compile(r"\b(wait|hold (on|off)|not (now|yet))\b", re.IGNORECASE)


def denies(text: str, matter: str) -> bool:
    """Whether a message says that it is not about a matter ("it isn't the invoices"). `matter`: what that is called."""
    words = [word.rstrip("s") for word in re.findall(r"[a-z]{4,}", matter.lower())]
    said = text.lower().replace("’", "'")
    return any(
        re.search(rf"\b(?:not|isn't|aren't|wasn't) (?:about )?(?:the |an? |our |my )?{word}", said) for word in words
    )


def takes_back(text: str) -> bool:
    """Whether the customer no longer wants what they agreed to, which has not been done yet."""
    said = text.strip().replace("’", "'")
    refuses = "?" not in said and len(said.split()) <= 14 and _REFUSAL.search(said) is not None
    return drops_request(text) or ((declines(text) or refuses) and _PAUSES.search(said) is None)


def pauses(text: str) -> bool:
    """Whether the customer only wants what they agreed to held back for now."""
    return len(text.split()) <= 8 and _PAUSES.search(text) is not None and not drops_request(text)


_SETS_ASIDE = re.compile(
    r"\b(?:scratch|scrap|bin|park) (?:that|it|this)\b|"
    r"\bleave (?:the|our|my) \w+ (?:be|alone|as it is|as is)\b|"
    r"\b(?:leave|keep) (?:us|me|it|that|this|them|everything|things) (?:all )?(?:where|as|how|running|going|the way)\b",
    re.IGNORECASE,
)
SHORT_SENTENCE = 6
"""Words of a sentence within a longer message that takes a request back ("We keep it.")."""
_PLAIN_NO = re.compile(
    r"\b(?:no|nope|nah|stop)(?=\s*(?:[,.;:!?\n)]|$|(?:wait|thanks?|till|until|not|don'?t|i|we|he|she|it|that|this|sorry|"
    r"please|way|longer)\b))|"
    r"\b(?:do not|don'?t) (?:do|cancel|delete|remove|refund|change|upgrade|downgrade|send|add|create|reset|unlock|"
    r"touch|restore|start|end|close|book)\b|"
    r"\bstop (?:everything|it|this|that|all)\b|\b(?:i|we)(?:'d| would) rather\b|\bnot that\b",
    re.IGNORECASE,
)
_NO_HURRY = re.compile(
    r"\bno (?:rush|hurry|worries|problem|problems|stress|pressure|need to hurry|issue)\b|\bnot urgent\b",
    re.IGNORECASE,
)


def turns_down(text: str) -> bool:
    """Whether a message that neither accepts an offer nor gives it another value is a no in many words.

    Generous on purpose: what is taken for a no changes nothing.
    """
    said = _NO_HURRY.sub(" ", text.replace("’", "'"))
    if "?" in said or leans_to_yes(said) or pauses(said):
        return False
    sentences = re.split(r"(?<=[.!?])\s+|\n+", said)
    kept = any(_DROP.search(sentence) and len(sentence.split()) <= SHORT_SENTENCE for sentence in sentences)
    return kept or takes_back(said) or any(no.search(said) for no in (_SETS_ASIDE, _PLAIN_NO))


def casts_doubt(text: str) -> bool:
    """Whether a message may mean that what was agreed to is no longer wanted: asking again does less harm."""
    return takes_back(text) or rules_out(text) or _NO.search(text.replace("’", "'")) is not None
