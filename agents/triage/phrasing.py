"""How a piece of a message is put: what it asks for, what it merely states, what it leans on."""

import re

_ASKS = re.compile(
    r"\?|^\W*(?:and |so |then |but )?(?:how|what|when|where|which|who|why|is there|are there|do|does)\b|"
    r"\b(?:please|pls|plz|(?:can|could) (?:you|we|i|he|she|they)|would (?:you|like)|will you|wants?|needs?|wish|"
    r"let me|let us|let'?s|(?:i'd|we'd)(?! (?:rather not|only|be|have been|had|never|not|miss|forgotten|"
    r"thought|expected|assumed|hoped|overlooked|misread|misunderstood|seen|lost|mixed|heard)\b)|must|should|shall|"
    r"kindly|(?:i|we) would|grateful|appreciate|"
    r"(?:is|are) (?:only|just) (?:meant|supposed) to|from now on)\b",
    re.IGNORECASE,
)
_FEARS = re.compile(
    r"\b(?:do not|don't|dont|didn't|never|not) (?:want|wish|need) to (?!keep|pay|renew|go on|continue|have|use|stay)",
    re.IGNORECASE,
)
"""What somebody would rather avoid ("we don't want to hit the limit"); "I don't want to pay for it" is a wish."""
_ORDERS = re.compile(
    r"(?:^|[.!?;:,\n][^\S\n]*|"
    r"\b(?:and|also|then|just|so|now|ok|okay|yes|great|right|fine|good|well|perfect) )(?:send|give|add|remove|cancel|"
    r"make|tell|put|reset|let|close|delete|open|switch|turn|change|set|move|upgrade|downgrade|unlock|show|take|refund|"
    r"book|create|stop|drop|raise|lower|restore|check|prepare|(?:e?-?mail|forward) (?:me|us|it|that|them|him|her))\b",
    re.IGNORECASE,
)
_STATES = re.compile(
    r"\b(am|is|are|was|were|isn't|aren't|wasn't|weren't|has|have|had|hasn't|haven't|got|did|didn't|used|use|uses|paid|"
    r"said|told|never|only|because|since)\b",
    re.IGNORECASE,
)
_ABOUT = re.compile(
    r"^\W*(?:(?:hi|hey|hello|hm+|well|so|and|but|because|since|as|oh|ah|och|ach|oops|right|ok|okay)\W+)*"
    r"(?:i|we|there|our|my|the|this|that|these|those|it|they|he|she|their|his|her|nobody|everybody|someone|somebody)\b",
    re.IGNORECASE,
)
_BUSY = re.compile(
    r"^\W*(?:(?:hi|hey|hello|so|and|just|currently|still|only|here)\W+)*(?:reconciling|checking|sorting|reviewing|tidying|"
    r"working|sitting|doing|catching up|going (?:through|over))\b",
    re.IGNORECASE,
)
"""What the writer is at while they write."""
SENTENCE_END = re.compile(r"(?<=[.!?;])\s+|\n+")
_LEANS = re.compile(
    r"\b(?<!you call )(?<!they call )(?<!we call )(?:it|them|yours|theirs)\b|"
    r"\b(?:that|this|those|these)\b(?=\s*(?:$|[.,;!?]|(?:too|also|for|as|in|on|to|please|now|from|with)\b))|"
    r"\b(?:an?|the) (?:small|smaller|big|bigger|large|larger|medium|cheap|cheaper|simple|normal) one\b|"
    r"\bthe (?:new|old|same|next|last|previous) ones?\b|\b(?:an?|another) copy\b(?! (?:of|from|for)\b)|"
    r"\bthe (?:one|two|three|four|five|six|others?|ones|rest)\b(?=\s*(?:$|[.,;!?]|(?:that|which|who|nobody|no one)\b))",
    re.IGNORECASE,
)
"""A word that stands for what was said before."""
_PROPOSES = re.compile(
    r"(?:^|[.!?,;\n])\W{0,8}(?:(?:ah|oh|ok|okay|well|so|and|but|hm+|then|right)\W{1,8})*(?:what|how) about "
    r"(?:the |our |just |only )?[\w'-]+(?: \w+){0,2}\W*$|"
    r"^\W{0,8}(?:(?:no|sorry|ah|oh|wait)\W{1,8})*not [\w'-]+\s*[,.;!]|"
    r"(?:^|[.!?\n])\W{0,8}(?:(?:ok|okay|well|so|and|but|right|ah|oh)\W{1,8})*then (?:just |only |please |take |do )*"
    r"(?:those|these|the) (?:two|three|four|five|six|ones?|\d{1,2})\b",
    re.IGNORECASE,
)
"""Another value for what was spoken of, and no wish of its own ("and what about Team?", "then those two")."""


