"""Reading what is taken back: a request no longer wanted, what shall be undone, and what stays as it is."""

import re

from agents.consent import NO, REFUSAL, TAKES_BACK, declines, leans_to_yes, requests, rules_out
from agents.triage.phrasing import asks

_UNDOES_CHANGE = re.compile(
    r"\b(?<!not )(?<!n't )(?:undo|revert|reverse|revoke|withdraw|rescind|take back|call off) "
    r"(?:the|our|my|that|this|his|her) (?:\w+ )?(?:cancell?ation|termination|notice|deletion|removal|"
    r"downgrade|upgrade|change|switch|role|export)\b",
    re.IGNORECASE,
)
_TAKES_BACK_CHANGE = re.compile(
    r"\b(?:take|call) (?:the|our|my|that|this) (?:\w+ )?(?:cancell?ation|termination|notice|downgrade|upgrade) "
    r"(?:back|off)\b",
    re.IGNORECASE,
)
_STOPS_CHANGE = re.compile(
    r"\b(?:stop|halt|cancel) (?:the|our|my|that|this) (?:\w+ )?(?:cancell?ation|termination)\b", re.IGNORECASE
)
_UNDOES = re.compile(
    r"^\W*(?:(?:oh|no|sorry|wait|hm+|ah|please|pls|ok|damn|oops|hang on|can you|could you|i need you to|we need to|"
    r"actually)\W+)*"
    r"(?:undo|revert|reverse|roll back|take back|put back|turn back) "
    r"(?:that|this|it|the (?:last|change)|everything|both)\b|"
    r"^\W*(?:(?:oh|no|sorry|wait|please|pls|ok|can you|could you)\W+)*(?:change|put|turn|set|switch) (?:it|that|this|"
    r"everything) back\b",
    re.IGNORECASE,
)


def undoes_change(text: str) -> bool:
    """Whether a message wants undone what it calls by its name ("can you undo the cancellation")."""
    said = text.replace("’", "'")
    return asks(said) and any(way.search(said) for way in (_UNDOES_CHANGE, _TAKES_BACK_CHANGE, _STOPS_CHANGE))


def undoes(text: str) -> bool:
    """Whether a message wants undone what was done last ("undo that please")."""
    return _UNDOES.search(text.replace("’", "'")) is not None and len(text.split()) <= DROP_WORDS


