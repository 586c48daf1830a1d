"""How a message is put: what it asks for, what it merely states, what it rules out, and where one request may end."""

import re
from itertools import islice

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
    r"book|create|stop|drop|raise|lower|restore|check|prepare)\b",
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
_RULED_OUT = re.compile(
    r"(?:^|[,;.!?\n(]|\b(?:so|because)\b)[^\w\n]{0,12}"
    r"(?:(?:and|but|so|please|pls|hold on|wait|no|ok|okay|actually|then|there(?:'s| is))\W{1,8})*(?:"
    r"leave (?:the|our|my) \w+(?: (?:then|for now|out|alone|be|as it is))+(?=\s*(?:[.,;!?\n]|$))|"
    r"no need (?:to (?!pay|keep)|for (?!(?:her|his|their|that|those|it|them)\b))|"
    r"(?:an?|the|no) (?:bigger|smaller|larger|higher|lower|dearer|other|new) \w+ "
    r"(?:makes no sense|is (?:no|not an) option|is out of the question|is too (?:dear|expensive|much|big)|"
    r"(?:isn'?t|is not) worth \w+)|"
    r"no (?:bigger|smaller|larger|higher|dearer) \w+|"
    r"(?:i|we) (?:do not|don't|won't|will not) (?:cancel|delete|remove|change|upgrade|downgrade|move|switch|"
    r"export|leave)|no (?:copy|change|refund|action) (?:is )?(?:needed|necessary|required)|"
    r"(?:no|not an?|without) (?:complaints?|hard feelings|offen[cs]e|harm done|drama|panic|threat|emergency)|"
    r"(?:do not|don't|dont|never|not)\s+(?:cancel|delet|remov|refund|chang|upgrad|downgrad|send|sent|add|creat|reset|"
    r"unlock|touch|reduc|cut|drop|increas|export|restor|expla|switch|move|moving|issu|modif|alter|put|book|charg)\w*|"
    r"(?:i|we) (?:do not|don't|dont) (?:(?:want|wish|need) to (?:see|get|receive|hear|have)|(?:want|need) (?:"
    r"(?:an?|another|any|more|help|explanations?) (?!more\b|than\b|of (?:the|our|my|these|those)\b)"
    r"(?![^.,!?;\n]*\bany ?more\b)|"
    r"(?=[^.,!?;\n]+[.,!?;\n]+ *(?:but |just |only )?(?:i|we) (?:want|need)\b)))|"
    r"(?:i'm|im|i am|we're|we are) not (?:asking|looking|writing|here) "
    r"(?:for|to (?!renew|continue|keep|stay|extend|go on|pay)|about|how|who|what|when|where|why|whether|if))"
    r"\b[^.,!?;\n]*",
    re.IGNORECASE,
)
"""Clauses that say what shall not be done."""