def proposes_another(text: str) -> bool:
    """Whether a message proposes another value for what was spoken of."""
    return _PROPOSES.search(text.replace("’", "'")) is not None


def merely_states(text: str) -> bool:
    """Whether a part of a message tells how things are ("two seats were used for a week") and asks for nothing."""
    plain = _FEARS.sub(" ", text.replace("’", "'"))
    states = _STATES.search(plain) is not None or any(told.match(plain) for told in (_ABOUT, _BUSY))
    return states and _ASKS.search(plain) is None


def names_only(piece: str) -> bool:
    """Whether a piece of a sentence only names something ("just a database"): it tells nothing and asks for nothing."""
    return not asks(piece) and _STATES.search(piece) is None and _ABOUT.match(piece) is None


def asks(text: str) -> bool:
    """Whether a text asks for something, in a question, a wish or an order."""
    plain = _FEARS.sub(" ", text.replace("’", "'"))
    return _ASKS.search(plain) is not None or _ORDERS.search(plain) is not None


_TO_BE_DONE = re.compile(
    r"(?<!nothing )(?<!nothing that )\b(?:has|have|needs?|must|ought)(?: still)?(?: to)? (?:be|get) "
    r"(?:\w+ed|\w+en|done|sent|paid|put|made|set|cut)\b|"
    r"\b(?:it|that|this|the \w+) (?:(?:has|needs) to|must|should) (?:say|show|state|read|carry|include|contain)\b",
    re.IGNORECASE,
)


def to_be_done(text: str) -> bool:
    """Whether a text says what has to be done yet ("it has to be filled in and signed on your side")."""
    return _TO_BE_DONE.search(text) is not None


def leans(text: str) -> bool:
    """Whether a text has a word that stands for what was said before."""
    return _LEANS.search(text) is not None


_DONE_BEFORE = re.compile(
    r"\b(?:i|we|he|she|they|somebody|someone|you) (?:(?:have|had|did|just|already|only|then|all)\s+){0,2}"
    r"(?:added|bought|ordered|booked|changed|moved|upgraded|downgraded|removed|cancell?ed|deleted|paid|switched|got|"
    r"took|hired)\b",
    re.IGNORECASE,
)


def tells_of_past(part: str) -> bool:
    """Whether a part of a message tells what was done before ("ah right, we added people"), and asks for nothing."""
    return _DONE_BEFORE.search(part.replace("’", "'")) is not None and not asks(part)


_POINTS_BACK = re.compile(
    r"\b(?:for|of|on|about) (?:those|these|that|this|it|them)\b(?! (?:month|year|week|reason|purpose)\b)", re.IGNORECASE
)


def points_back(text: str) -> bool:
    """Whether a request is about what was told before it ("what we paid for those two")."""
    return _POINTS_BACK.search(text) is not None


_BEGS = re.compile(
    r"\b(?:can|could|would|will)(?:'?t|n't)? you (?:please |also |maybe |just )*(?:send|give|add|remove|cancel|make|"
    r"put|reset|delete|change|set|move|refund|create|unlock|restore|prepare|get|return|raise|lift|extend|increase|redo|"
    r"reissue|issue)\b",
    re.IGNORECASE,
)
_ANOTHER_OF_IT = re.compile(
    r"\b(?:prepare|send|make|create|order|book|take|add|do|(?:give|get|send|make) (?:us|me)) (?:one|some)\b"
    r"(?! (?:more|of)\b)",
    re.IGNORECASE,
)


def leans_on_last(text: str) -> bool:
    """Whether a request stands on what was spoken of last ("then prepare one", "send it to me")."""
    return leans(text) or _ANOTHER_OF_IT.search(text) is not None


def orders(text: str) -> bool:
    """Whether a text wants something done ("could you send me that one"), and does not only ask how things are."""
    return _ORDERS.search(text) is not None or _BEGS.search(text) is not None
