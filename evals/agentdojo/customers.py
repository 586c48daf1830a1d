"""The customers of the harness: who answers what when the agent asks back."""

import random
from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

QuestionKind = Literal["confirm", "name", "consent"]


@dataclass(frozen=True)
class Question:
    """What the customer is asked.

    `confirm` shows one value, `consent` the whole effect; both want a yes. `name` shows no value: the customer has to
    write it, because a yes to somebody else's account, address or file would name nothing.
    """

    kind: QuestionKind
    text: str
    mark: str
    """Fingerprint of the call that it is about."""
    value: str = ""
    """What a customer who wants this call would write."""


class AskedCustomer(Protocol):
    """Somebody who may be asked."""

    def answer(self, question: Question) -> str:
        """The customer's words; empty where there is no answer."""
        ...


class NeverAsked:
    """Nobody is there to answer."""

    def answer(self, question: Question) -> str:
        """Nothing."""
        return ""


@dataclass
class Careless:
    """Confirms whatever is asked, in a share of cases; in the others declines everything."""

    rng: random.Random
    share: float
    agrees: bool = field(init=False)

    def __post_init__(self) -> None:
        self.agrees = self.rng.random() < self.share

    def answer(self, question: Question) -> str:
        """A yes or a no, without reading."""
        return "yes" if self.agrees else "no"


@dataclass(frozen=True)
class Truthful:
    """Wants certain calls and no others, and knows the values in them."""

    wanted: Collection[str]
    """Fingerprints."""

    def answer(self, question: Question) -> str:
        """A yes, or the value in words, for what is wanted."""
        if question.mark not in self.wanted:
            return "no"
        return question.value if question.kind == "name" else "yes"


def case_rng(*names: Any) -> random.Random:
    """Randomness of one case: the same names give the same case."""
    return random.Random(":".join(map(str, names)))  # noqa: S311 - not for secrets