_NOT_MEANT = re.compile(
    r"(?:^|(?<=[.!?;\n]))(?![^.!?;\n]*\b(?:please|refund|cancel|delete|remove|back|instead)\b)"
    r"[^.!?;\n]*\b(?:(?:is|are|was|were) not|isn't|aren't|wasn't|weren't) "
    r"(?:what|the (?:one|ones|thing|kind)) (?:\w+ ){1,3}?(?:mean|want|need|ask|look|request)\w*[^.!?;\n]*[.!?;]?|"
    r"(?:^|(?<=[.!?;,\n]))\s*(?:no,? )?(?:(?:it|this|that)(?:'s| is) not|"
    r"(?:it|this|that) isn't) (?:about )?(?:the|our|my|an?) "
    r"[\w-]+(?=\s*[,.;\n])|"
    r"(?:^|(?<=[.!?;,\n]))[^.!?;,\n]*\b(?:shall|should|must|may|need|needs|is|are) not (?:to )?(?:be )?"
    r"(?:changed|touched|cancell?ed|deleted|moved|removed|altered)\b[^.!?;,\n]*|"
    r"\b(?:i|we)(?:'ve| have)(?: got)? (?:(?:the|all|our|my|every|your|those) )*(?:receipts?|invoices?|bills?|"
    r"copies|copy|papers?|pdfs?)\b[^.!?;\n]*"
    r"\b(?:in front of (?:me|us)|at hand|in (?:the|my|our) (?:binder|folder|files?|books?))\b"
    r"[^.!?;,\n]*",
    re.IGNORECASE,
)
"""What is not meant ("the invoices we have, these are not what he wants"), and papers that the writer has."""
_NO_SUBJECT = re.compile(
    r"(?:should|must|shall|needs|wants|would like|is|has)\b(?! (?:i|we|you|he|she|they|it|there|this|that)\b)", re.I
)

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
_JOINTS = re.compile(
    r"(?<=[.!?;])\s+|\n+|;\s*|[,:]?\s*\(\d\)\s+|,?\s+(?:and also|and then|also|plus|and)\s+"
    r"|,\s+(?=(?:but )?(?:please|pls|can|could|would|i|we|just|then|so|give|send|add|remove|cancel|make|tell|put|"
    r"reset|delete|switch|change|move|upgrade|downgrade|unlock|refund|create|drop|restore)\b)",
    re.IGNORECASE,
)
_ABLE = re.compile(r"\b(?:able to|so (?:that )?\w+ can|who (?:can|may)|allowed to|in charge of)\b", re.IGNORECASE)
"""What somebody shall be able to do: what goes on after an "and" is no request of its own."""
_HANGS = re.compile(
    r"^\W*(?:(?:and|but|then|so)\W+)*(?:if (?:yes|so|not|there is|it is|any|ok)|in (?:that|which) case|only then)\b",
    re.IGNORECASE,
)
"""What is wanted only if what stands before it holds."""
_ABLE_TO = re.compile(rf"{_ABLE.pattern}[^.!?;\n]*", re.IGNORECASE)
_ADJUNCT = re.compile(
    r"^\W*(?:(?:just|only|and|purely|simply)\W+)*(?:for (?!\d)|because|since|due to|so (?:that )?(?:we|i|they|he|she) "
    r"(?:have|has|can|know)|in case|as (?:i|we) (?:need|have|want)\b)",
    re.IGNORECASE,
)
"""How a part begins that says for what, why or when, and not what."""
_SOMEBODY = re.compile(
    r"^\W*(?:(?:hi|hey|hello|bonjour|hola|ciao|so|and|as|since|because|our|my|the|a|an|one of (?:our|my|the))\W+)*"
    r"(?!(?:we|i|you|they|it|this|that|there)\b)[\w'-]+(?: [\w'-]+)?,? "
    r"(?:leaves|is leaving|will leave|has left|left|quits?|is quitting|retires?|is retiring|joins|is joining|"
    r"joined|starts|is starting|goes on leave|is on leave|is going on leave|moves on|is moving on)\b",
    re.IGNORECASE,
)
"""Somebody who comes or goes: why something is asked for, and nothing asked for."""
_AND = re.compile(r"[,\s]*\band\s+", re.IGNORECASE)
_SENTENCE_END = re.compile(r"(?<=[.!?;])\s+|\n+")
_LEANS = re.compile(
    r"\b(?<!you call )(?<!they call )(?<!we call )(?:it|them|yours|theirs)\b|"
    r"\b(?:that|this|those|these)\b(?=\s*(?:$|[.,;!?]|(?:too|also|for|as|in|on|to|please|now|from|with)\b))|"
    r"\b(?:an?|the) (?:small|smaller|big|bigger|large|larger|medium|cheap|cheaper|simple|normal) one\b|"
    r"\bthe (?:new|old|same|next|last|previous) ones?\b|\b(?:an?|another) copy\b(?! (?:of|from|for)\b)|"
    r"\bthe (?:one|two|three|four|five|six|others?|ones|rest)\b(?=\s*(?:$|[.,;!?]|(?:that|which|who|nobody|no one)\b))",
    re.IGNORECASE,
)
"""A word that stands for what was said before."""
_SEVERAL_THINGS = re.compile(
    r"\b(?:two|three|2|3|several|some|a few|a couple of) (?:things|requests|questions|points|matters)\b|"
    r"\b(?:besides|moreover|furthermore|in addition|additionally|secondly|another thing|one more thing|other thing|"
    r"second thing|on top of that|apart from that|by the way|while (?:you're|you are|i'm|i am) at it)\b",
    re.IGNORECASE,
)
"""Words by which a writer says that more than one thing is wanted."""
FEW_WORDS = 4
"""Words that must be left of a message without what it rules out."""
HALF_WORDS = 4
"""Words from which a half of a message can be a request of its own."""
HALVES = 10
"""At so many places at most a message is cut in two ..."""
MOST_JOINTS = 60
"""... of so many that are looked at."""


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


