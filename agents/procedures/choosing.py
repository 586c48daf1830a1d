"""Which of the matters that were named to a customer their answer chooses."""

import re
from collections.abc import Sequence

from agents.consent import leans_to_yes, read_answer
from agents.frame import Frame
from agents.procedures.procedure import ProcedureLibrary
from agents.triage.courtesy import greets, thanks_only

MEANT = 0.2
"""Probability from which an answer that names none of the matters asked about is taken for one of them all the same."""
NAMING_WORDS = 8
"""Words up to which an answer chooses a matter by a word of its title; a longer one may speak of anything."""

_COURTESY = (
    r"(?:(?:yes|well|oh|actually|please|pls|thanks|thank you|of them|of these|of those|it'?s|i mean|i need)[\s,.!]*)*"
)
_TAKES_BACK = re.compile(r"\?|\b(?:but|no|not|wait|instead|rather|actually|later)\b|n't\b")
"""Words by which a yes may mean another matter after all."""
_ALL_OF_THEM = {
    count: re.compile(rf"{_COURTESY}(?:all|{said})[\s,.!]*{_COURTESY}")
    for count, said in (
        (2, r"both|1\s*(?:,|and|&|\+)\s*2|the first and the second(?: one)?"),
        (3, r"all three|1\s*,\s*2\s*(?:, and|,|and|&|\+)\s*3"),
    )
}
"""By how many matters were named, the answers that mean all of them."""


def chosen_of(intents: Sequence[str], text: str, library: ProcedureLibrary) -> list[str]:
    """The matters that the customer plainly chooses of those that were named: by a yes, "both", place or title."""
    low = text.lower()
    if len(intents) == 1 and (answer := read_answer(low, "")) != "other":
        return list(intents) if answer == "yes" else []
    if len(intents) == 1 and leans_to_yes(low) and _TAKES_BACK.search(low) is None:
        return list(intents)  # "yes, that cache only": what is limited is not which matter it is
    if len(intents) in _ALL_OF_THEM and _ALL_OF_THEM[len(intents)].fullmatch(low.strip(" .!,")):
        return list(intents)
    for position, intent in enumerate(intents):
        word = ("first", "second", "third")[position] if position < 3 else ""
        if re.fullmatch(rf"\W*{position + 1}\W*", low) or (word and re.search(rf"\b{word}\b", low)):
            return [intent]
        procedure = library.for_intent(intent)
        title = set(re.findall(r"\w{4,}", procedure.title.lower())) if procedure else set()
        if len(low.split()) <= NAMING_WORDS and title & set(re.findall(r"\w{4,}", low)):
            return [intent]
    return []


def only_chooses(named: int, text: str) -> bool:
    """Whether an answer chooses by place, a yes or "both", and says nothing else: a "1" is no number of seats then."""
    said = text.lower().strip(" .!,)")
    everything = _ALL_OF_THEM.get(named)
    return (
        re.fullmatch(r"\W*(?:option |number |no\.? ?|nr\.? ?)?\d", said) is not None
        or (everything is not None and everything.fullmatch(said) is not None)
        or (len(said.split()) <= 2 and read_answer(said, "") == "yes")
    )


def topics_meant(frame: Frame, text: str, ranking: Sequence[tuple[str, float]], library: ProcedureLibrary) -> list[str]:
    """The matters of those named to the customer that the answer chooses, or else the one that it means most."""
    chosen = chosen_of(frame.clarifying, text, library)
    if chosen or read_answer(text, "") == "no":
        return chosen
    if len(frame.clarifying) == 1 and _goes_on(text):
        return list(frame.clarifying)
    return [intent for intent, p in ranking if intent in frame.clarifying and p > MEANT][:1]


def _goes_on(text: str) -> bool:
    """Whether an answer to "is it about this?" goes on with it, by saying whom or which ("Sam Otto")."""
    few = len(text.split()) <= NAMING_WORDS and _SAYS_WHICH.match(text) is not None
    return few and _TAKES_BACK.search(text.lower()) is None and not greets(text) and not thanks_only(text)


_SAYS_WHICH = re.compile(
    r"\W*(?:(?i:for|the one|it'?s (?:for|the)|i mean(?:t)?|for the|that of|the user)\b|"
    r"[A-ZÀ-Þ][\w'’-]+(?: [A-ZÀ-Þ][\w'’-]+)?\W*$)"
)