_DROP = re.compile(
    rf"\b({TAKES_BACK}|doesn'?t matter|nothing (needs|has) to be done|leave (everything|all) (as|like|how) it is|"
    r"(?<![a-z] )do nothing|(please|just|then) do nothing|we keep (it|them|those|these|both|all of them|everything)|"
    r"stop this|"
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
_NONE_PLEASE = re.compile(
    r"\W*(?:so |then |and )?no \w+(?: \w+)?,? (?:please|then|needed|any ?more)\W*$", re.IGNORECASE
)
"""What there shall be none of ("No cancellation please"): that asks for nothing."""
_NEEDS_IT = re.compile(r"\b(?:need|want)s? (?:it|them|that|this|him|her)\b", re.IGNORECASE)
"""Why a request is taken back ("we need it for the new season"), and no request."""
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
    if _NEEDLESS.match(said) is not None:
        return True
    first, *after = sentences = [s for s in re.split(r"(?<=[.!?])\s+|\n+", said) if re.search(r"\w", s)] or [""]
    others = [_NEEDS_IT.sub(" ", sentence) for sentence in after if not _NONE_PLEASE.match(sentence)]
    goes_on = _DROP.search(first) is not None and any(map(asks, others))
    if _DROP.search(said) is not None and len(said.split()) <= DROP_WORDS and not goes_on:
        return True
    opening = _DROP.match(_SIGH.sub("", first))
    if opening is None and len(first.split()) <= SHORT_SENTENCE and not leans_to_yes(first):
        opening = _DROP.search(first)
    if opening is not None and not goes_on:
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


STEM = 6
"""Letters by which a word is told from others, whatever it ends in."""
_PAUSES = re.compile(r"\b(wait|hold (on|off)|not (now|yet))\b", re.IGNORECASE)


def denies(text: str, matter: str) -> bool:
    """Whether a message says that it is not about a matter ("it isn't the invoices"). `matter`: what that is called."""
    words = [word.rstrip("s") for word in re.findall(r"[a-z]{4,}", matter.lower())]
    said = text.lower().replace("’", "'")
    return any(
        re.search(rf"\b(?:not|isn't|aren't|wasn't) (?:about )?(?:the |an? |our |my )?{word}", said) for word in words
    )


def speaks_of(text: str, matter: str) -> bool:
    """Whether a text has a word of what a matter is called ("the cancellation": cancel the subscription)."""
    stems = [word[:STEM] for word in re.findall(r"[a-z]{4,}", matter.lower())]
    return any(re.search(rf"\b{stem}", text.lower()) for stem in stems)


def takes_back(text: str) -> bool:
    """Whether the customer no longer wants what they agreed to, which has not been done yet."""
    said = text.strip().replace("’", "'")
    refuses = "?" not in said and len(said.split()) <= 14 and REFUSAL.search(said) is not None
    return drops_request(text) or ((declines(text) or refuses) and _PAUSES.search(said) is None)


def pauses(text: str) -> bool:
    """Whether the customer only wants what they agreed to held back for now."""
    return len(text.split()) <= 8 and _PAUSES.search(text) is not None and not drops_request(text)


_SETS_ASIDE = re.compile(
    r"\b(?:scratch|scrap|bin|park) (?:that|it|this)\b|"
    r"\bleave (?:the|our|my) \w+ (?:be|alone|as it is|as is)\b|"
    r"\b(?:leave|keep) (?:us|me|it|that|this|them|him|her|everything|things) "
    r"(?:all )?(?:where|as|how|like|running|going|the way)\b|"
    r"\bwe(?:'re|'ll| are| will| shall)? (?:(?:just|simply|then|rather|all) )?(?:stay|staying|remain|remaining) "
    r"(?:with|on|at|where|as|here|put)\b|\b(?:it'?s|that'?s|this is) (?:all )?off(?=\s*(?:[,.;!]|$|then\b))|"
    r"\b(?:they|those|these|both|all|the two|it|that|he|she) (?:all |both |simply |just |two |three |"
    r"ones )?(?:stays?|remains?) "
    r"(?:put|in place|"
    r"as (?:it|they|he|she)|where)\b|"
    r"\b(?:cancel|change|delete|remove|refund|send|book|do|add) nothing\b|\b(?:say|speak) no more (?:about|of) (?:it|"
    r"that|this)\b",
    re.IGNORECASE,
)
SHORT_SENTENCE = 6
"""Words of a sentence within a longer message that takes a request back ("We keep it.")."""
_PLAIN_NO = re.compile(
    r"\b(?:no|nope|nah|stop)(?=\s*(?:[,.;:!?\n)]|$|(?:wait|thanks?|till|until|not|don'?t|i|we|he|she|it|that|this|sorry|"
    r"please|way|longer)\b))|"
    r"\b(?:do not|don'?t) (?:do|cancel|delete|remove|refund|change|upgrade|downgrade|send|add|create|reset|unlock|"
    r"touch|restore|start|end|close|book)\b(?! (?:it|them|that|this|the \w+) to\b)|"
    r"\bstop (?:everything|it|this|that|all)\b|\b(?:i|we)(?:'d| would) rather\b|\bnot that\b",
    re.IGNORECASE,
)
_NO_HURRY = re.compile(
    r"\bno (?:rush|hurry|worries|problem|problems|stress|pressure|need to hurry|issue)\b|\bnot urgent\b",
    re.IGNORECASE,
)


def sets_aside(text: str) -> bool:
    """Whether a message says that things shall stay as they are ("no thank you, we stay where we are")."""
    said = text.replace("’", "'")
    return "?" not in said and _SETS_ASIDE.search(said) is not None and not requests(said)


def turns_down(text: str) -> bool:
    """Whether a message that neither accepts an offer nor gives it another value is a no in many words.

    Generous on purpose: what is taken for a no changes nothing.
    """
    said = _NO_HURRY.sub(" ", text.replace("’", "'"))
    if "?" in said or pauses(said):
        return False
    sentences = [s for s in re.split(r"(?<=[.!?])\s+|\n+", said) if s.strip()]
    if leans_to_yes(said):  # a yes is taken back only in plain words, at the end
        return len(sentences) > 1 and _SETS_ASIDE.search(sentences[-1]) is not None
    kept = any(_DROP.search(sentence) and len(sentence.split()) <= SHORT_SENTENCE for sentence in sentences)
    return kept or takes_back(said) or any(no.search(said) for no in (_SETS_ASIDE, _PLAIN_NO))


def casts_doubt(text: str) -> bool:
    """Whether a message may mean that what was agreed to is no longer wanted: asking again does less harm."""
    return takes_back(text) or rules_out(text) or NO.search(text.replace("’", "'")) is not None