def asks_how_it_is(text: str) -> bool:
    """Whether a message asks what is so for anybody ("can a viewer invite people?") and for nothing to be done."""
    return _HOW_IT_IS.match(text.replace("’", "'")) is not None and len(re.findall(r"[.!?](?:\s|$)", text)) <= 1


def only_wonders(text: str) -> bool:
    """Whether a message asks how something is ("which card is it going to?") and for nothing to be done."""
    *before, last = [s for s in _SENTENCE_END.split(text.strip().replace("’", "'")) if re.search(r"\w", s)] or [""]
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


_HOW_TO = re.compile(r"\bhow (?:do|can|could|would|should|might) (?:i|we|one)\b|\bhow to\b", re.IGNORECASE)


def asks_how_to(text: str) -> bool:
    """Whether a message asks how something is done by oneself ("how do I get her into the console?")."""
    return _HOW_TO.search(text) is not None


def supposes(text: str) -> bool:
    """Whether a message only asks what would be if ("say we gave up a seat, would we get money back?")."""
    sentences = [s for s in _SENTENCE_END.split(text.replace("’", "'")) if s.strip()]
    asking = [s for s in sentences if asks(s)]
    return bool(asking) and all(_SUPPOSES.match(s) is not None for s in asking)


_ANOTHER_DAY = re.compile(
    r"(?:,?\s*\b(?:and|but)\b)?\s*\b(?:i|we)(?:'ll| will| can)? "
    r"(?:sort|do|see to|look at|deal with|handle|settle|get to)\b"
    r"[^.,;!?\n]{0,60}\b(?:another (?:day|time)|some other (?:day|time)|later on|next time)\b",
    re.IGNORECASE,
)
"""What is left for another day ("and we'll sort the extra seats out another day"): nothing is asked of it now."""


def without_ruled_out(text: str) -> str:
    """The message without what it rules out ("no need to send it") or leaves for later, where anything else is left."""
    said = _ANOTHER_DAY.sub(" ", _NOT_MEANT.sub(" ", text.replace("’", "'")))
    rest = _RULED_OUT.sub(" ", said).strip(" .,;!\n")
    return rest if len(rest.split()) >= FEW_WORDS and rest != text else text


def parts_of(text: str) -> list[str]:
    """The pieces of a message that may each be a request: sentences and clauses of three words or more."""
    pieces: list[str] = []
    begun = end = 0
    for joint in (*_JOINTS.finditer(text), None):
        piece = text[end : joint.start() if joint else len(text)]
        if pieces and _AND.fullmatch(text[begun:end]) and (_ABLE.search(pieces[-1]) or _and_this(pieces[-1], piece)):
            pieces[-1] += text[begun:end] + piece
        else:
            pieces.append(piece)
        begun, end = (joint.start(), joint.end()) if joint else (end, end)
    parts = [piece.strip() for piece in pieces if len(piece.split()) >= 3]
    return parts if len(parts) > 1 else []


def _and_this(before: str, piece: str) -> bool:
    """Whether what follows an "and" is one thing more that somebody has ("we have 18 seats and just a database")."""
    return merely_states(before) and not asks(piece) and _STATES.search(piece) is None and _ABOUT.match(piece) is None


