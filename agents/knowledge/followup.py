"""A question that leans on the conversation ("and for how long?"), made whole so that it can be searched.

Historical query expansion without a model: the latest earlier words that name a subject are put before it (as Lin,
Yang, Nogueira, Tsai, Wang and Lin 2021, Multi-Stage Conversational Passage Retrieval). A question that stands on its
own stays as it is.
"""

import re
from collections.abc import Sequence

from agents.knowledge.words import telling_sentences, words_of

LOOK_BACK = 4
GIST_WORDS = 25
"""Of an earlier message longer than this, only the sentence that says most is taken."""

# Words that ask for something about a subject and name none.
_ASKING = frozenset(
    """afterward allowed already always cost day difference else enough ever exactly expensive far fast first happen
    happened happening hour include included instead last long longer mandatory many matter mean meant minute month
    much normal often possible price quick quickly required same second so soon sooner still take taken time true
    week work worked working year yet yeah""".split()
)
_POINTS_BACK = re.compile(
    r"\b(?:it|its|they|them|their|theirs|those|these|afterwards|instead|the (?:other|same|latter|former)(?: one)?"
    r"|(?:this|that)(?! (?:week|month|year|quarter|morning|time|way)\b))\b|\bones?[?.! ]*$",
    re.IGNORECASE,
)
_POINTS_AT_NOTHING = re.compile(
    r"\b(?:is|was|isn't) it (?:also |still |even )?(?:possible|ok|okay|allowed|true|safe|normal|enough|required)\b"
    r"|\bit(?:'s| is) (?:possible|about|that)\b",
    re.IGNORECASE,
)
# With a fragment ("and the webhooks?"): a whole question is about what it says, whatever stands before it.
_GOES_ON = re.compile(
    r"^\W*(?:(?:ok(?:ay)?|thanks|thank you|great|hm+|well|right|ah|oh|yes|no)\W+)*"
    r"(?:(?:and|but|or|so|then|also|plus)\W+)?"
    r"(?:(?:what|how) about|what if|in that case|same|for|with|without)\b",
    re.IGNORECASE,
)
_ADDS = re.compile(
    r"^\W*(?:and|or|plus)\W+(?!(?:what|which|how|where|when|who|whose|why|is|are|was|were|do|does|did|can|could|may|must"
    r"|should|will|would|have|has|i|we|please)\b)",
    re.IGNORECASE,
)
POINTING_WORDS = 3
GOING_ON_WORDS = 2
"""A question with more words of its own than this names its subject, even if it points back, or goes on."""


def standalone(question: str, earlier: Sequence[str]) -> str:
    """The question with its subject. `earlier`: what the customer wrote before, oldest first."""
    if not leans(question):
        return question
    context: list[str] = []
    for text in reversed(earlier[-LOOK_BACK:]):
        if _subject_words(text):
            context.insert(0, _gist(text))
            if not leans(text):
                break
    return "\n".join([*context, question])


def leans(question: str) -> bool:
    """Whether it does not say itself what it is about."""
    words = len(_subject_words(question))
    if words == 0:
        return True
    if _POINTS_BACK.search(_POINTS_AT_NOTHING.sub("", question)):
        return words <= POINTING_WORDS
    return words <= GOING_ON_WORDS and bool(_GOES_ON.match(question) or _ADDS.match(question))


def _subject_words(text: str) -> set[str]:
    return {word for word in words_of(text) if word not in _ASKING}


def _gist(text: str) -> str:
    return (telling_sentences(text) or [text])[0] if len(text.split()) > GIST_WORDS else text
