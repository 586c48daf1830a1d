"""What an answer says that is neither a plain yes nor a plain no, learnt from examples of how people answer offers.

Nothing is ever done because of it alone: the words themselves have to begin with a yes and hold nothing that limits it.
It can keep an offer from being made once more to somebody who declined it in many words, a remark from being taken for
a new request, and a reply from being taken for a matter for people.
"""

import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field

from tools.placed_yaml import PlacedYaml

REFUSES = 0.6
"""Probability from which an answer without a question is a no, or not now ..."""
REFUSES_AFTER_ALL = 0.75
"""... and for one that begins with a yes."""
DOUBTFUL = 0.25
"""Probability of a yes up to which a no is taken for one."""
NO_YES = 0.8
"""Probability of anything else from which words that would be a yes are none: being asked again costs little."""
REPLIES = 0.1
"""Probability of another matter up to which a message is a reply to the offer that waits."""
PUT_OFF = 0.8
"""Probability from which a message that asks for nothing says that its writer comes back to it."""
AGREES = 0.6
"""Probability of a yes from which words that turn an offer down are not taken for a no."""
REMARKS = 0.5
"""Probability from which a message that asks for nothing only remarks on what was said or done."""
FOREIGN = 0.7
"""How unlike the examples a message may be."""


_ONLY = re.compile(r"(?:^|[.;!\n])\W*(?:only|but)\b", re.IGNORECASE)


class AnswerExamples(BaseModel):
    """How people answer an offer, as `prompts/answers.yaml` holds it."""

    model_config = ConfigDict(extra="forbid")

    declines: list[str] = Field(min_length=2)
    postpones: list[str] = Field(min_length=2)
    accepts: list[str] = Field(min_length=2)
    asks: list[str] = Field(min_length=2)
    corrects: list[str] = Field(min_length=2)
    unclear: list[str] = Field(min_length=2)
    turns: list[str] = Field(min_length=2)
    remarks: list[str] = Field(min_length=2)

    @classmethod
    def read(cls, path: Path) -> "AnswerExamples":
        """The file's content. Raises `tools.placed_yaml.UnusableFile`, FileNotFoundError."""
        return PlacedYaml.read(path).as_form(cls)

    def pairs(self) -> tuple[list[str], list[str]]:
        """(texts, kinds) to learn from."""
        held = self.model_dump()
        return [text for texts in held.values() for text in texts], [kind for kind, t in held.items() for _ in t]


@dataclass(frozen=True)
class AnswerOdds:
    """How likely a message is each kind of answer; all zero where that was not looked at."""

    odds: Mapping[str, float] = field(default_factory=dict)
    foreign: float = 1.0
    """How unlike the examples it is, 0 to 1."""

    def of(self, *kinds: str) -> float:
        """The probability that it is one of these."""
        return sum(self.odds.get(kind, 0.0) for kind in kinds)

    @property
    def replies(self) -> bool:
        """Whether it is about the offer, whatever it says of it, and opens no other matter."""
        return bool(self.odds) and self.foreign < FOREIGN and self.of("turns") <= REPLIES

    @property
    def remarks(self) -> bool:
        """Whether it asks for nothing and opens nothing, said where no offer waits."""
        return self.replies and (self.of("remarks") >= REMARKS or self.of("postpones") >= PUT_OFF)

    def puts_off(self, text: str) -> bool:
        """Whether its writer will come back to what was asked."""
        return "?" not in text and self.foreign < FOREIGN and self.of("postpones") >= PUT_OFF

    def stays_with_no(self, text: str) -> bool:
        """Whether what follows on a no says it once more."""
        limits = _ONLY.search(text) is not None  # "not another plan. Only until New Year": something else is wanted
        return not limits and "?" not in text and self.replies and self.of("declines", "postpones") >= REFUSES_AFTER_ALL

    @property
    def no_yes(self) -> bool:
        """Whether what looks like a yes by its words is very likely none."""
        return self.foreign < FOREIGN and self.of("declines", "postpones", "turns", "unclear", "asks") >= NO_YES

    @property
    def doubts_yes(self) -> bool:
        """The same where another matter may stand beside the yes: that alone makes it no less of one."""
        return self.foreign < FOREIGN and self.of("declines", "postpones", "unclear", "asks") >= NO_YES

    def refuses(self, text: str, *, begins_with_yes: bool) -> bool:
        """Whether it is a no, or not now."""
        enough = REFUSES_AFTER_ALL if begins_with_yes else REFUSES
        accepts = self.of("accepts")
        return (
            "?" not in text
            and self.foreign < FOREIGN
            and self.of("declines", "postpones") >= enough
            and accepts <= DOUBTFUL
        )


UNREAD = AnswerOdds()
ReadAnswers = Callable[[str], Awaitable[AnswerOdds]]


async def unread(_text: str) -> AnswerOdds:
    """Stands in where nothing was learnt."""
    return UNREAD
