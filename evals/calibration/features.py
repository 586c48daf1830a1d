"""What tells, without knowing the outcome, whether a conversation was handled right.

Two things go wrong in service conversations, and they look different. Where something was done, it is wrong the more
often the more had to be chosen, worked out and filled in to do it. Where nothing was done, it is wrong where the
customer was left waiting, and right where they were refused with a reason or handed to a person. So there are three
signs: `acted`, and one for each of the two cases. Each of the latter is the plain mean of a few standardised counts:
with as few tickets as a company can label, equal weights beat fitted ones (Dawes, "The robust beauty of improper
linear models in decision making", American Psychologist 34, 1979).
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from evals.calibration.conversation import Call, Conversation, follow
from evals.recordings import Recording

Matrix = NDArray[np.float64]

REFUSAL = re.compile(
    r"\b(?:unfortunately|cannot|can't|can not|unable|not (?:be )?(?:able|allowed|possible|permitted|eligible)"
    r"|do(?:es)?(?:n't| not) (?:allow|have the)|non-refundable)\b",
    re.I,
)
REASON = re.compile(
    r"\b(?:since|because|polic(?:y|ies)|rules?|terms|without|eligible|due to|restrict\w*|only|non-refundable"
    r"|not allowed|beyond|do(?:es)?(?:n't| not) meet|cannot be \w+ed)\b",
    re.I,
)
REQUEST_FOR_DETAILS = re.compile(
    r"\b(?:i(?:'ll| will)? need|please (?:provide|share|give)|could you (?:please )?(?:provide|share|give)"
    r"|once you have|if you can provide)\b",
    re.I,
)
DEFERRAL = re.compile(
    r"\b(?:i'll (?:get back|check|reach out|gather|look|contact|find|consider|think|hold off|come back|let you know)"
    r"|get back to you|(?:once|when|as soon as) i (?:have|find|get)|talk soon|later)\b",
    re.I,
)
PRESSING = re.compile(
    r"\b(?:really|again|but|still|however|instead|actually|any way|exceptions?|regardless|insist|double.check|must|sure"
    r"|thought|upset|unhappy|frustrat\w+|disappoint\w+|unacceptable)\b",
    re.I,
)
CONSENT = re.compile(r"\b(?:yes|yeah|confirm\w*|proceed|go ahead|sure|correct|ok|okay|please do|sounds good)\b", re.I)
LISTED = re.compile(r"^\s*(?:\d+[.)]|[-*•])\s", re.M)
AMOUNT = re.compile(r"(?:[$€£]\s?\d|\d\s?(?:USD|EUR|GBP|[$€£]))")
SENTENCE_END = re.compile(r"(?<=[.!?])\s+|\n+")
LAST_WORDS = 3  # so many of the customer's messages are searched for a deferral

LOAD = (
    "arguments",
    "unsaid_arguments",
    "ungrounded_arguments",
    "numeric_arguments",
    "options",
    "calculations",
    "searches",
    "amounts",
    "failed_writes",
    "repeated_writes",
    "unconfirmed_writes",
    "pressing",
)
SERVED = ("reasoned_refusals", "handed_over", "pressing", "-left_waiting", "-requests_for_details", "-deferrals")
SIGNS = ("acted", "load", "served")


@dataclass(frozen=True)
class Features:
    """Counts over one conversation."""

    writes: int
    """Changes that went through."""
    failed_writes: int
    repeated_writes: int
    """Changes that went through on something that the same tool had changed before."""
    unconfirmed_writes: int
    """Changes before which the customer's last words held no yes."""
    arguments: int
    """Values that were filled in to make the changes."""
    unsaid_arguments: int
    """Of them, the ones that neither customer nor agent had said."""
    ungrounded_arguments: int
    """Of them, the ones that no tool had returned either."""
    numeric_arguments: int
    options: int
    """Lines of lists that the agent laid before the customer."""
    amounts: int
    """Amounts of money that the agent named."""
    calculations: int
    searches: int
    reasoned_refusals: int
    """Sentences of the agent that refuse and say why."""
    handed_over: int
    left_waiting: int
    """1 where nothing was looked up, done or handed over."""
    requests_for_details: int
    """Messages of the agent that ask for details before anything was looked up."""
    deferrals: int
    """Signs at the end that the customer goes away to come back later."""
    pressing: int
    """Words of a customer who insists, contradicts or is unhappy."""

    @classmethod
    def of(cls, recording: Recording) -> "Features":
        """Count."""
        conversation = follow(recording)
        done = conversation.done
        values = [(value, call) for call in done for value in call.values]
        unsaid = [(value, call) for value, call in values if not conversation.said(value, call)]
        looked_up = conversation.of_kind("read", "search")
        handovers = conversation.of_kind("handover")
        return cls(
            writes=len(done),
            failed_writes=len(conversation.of_kind("write")) - len(done),
            repeated_writes=len(done) - len({(call.tool, _subject(call)) for call in done}),
            unconfirmed_writes=sum(not CONSENT.search(call.asked) for call in done),
            arguments=len(values),
            unsaid_arguments=len(unsaid),
            ungrounded_arguments=sum(not conversation.returned(value, call) for value, call in unsaid),
            numeric_arguments=sum(
                isinstance(value, int | float) and not isinstance(value, bool) for value, _ in values
            ),
            options=_count(LISTED, conversation.agent),
            amounts=_count(AMOUNT, conversation.agent),
            calculations=len(conversation.of_kind("calculation")),
            searches=len(conversation.of_kind("search")),
            reasoned_refusals=_reasoned_refusals(conversation),
            handed_over=int(bool(handovers)),
            left_waiting=int(not looked_up and not done and not handovers),
            requests_for_details=sum(bool(REQUEST_FOR_DETAILS.search(text)) for text in conversation.agent),
            deferrals=_count(DEFERRAL, conversation.customer[-LAST_WORDS:]),
            pressing=_count(PRESSING, conversation.customer),
        )


