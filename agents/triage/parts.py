"""What a message is made of: its sentences and clauses, what it rules out, and where one request may end."""

import re
from itertools import islice

from agents.triage.phrasing import SENTENCE_END, asks, leans, merely_states, names_only

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
    return merely_states(before) and names_only(piece)


def halves_of(text: str) -> list[tuple[str, str]]:
    """The text cut in two, wherever each half asks for something and the second does not lean on the first."""
    able = _able if _ABLE.search(text) else str
    joints = islice(_JOINTS.finditer(text), MOST_JOINTS)
    cuts = ((text[: joint.start() + 1].strip(), text[joint.end() :].strip()) for joint in joints)
    found = (cut for cut in cuts if all(len(half.split()) >= HALF_WORDS and asks(able(half)) for half in cut))
    return [cut for cut in found if not goes_on(cut[1])][:HALVES]


def _able(text: str) -> str:
    """The text less what somebody shall be able to do."""
    return _ABLE_TO.sub(" ", text)


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
    first = next(piece for piece in SENTENCE_END.split(half) if piece)
    return len(first.split()) < 3 or hangs(first) or leans(_JOINTS.split(first)[0])
