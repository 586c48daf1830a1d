"""Reading a yes: does the customer's message accept an offer, decline it, or say something else?

Strict on purpose. A yes with a condition, a changed figure or a question is no yes: it leads to a new offer.
"""

import re
from collections.abc import Collection
from typing import Literal

from agents.triage.phrasing import asks, orders
from agents.triage.questions import only_wonders

Answer = Literal["yes", "no", "other"]

_YES = re.compile(
    r"\b((?:fine|okay|ok|good|all right) (?:by|with) (?:me|us|that)|"
    r"(?:i'?m|we'?re) (?:good|fine|okay|ok|happy) with (?:that|it|this)|by all means|gladly|with pleasure|"
    r"suits (?:me|us)|"
    r"yes|yep|yeah|yea|ya|yup|sure|ok|okay|okey|k|affirmative|correct|confirm(ed)?|i confirm|agreed?|absolutely|"
    r"definitely|certainly|of course|exactly|right|perfect|great|fine|sounds good|looks good|that works|works for me|"
    r"that'?s (right|fine|correct|ok|okay|it|good|the one)|please do|pls do|do it|do that|do so|do both|go ahead|"
    r"go for it|proceed|make it so|yes please|let'?s do (it|that|this)|i accept|accepted?|i agree|i would|i do|"
    r"please go|both)\b|(?:^|[,.!;] )go on(?: then)?(?=\W*$|[,.!;])|👍|✅",
    re.IGNORECASE,
)
NO = re.compile(
    r"\b(no|nope|nah|not now|not yet|never ?mind|don'?t|do not|dont|stop|leave it|forget (it|that)|"
    r"(please )?cancel that|hold on|hold off|wait|rather not|i'?d rather not|negative|no way|changed my mind|"
    r"decline)\b",
    re.IGNORECASE,
)
_EMPHATIC_NO = re.compile(
    r"\b(?:absolutely|certainly|definitely|of course|sure|obviously|surely|rather|better|really|thanks?,?) not\b"
    r"(?! (?:a|the|to|that|for)\b)|\b(?:by no means|under no circumstances|not at all|not really|no chance|"
    r"not a chance)\b",
    re.IGNORECASE,
)
_ONLY_NO = re.compile(
    r"\W*(?:(?:oh|ah|well|then|so|sorry|hm+|thanks|but)\W+)*(?:no|nope|nah)"
    r"(?:,? (?:thanks|thank you|sorry|way|then))*\W*"
)
"""A sentence that is a no and nothing else, whatever stands in the others."""
_PRAISE = re.compile(
    r"\b(?:right|perfect|great|fine|correct|exactly|certainly|definitely|of course|i would|i do|k|both|ya)\b",
    re.IGNORECASE,
)
"""Words that are a yes alone, and something else in a sentence ("great service")."""
TAKES_BACK = (
    r"never ?mind|nvm|nevermind|forget (?:it|about it|that|i (?:asked|said|wrote)|what i \w+|"
    r"(?:my|the|this) (?:question|request|message|mail))|"
    r"leave it(?! (?:to|at|with|on|in|running)\b)|(?:i )?changed my mind|don'?t bother(?! with\b| to\b)|drop it|"
    r"no longer needed|(?:skip|scrap) (?:it|that|this)"
)
REFUSAL = re.compile(
    rf"\b({TAKES_BACK}|no thanks?|no thank you|hold off|not now|not yet|i'?d rather not|let'?s not|"
    r"no,? (please )?don'?t|(do not|don'?t|dont) (do|cancel|delete|remove|refund|change|upgrade|downgrade|send|add|"
    r"create|reset|unlock|touch|restore|start) (it|that|this|anything|any|them|him|her|me|us)(?! to\b))"
    r"\b",
    re.IGNORECASE,
)
"""Wordings that refuse an offer however much is said around them."""
_CONDITION = re.compile(
    r"\b(but|only|instead|except|unless|if|actually|rather|other|another|different|not|wrong|after|before|until|first|"
    r"also|and then|half|more|less|what|which|why|how|when|who|"
    # what puts off, or is still to be settled
    r"later|tomorrow|tonight|soon|next(?! to\b)|some ?day|weekend|(?:mon|tues|wednes|thurs|fri|satur|sun)day|maybe|"
    r"perhaps|possibly|probably|ask|asking|think about|consider|discuss|check|wonder|boss|"
    # what only takes note
    r"(?:i|we)(?:'ve| have)? (?:seen|read|got|received|noted)|"
    # what is not understood
    r"understand|follow|confus\w*|unsure|nothing|none|neither|too)\b|\?",
    re.IGNORECASE,
)
_PAUSES = re.compile(r"\b(?:wait|hold on|hold off|stop)\b", re.IGNORECASE)
_PAUSES_TO_ASK = re.compile(
    r"\W*(?:(?:oh|ah|hm+|ok|okay|sorry|yes|yeah)\W+)*\b(?:wait|hold on|hold off)\b[^.!?\n]*\?\W*", re.IGNORECASE
)
"""A question, after words that hold the answer back and are no answer themselves."""
_NO_REFUSAL = re.compile(
    # what there shall be none of
    r"\bno (?:more )?(?:\w+ )?(?:bills?|invoices?|payments?|charges?|fees?|debits?)\b|"
    # what is only ruled out beside the offer: "no no, nothing else, only the card"
    r"\b(?:no,? ?)+(?:that'?s all|nothing else|nothing more),?\s+(?=only\b|just\b)|"
    # what the writer fears
    r"\b(?:i|we) (?:really |just )?(?:don'?t|do not|dont) want (?:it|that|this|them|any\w+|every\w+|the \w+) to\b|"
    # what tells how things are
    r"\b(?:i|we|you|they|he|she|it) (?:really |still )?(?:don'?t|do not|dont) (?:owe|know|see|use|understand|remember|"
    r"have|get|recall|mind|work|pay)\b",
    re.IGNORECASE,
)
"""A no that refuses nothing, and is no yes either."""
_UNDERSTANDS = re.compile(
    r"\b(?:understood|i understand|i see|alright|all right|fair enough|in ordnung|grand|super|cool|well|oh|ah|"
    r"brilliant|lovely)\b",
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
    words = _EMPHATIC_NO.sub(" no ", text.strip().lower().replace("’", "'"))
    yes, no = _YES.search(words), NO.search(words)
    if yes and not no:
        rest = _YES.sub(" ", words)
        if _CONDITION.search(rest) or _foreign_figures(rest, offer):
            return "other"
        beside = len(_beside_yes(words, offer))
        return "yes" if beside == 0 or (beside <= 3 and _YES.search(_PRAISE.sub(" ", words))) else "other"
    if no and not yes:
        asked = _PAUSES_TO_ASK.fullmatch(words) is not None or (only_wonders(words) and words.endswith("?"))
        if asked and NO.search(_PAUSES.sub(" ", words)) is None:
            return "other"  # "wait, is Paris possible too?", "do we stop paying today?"
        if NO.search(_NO_REFUSAL.sub(" ", words)) is None:
            return "other"
        if _ANOTHER.search(words):
            return "other"
        if REFUSAL.search(words) and not re.search(r"\d", words):
            return "no"
        if any(map(_ONLY_NO.fullmatch, re.split(r"(?<=[.!?;])\s+(?!\d)|\n+", words))):
            return "no"
        rest = _FILLER.sub(" ", NO.sub(" ", words))
        return "other" if re.search(r"\d", rest) or len(re.findall(r"[\w']+", rest)) > 8 else "no"
    if re.fullmatch(r"y+|j", words):
        return "yes"
    if re.fullmatch(r"n+", words):
        return "no"
    return "other"


def says_more(text: str, offer: str) -> bool:
    """Whether a yes has words beside it that neither stand in the offer nor say nothing."""
    return bool(_beside_yes(text.strip().lower().replace("’", "'"), offer))


_TAKES_NOTE = re.compile(r"\b(?:i|we)(?:'ve| have)? (?:seen|read|got|received|noted)\b")
_ORDER_AT_LAST = re.compile(
    r"(?:(?:^|[.,;!?\n])\s*)(?:(?:then|so|ok|okay|and|yes|please|pls|just|now)\W+)*"
    r"(?P<verb>[a-z]+) (?:it|them|that|this|those|these)(?: (?:so|then|now|please|pls|like that))*\W*$"
)
_GENERAL_VERBS = frozenset({"do", "book", "arrange", "process", "execute"})
"""What may be said of anything that is offered."""


def orders_at_last(text: str, offer: str) -> bool:
    """Whether a message ends by ordering what is offered ("understood, we have a copy. Delete it.").

    Nothing before limits it, asks, or names another figure. The verb is the offer's own, or one for anything.
    """
    words = text.strip().lower().replace("’", "'")
    ordered = _ORDER_AT_LAST.search(words) if len(words.split()) <= REMARK_WORDS else None
    if ordered is None:
        return False
    own = re.findall(r"[a-z]+", offer.lower())[:1]
    before = _TAKES_NOTE.sub(" ", _UNDERSTANDS.sub(" ", _YES.sub(" ", words[: ordered.start()])))
    limits = any(sign.search(before) for sign in (_CONDITION, _LIMITS, NO)) or _foreign_figures(words, offer)
    return ordered["verb"] in {*own, *_GENERAL_VERBS} and not limits and not asks(before)


_TAKES_VALUE = re.compile(
    r"^\W*(?:(?:then|ok|okay|so|well|alright|all right|fine|right|good)\W+)*(?:(?:i|we)(?:'ll| will) )?"
    r"(?:(?:let'?s )?(?:take|use|go (?:with|for)|have)|make it) (?=\w)"
)


def takes_value(text: str, offer: str) -> bool:
    """Whether a short message takes something ("then take Frankfurt, go"), and neither limits it nor asks."""
    words = text.strip().lower().replace("’", "'")
    taken = _TAKES_VALUE.match(words)
    if taken is None or len(words.split()) > RESTATED:
        return False
    rest = words[taken.end() :]
    return not any(s.search(rest) for s in (_CONDITION, _LIMITS, NO)) and not _foreign_figures(rest, offer)


def _beside_yes(words: str, offer: str) -> list[str]:
    return [w for w in re.findall(r"[\w']+", _FILLER.sub(" ", _YES.sub(" ", words))) if w not in offer.lower()]


def restates(text: str, offer: str) -> bool:
    """Whether a message orders just what one offer says, in its words alone ("then please send me the link").

    It names no number, and nothing after "to" or "from" that does not stand so in the offer: an offer holds what is
    now beside what shall be.
    """
    words, offer = text.strip().lower().replace("’", "'"), offer.lower()
    terms = re.findall(r"[\w'-]+", offer)
    if not terms or any(sign.search(words) for sign in (_CONDITION, NO, _FIGURE)):
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


def orders_it(text: str, offer: str) -> bool:
    """Whether a message has the offer's own verb as an order, or says "only" before one of its words.

    "Please just cancel it", "nothing else, only the card": whatever stands beside, that is no refusal.
    """
    words, offer = text.lower().replace("’", "'"), offer.lower()
    terms = [term for term in re.findall(r"[\w'-]{3,}", offer) if not _FILLER.fullmatch(term)]
    if not terms:
        return False
    ordered = re.search(
        rf"(?:^|[,.;!]\s*|\b(?:then|so|please|pls|just|and|do)\s+){re.escape(terms[0])}\b(?! (?:nothing|no|neither)\b)",
        words,
    )
    only = re.findall(r"\b(?:only|just) (?:for )?(?:the |that |this |my |our )?([\w'-]{3,})", words)
    return (ordered is not None and not _RULES_IT_OUT.search(words[: ordered.start()][-12:])) or bool(
        set(only) & set(terms)
    )


_BARE_OBJECT = re.compile(
    r"\b(?:the|that|this|your) ([\w-]{3,})(?=\W*$|,? (?:then|please|pls|now|too|over|across|right away)\b)",
    re.IGNORECASE,
)


def names_what_is_offered(text: str, offer: str) -> bool:
    """Whether a part of a message asks for what is offered, by its bare name ("email me the link then")."""
    return bool({noun.lower() for noun in _BARE_OBJECT.findall(text)} & set(re.findall(r"[\w-]+", offer.lower())))


def requests(text: str) -> bool:
    """Whether a message has a "please" that asks for something to be done, not to be left."""
    return _PLEASE.search(text.replace("’", "'")) is not None


_PLEASE = re.compile(
    r"\b(?:please|pls|plz)\b,? (?!(?:don'?t|do not|do nothing|not|no|never|leave|keep|stop|wait|hold|let|nothing|"
    r"forget|ignore|"
    r"disregard|drop|skip|cancel (?:that|this|the request|my request)|change nothing|touch nothing|give me|"
    r"bear)\b)[a-z]+",
    re.IGNORECASE,
)
_RULES_IT_OUT = re.compile(r"(?:\bnot|n't|\bnever|\bno)\s*$", re.IGNORECASE)
_GOES_ON = re.compile(
    r"(?:(?<![.!;,\n])[.!;,\n]+\s*|\s+)(?=(?:and|also|plus|then|oh|while|could|can|after that|afterwards)\b)|"
    r"(?<=[.!;\n])\s+",
    re.IGNORECASE,
)
_LIMITS = re.compile(
    r"\b(?:but|only|instead|except|unless|if|not|no|none|"
    r"never(?! (?:\w+ )?(?:showed|shown|came|arrived|got|reached|received|turned|appeared)\b)|"
    r"wait|rather|before|until|first|half|less|fewer|cheaper|wrong|"
    r"however|though|actually|hold|stop|later|when|whether|ask|check|think|what|which|why|how|who|where)\b|n't\b|(?<!\w)\d",
    re.IGNORECASE,
)
"""Words after a yes that may limit it, put it off, or ask."""
_TURNS = re.compile(
    r"\b(?:but|only|instead|except|unless|if|wait|hold|stop|rather|however|actually|before)\b", re.IGNORECASE
)
"""The same anywhere after a yes."""
_STRONG_YES = re.compile(
    r"\b(?:yes|yep|yeah|yea|yup|sure|please do|pls do|do (?:it|that|so|both)|go ahead|go for it|proceed|make it so|"
    r"i confirm|confirmed|i accept|i agree|agreed|absolutely|let'?s do (?:it|that|this))\b",
    re.IGNORECASE,
)
"""A yes that cannot only take note of what was said."""
_REQUEST = re.compile(r"\b(?:can|could|would|will) you\b", re.IGNORECASE)
THE_SAME = re.compile(r"\b(?:same|too|as well|also|likewise|one for|another (?:one )?for|both)\b", re.IGNORECASE)
"""Words by which what was offered is wanted once more, for another record."""
YES_WORDS = 8
"""Words up to which what stands before something else is a yes."""


def after_yes(text: str, offer: str) -> str:
    """What is asked for after a plain yes ("yes do. And the same for Kate"); empty where it may limit the yes."""
    words = text.strip().replace("’", "'")
    for cut in _GOES_ON.finditer(words):
        head, rest = words[: cut.start()].strip(), words[cut.end() :].strip()
        if len(head.split()) > YES_WORDS:
            break
        head = _UNDERSTANDS.sub(" ", head).strip(" ,.!")
        if rest and _STRONG_YES.match(head) and read_answer(head, offer) == "yes":
            first = re.split(r"(?<!\d)[,;.!]", rest, maxsplit=1)[0]
            doubtful = _LIMITS.search(first) or _TURNS.search(rest) or ("?" in rest and _REQUEST.search(rest) is None)
            return rest if not doubtful and (asks(rest) or THE_SAME.search(rest)) else ""
    return ""


def declines(text: str) -> bool:
    """Whether a message is a no to whatever was said before, where nothing was offered ("no, that's all")."""
    said = text.strip().replace("’", "'")
    begins = NO.match(said) or re.match(r"(?:i|we) (?:don'?t think so|think not|don'?t need anything)\b", said, re.I)
    return begins is not None and read_answer(said, "") == "no"


def rules_out(text: str) -> bool:
    """Whether a message says that what was offered shall not be done ("don't cancel", "something else instead")."""
    return re.search(r"\b(do not|don'?t|dont|instead|rather|not that)\b", text.replace("’", "'").lower()) is not None


def refuses_at_last(text: str) -> str | None:
    """What stands after a no that does not begin a message ("two will do. So no, don't add any. Thanks" -> "Thanks").

    None where no such sentence is there. The value before it belongs to why nothing is wanted.
    """
    sentences = [s for s in re.split(r"(?<=[.!?;])\s+|\n+", text.replace("’", "'")) if re.search(r"\w", s)]
    for place in range(len(sentences) - 1, 0, -1):
        sentence = sentences[place]
        if re.match(r"\W*(?:(?:so|then|and|but)\W+)*(?:no|nope)\b", sentence, re.I) or REFUSAL.search(sentence.lower()):
            return None if re.search(r"\d", sentence) else " ".join(sentences[place + 1 :])
    return None


def remarks_on_yes(text: str, offer: str) -> bool:
    """Whether a message is a plain yes with a remark beside it ("yes, that one, she is sitting next to me").

    Nothing in the remark limits the yes, asks, orders, or names another figure.
    """
    words = _UNDERSTANDS.sub(" ", text.strip().replace("’", "'")).strip(" ,.!")
    begins = _STRONG_YES.match(words)
    if begins is None or len(words.split()) > REMARK_WORDS or "?" in words:
        return False
    rest = words[begins.end() :]
    limits = any(sign.search(rest) for sign in (_CONDITION, _LIMITS, NO)) or _foreign_figures(rest, offer)
    return not limits and not asks(re.sub(r"^\W*(?:please|pls)\b", " ", _YES.sub(" ", rest)))


REMARK_WORDS = 16
"""Words up to which a message that begins with a yes may be only that, with a remark."""


def agrees_and_orders(text: str) -> bool:
    """Whether a sentence is a yes that goes on with an order ("right so. yes, mail me that link"), and none is a no."""
    said = text.replace("’", "'")
    sentences = [s.strip() for s in re.split(r"(?<=[.!?;])\s+|\n+", said)]
    yes = [(s, found) for s in sentences if (found := _STRONG_YES.match(s)) is not None]
    return NO.search(said) is None and any(orders(s[found.end() :]) for s, found in yes)


def leans_to_yes(text: str) -> bool:
    """Whether a message begins with a yes, whatever follows."""
    return _YES.match(text.strip().replace("’", "'")) is not None


def _foreign_figures(text: str, offer: str) -> bool:
    return bool(set(re.findall(r"\d+", text)) - set(re.findall(r"\d+", offer)))


def names_as_not_meant(text: str, subjects: Collection[str]) -> bool:
    """Whether a message says of one of these nouns that it is not what is meant ("no no, not the subscription")."""
    said = text.lower().replace("’", "'")
    nouns = "|".join(re.escape(noun.lower()) for noun in subjects)
    not_meant = (
        rf"\bnot (?:about )?(?:the|our|my) (?:whole |entire )?(?:{nouns})s?\b(?=\s*(?:[,.;!?\n]|$|but\b))|"
        rf"\bthe (?:\w+ )?(?:{nouns})s?,? no\b(?=\s*(?:[,.;!?\n]|$))"
    )
    return bool(nouns) and re.search(not_meant, said) is not None


_PRICE = re.compile(
    r"\b(?:how much|what (?:does|do|would|will|did) (?:it|that|this|they|those|these) (?:all )?cost|"
    r"what (?:is|was|would be) the (?:price|cost|total|sum)|what'?s the (?:price|cost|total|sum)|"
    r"(?:is|was) (?:it|that|this) (?:the price |the total )?(?:per|a|each|every) (?:month|year|seat|user)|"
    r"what price|at what cost|cost(?:s|ing)? (?:me|us)?)\b",
    re.IGNORECASE,
)
PRICE_WORDS = 12
"""Words up to which a question is about nothing but what the offered thing costs."""


_AMOUNT = re.compile(r"\d[.,]\d\d [A-Z]{3}\b")


def asks_price(text: str, offer: str) -> bool:
    """Whether a message asks for the price of what is offered ("how much is that a month?"), and the offer says it."""
    said = text.replace("’", "'")
    asked = len(said.split()) <= PRICE_WORDS and _PRICE.search(said) is not None and asks(said)
    return asked and _AMOUNT.search(offer) is not None