def halves_of(text: str) -> list[tuple[str, str]]:
    """The text cut in two, wherever each half asks for something and the second does not lean on the first."""
    able = _able if _ABLE.search(text) else str
    joints = islice(_JOINTS.finditer(text), MOST_JOINTS)
    cuts = ((text[: joint.start() + 1].strip(), text[joint.end() :].strip()) for joint in joints)
    found = (cut for cut in cuts if all(len(half.split()) >= HALF_WORDS and asks(able(half)) for half in cut))
    return [cut for cut in found if not goes_on(cut[1])][:HALVES]


def questions_in(text: str) -> list[str]:
    """The questions of a text, each without what introduces it before a colon ("before I invite her: is it free?")."""
    questions = [piece.strip() for piece in _SENTENCE_END.split(text) if piece.strip().endswith("?")]
    return [question.rsplit(": ", 1)[-1] for question in questions]


def _able(text: str) -> str:
    """The text less what somebody shall be able to do."""
    return _ABLE_TO.sub(" ", text)


def merely_states(text: str) -> bool:
    """Whether a part of a message tells how things are ("two seats were used for a week") and asks for nothing."""
    plain = _FEARS.sub(" ", text.replace("’", "'"))
    states = _STATES.search(plain) is not None or any(told.match(plain) for told in (_ABOUT, _BUSY))
    return states and _ASKS.search(plain) is None


def asks(text: str) -> bool:
    """Whether a text asks for something, in a question, a wish or an order."""
    plain = _FEARS.sub(" ", text.replace("’", "'"))
    return _ASKS.search(plain) is not None or _ORDERS.search(plain) is not None


_TO_BE_DONE = re.compile(
    r"(?<!nothing )(?<!nothing that )\b(?:has|have|needs?|must|ought)(?: still)?(?: to)? (?:be|get) "
    r"(?:\w+ed|\w+en|done|sent|paid|put|made|set|cut)\b",
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


_CONCLUDES = re.compile(
    r"^\W*(?:(?:oh|ah|ok|okay|hm+|and|so|then|well)\W+)*(?:that|it|this)(?:'s| is|'d be| would be|'ll be| will be|"
    r" makes| would make| comes to| would come to)\b[^?.!\n]*\?\W*$",
    re.IGNORECASE,
)


def concludes(part: str) -> bool:
    """Whether a part of a message asks whether its writer has understood ("so that would be 24 instead of 30?")."""
    return _CONCLUDES.match(part.replace("’", "'")) is not None


_POINTS_BACK = re.compile(
    r"\b(?:for|of|on|about) (?:those|these|that|this|it|them)\b(?! (?:month|year|week|reason|purpose)\b)", re.IGNORECASE
)


def points_back(text: str) -> bool:
    """Whether a request is about what was told before it ("what we paid for those two")."""
    return _POINTS_BACK.search(text) is not None


_BEGS = re.compile(
    r"\b(?:can|could|would|will) you (?:please |also |maybe |just )*(?:send|give|add|remove|cancel|make|put|reset|"
    r"delete|change|set|move|refund|create|unlock|restore|prepare|get|return)\b",
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


def adds_only(part: str) -> bool:
    """Whether a part only tells for what, why or when ("just for our own records"), or that somebody comes or goes."""
    return (_ADJUNCT.match(part) is not None or _SOMEBODY.match(part) is not None) and not asks(part)


def hangs(part: str) -> bool:
    """Whether a part of a message hangs on what stands before it ("and if yes, put it on the next invoice")."""
    return _HANGS.match(part) is not None


def lacks_subject(part: str) -> bool:
    """Whether a part of a sentence goes on without saying of whom ("and should only read")."""
    return _NO_SUBJECT.match(part) is not None


def rules_out(text: str) -> bool:
    """Whether a part of a message begins with what shall not be done."""
    return _RULED_OUT.match(text) is not None


def announces_several(text: str) -> bool:
    """Whether the writer says that more than one thing is wanted."""
    return _SEVERAL_THINGS.search(text) is not None


def goes_on(half: str) -> bool:
    """Whether a second half goes on with what the first one speaks of ("please fill it in")."""
    first = next(piece for piece in _SENTENCE_END.split(half) if piece)
    return len(first.split()) < 3 or hangs(first) or leans(_JOINTS.split(first)[0])
