"""Courtesies: who only says who writes, thanks, or rounds a matter off, and asks for nothing."""

import re

from agents.triage.phrasing import asks, to_be_done

_ACKNOWLEDGES = re.compile(
    r"^\W*(?:(?:ok|okay|ah|oh|cool|alright|all right|great|well)\W+)*"
    r"(?:good to know|got it|makes sense|fair enough|i see|understood|noted|that helps|that explains it)\b"
    r"(?!.*\b(?:but|meant|mean|not|still)\b)",
    re.IGNORECASE | re.DOTALL,
)
"""Words that take note of an answer, where nothing is objected to."""
_GRATEFUL = re.compile(
    r"^\W*(?:(?:ok|okay|great|perfect|super|ah|oh|cool|good to know|got it|alright|all right)\W+)*"
    r"(?:thanks|thank you|thx|ty|tks|cheers|ta|merci|danke|gracias|grazie|obrigad[oa]|bedankt|"
    r"dank(?: je| u)|tack|takk|tak|"
    r"kiitos|dzi[eę]kuj[eę]|dzi[eę]ki|diky|díky|köszi|mulțumesc|teşekkürler|arigato)\b",
    re.IGNORECASE,
)
"""Thanks at the beginning, in some of the languages that customers thank in."""
GREETING = (
    r"(?:hi+|hiya|hey+|hello|hallo|how'?ya|good (?:morning|afternoon|evening|day)|g?uten (?:morgen|tag|abend)|"
    r"morning|afternoon|evening|hola(?: buenas)?|buen[oa]s(?: d[ií]as| tardes| noches)?|hej|hei|god ?dag|moin|servus|"
    r"gr[üu](?:ß|ss) gott|gr[üu]ezi|ciao|buongiorno|buonasera|bonjour|bonsoir|salut|ol[aá]|bom dia|boa tarde|"
    r"goede ?\w+|"
    r"dzie[nń] dobry|dobr[yý] den|namaste|merhaba|howdy|yo|dear \w+|greetings)"
)
"""A pattern for how people greet."""
_GREETS = re.compile(rf"\b{GREETING}\b", re.IGNORECASE)
_INTRODUCES = re.compile(
    rf"^\W*(?:{GREETING}\b"
    r"[\s,.!-]*(?:there|all|team|everyone)?[\s,.!-]*(?:it'?s|its|this is|i'?m|i am|my name is|here is)?|"
    r"(?:this is|my name is))\s+"
    r"(?!(?:not|nothing|everything|something|nobody|about|broken|urgent|down|important|its|it|this|me|us|you|we|i)\b)"
    r"[a-z][\w.'-]+(?: [a-z][\w.'-]+)?(?:,? (?:(?:here|speaking|from|at|of|with)\b|@)(?: [\w&.'-]+){0,4})?\W*$",
    re.IGNORECASE,
)
"""A greeting and a name, and nothing else."""
_OFFICE = frozenset(
    "it's its this is i am i'm my name here speaking from at of in the and & @ for with again accounting accounts "
    "payable receivable finance it hr admin support office management manager assistant department team procurement "
    "purchasing".split()
)
_NAMED = 10
"""Words up to which a message can be nothing but who writes."""


def _names_only(text: str) -> bool:
    """Whether nothing stands in a message but a greeting, names and what people call their place at work."""
    words = re.findall(r"[^\s,.!;:()-]+", _GREETS.sub(" ", text))
    others = [word for word in words if word.lower() not in _OFFICE]
    return (
        2 <= len(words) <= _NAMED and bool(others) and all(word[0].isupper() and word[1:].islower() for word in others)
    )


_HARM = re.compile(
    r"\b(?:cost|costs|lost|loss|losing|down|dropout|outage|fail\w*|problem|problems|issue|issues|error|errors|complain\w*|"
    r"angry|urgent|charged|refused|declined|suspended|blocked|hacked|stolen|stuck|dead)\b",
    re.IGNORECASE,
)
"""Words of harm: whoever writes them is not only greeting."""
_INTRODUCES_FIRST = re.compile(
    r"^\W*(?!(?:the|our|my|we|you|your|an?|that|they|there|some|all|no|not|yes)\b)"
    r"(?!(?:it'?s|i'?m) (?:about|the|an?|not|just|been|only|my|our|that)\b)"
    r"(?:[\w'’]+ ){0,2}?(?:(?:it'?s|this is|here is|i'?m|i am|my name is) )?[\w.'’-]+(?: [\w.'’-]+)?"
    r"(?:,? (?:here|speaking|from|at|of|with|@|over at)\b|,)(?: [\w&.'’-]+){1,4}?\s*(?=[,.!;\n]|$)",
    re.IGNORECASE,
)
"""A name, and where its bearer belongs, before anything else."""


def greets(text: str) -> bool:
    """Whether a message has a greeting in it."""
    return _GREETS.search(text) is not None


def introduces_first(text: str) -> bool:
    """Whether a message begins with who writes, and goes on without asking for anything."""
    said = _GREETS.sub(" ", text.replace("’", "'"), count=2).strip(" ,.!\n")
    return (
        _INTRODUCES_FIRST.match(said) is not None
        and not asks(said)
        and not any(sign.search(said) for sign in (_TROUBLE, _HARM))
    )


def introduces(text: str) -> bool:
    """Whether a message only says who writes ("hi, this is Ann from the bakery")."""
    said = text.replace("’", "'")
    return (_INTRODUCES.match(said) is not None or _names_only(said)) and not asks(said)