def _count(pattern: re.Pattern[str], texts: Sequence[str]) -> int:
    return sum(len(pattern.findall(text)) for text in texts)


def _subject(call: Call) -> str:
    """What a change is made to: its first value."""
    return str(next(iter(call.values), ""))


def _reasoned_refusals(conversation: Conversation) -> int:
    sentences = [sentence for text in conversation.agent for sentence in SENTENCE_END.split(text)]
    return sum(bool(REFUSAL.search(sentence) and REASON.search(sentence)) for sentence in sentences)


@dataclass(frozen=True)
class Scale:
    """Where a count is neutral, and how far it usually strays: both of its logarithm, over the training tickets."""

    centre: float
    spread: float

    @classmethod
    def of(cls, values: Matrix) -> "Scale":
        """Measure; a count that never varies says nothing, so it is left at zero."""
        return cls(float(values.mean()), float(values.std())) if len(values) else cls(0.0, 0.0)

    def apply(self, values: Matrix) -> Matrix:
        """In spreads from the centre, at most three."""
        if self.spread < 1e-9:
            return np.zeros_like(values)
        return np.clip((values - self.centre) / self.spread, -3.0, 3.0)


@dataclass(frozen=True)
class Signs:
    """How counts become the three signs. Learnt from the training tickets without their outcomes."""

    counts: dict[str, Scale]
    load: Scale
    served: Scale

    @classmethod
    def fit(cls, features: Sequence[Features]) -> "Signs":
        """Learn what is usual."""
        names = sorted({name.lstrip("-") for name in (*LOAD, *SERVED)})
        counts = {name: Scale.of(_logs(features, name)) for name in names}
        acted = _acted(features)
        load, served = _mean(features, counts, LOAD), _mean(features, counts, SERVED)
        return cls(counts, Scale.of(load[acted]), Scale.of(served[~acted]))

    def of(self, features: Sequence[Features]) -> Matrix:
        """A row for each conversation, columns as in `SIGNS`: `load` is 0 where nothing was done, `served` else."""
        acted = _acted(features)
        load = self.load.apply(_mean(features, self.counts, LOAD))
        served = self.served.apply(_mean(features, self.counts, SERVED))
        return np.stack([np.where(acted, 1.0, -1.0), np.where(acted, load, 0.0), np.where(acted, 0.0, served)], axis=1)


def _acted(features: Sequence[Features]) -> NDArray[np.bool_]:
    return np.array([row.writes > 0 for row in features], dtype=bool)


def _logs(features: Sequence[Features], name: str) -> Matrix:
    return np.log1p(np.array([getattr(row, name) for row in features], dtype=float))


def _mean(features: Sequence[Features], counts: dict[str, Scale], names: Sequence[str]) -> Matrix:
    columns = [
        (-1.0 if name.startswith("-") else 1.0) * counts[key].apply(_logs(features, key))
        for name in names
        for key in [name.lstrip("-")]
    ]
    return np.mean(columns, axis=0)