_CLOSES = re.compile(
    r"^\W*(?:(?:ok|okay|och|ha|haha|sweet|neat|ace|beauty|legend|wicked|right|phew|well|"
    r"a+h+|aha+|oh|super|great|lovely|perfect|smashing|grand|brilliant|good|fine|capito|"
    r"parfait|perfetto|understood|bless you|that'?s (?:it|all|that|fine|good|great)|cool|nice|wow|hm+,? ok|alright|"
    r"all right|fair enough|i see|got it|noted|excellent|wonderful|amazing|sorted|works|yay)\b)",
    re.IGNORECASE,
)
"""How a remark begins that ends a matter."""
_THANKS_AT_THE_END = re.compile(
    r"\b(?:thanks|thank you|thx|cheers|ta|much obliged|obliged|merci|danke|gracias|grazie|tack|takk)\b"
    r"[^.!?\n]{0,25}\W*$",
    re.IGNORECASE,
)
"""Thanks as the last words."""
_SETTLED = re.compile(
    r"\b(?:my (?:mistake|bad|fault)|(?:sorry|perd[oó]n|apologies|pardon|excuse me) for the (?:noise|fuss|trouble|"
    r"bother)|"
    r"nobody owes (?:any|no)?thing|all'?s well|(?:it|that)(?:'s| is) settled(?: then)?|that settles (?:it|that)|"
    r"all (?:is )?(?:good|well|fine|clear|sorted)|"
    r"(?:as|how) (?:it|they|we) (?:is|are)|found it|only curio\w+|just curio\w+|saved (?:me|us|my)|"
    r"you'?re (?:a|the) \w+|nothing (?:needs|has) to|nothing (?:is )?wrong|"
    r"(?:only|just) need(?:ed)? (?:it|this|that|the \w+) for|"
    r"nothing to (?:change|do)|only for (?:my|our|the)|belongs to|"
    r"adds? up|for my notes|only wanted to (?:know|understand|see|ask)|just wanted to (?:know|understand|see|ask)|"
    r"good ?bye|bye|leave (?:the|our|my) \w+ (?:be|alone|as it is))\b",
    re.IGNORECASE,
)
"""What is said of something that is settled."""
_NOTHING_NEEDED = re.compile(
    r"\b(?:nothing|no one|nobody) (?:needs?|has|must)\b[^.!?,;\n]*|\bnothing (?:is )?wrong\b|"
    r"\b(?:i|we) (?:only|just) need(?:ed)? (?:it|this|that|the \w+) for\b[^.!?,;\n]*|\b(?:do not|don't) touch it\b",
    re.IGNORECASE,
)
"""What sounds like a wish and is none."""
_TROUBLE = re.compile(
    r"\b(?:still|again|but|except|however|wrong|(?:doesn'?t|does not|didn'?t|isn'?t|not) work\w*|can'?t|cannot|broken|"
    r"missing|locked|instead|do it|do that|go ahead|yes)\b",
    re.IGNORECASE,
)
"""Words by which something is not settled, or agreed to."""


_THEN = re.compile(
    r"(?:^|[.!?,;\n]\s{0,8})(?:(?:and|so|ok|okay|well)\W{1,8}){0,3}then (?:(?:please|pls|just|only|rather)\W{1,8}){0,3}"
    r"(?:the (?:ones?|other|two|three|four|five|six|seven|eight|nine|ten|\d{1,3})|"
    r"those|these|one|two|three|four|five|six|\d{1,3}|let (?:me|us)|make|take|give|send|put|remove|add|cut|drop)\b"
    r"(?! (?:be|alone|leave|is|are|was|were|time|day)\b)",
    re.IGNORECASE,
)
"""What is wanted instead, after what was taken note of ("I see. Then only the ones that nobody uses")."""


def wants_instead(text: str) -> bool:
    """Whether a message wants something in the place of what it takes note of ("I see. Then only the empty ones")."""
    return _THEN.search(text.replace("’", "'")) is not None


def closes(text: str) -> bool:
    """Whether a message only rounds a matter off ("right, so it can go to the old papers. much obliged")."""
    said = _NOTHING_NEEDED.sub(" ", text.replace("’", "'"))
    ends = _SETTLED.search(text) is not None or any(s.search(said) for s in (_CLOSES, _THANKS_AT_THE_END))
    return ends and not asks(said) and not any(sign.search(said) for sign in (_TROUBLE, _THEN))


def settles(text: str) -> bool:
    """Whether a message says that its matter has settled itself ("ah dollars, my mistake")."""
    return closes(text) and _SETTLED.search(text) is not None


def thanks_only(text: str) -> bool:
    """Whether a message thanks, or takes note, and for the rest tells something that asks for nothing."""
    said = text.replace("’", "'")
    if to_be_done(said) or _THEN.search(said):
        return False
    return any(opening.match(said) and not asks(opening.sub("", said)) for opening in (_GRATEFUL, _ACKNOWLEDGES))


_AGREES = re.compile(
    r"\W*(?:(?:yes|yep|yeah|yea|yup|ja|please|pls|do (?:it|that|so)|go (?:ahead|on|for it)|both|then|sure|now)\b\W*)*"
    r"(?:yes|yep|yeah|yea|yup|do (?:it|that|so)|go (?:ahead|on|for it))\b\W*(?:(?:please|pls|now|then)\b\W*)*",
    re.IGNORECASE,
)
"""A yes, and nothing else."""


def only_agrees(text: str) -> bool:
    """Whether a message is a yes and nothing else: where nothing was offered, it asks for nothing that is known."""
    return _AGREES.fullmatch(text) is not None
