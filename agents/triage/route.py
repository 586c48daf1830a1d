"""Which request a message is about: go on, start something, ask which, or say that it is out of scope."""

from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace

from agents.brief import Route
from agents.frame import Frame
from agents.triage.parts import (
    adds_only,
    announces_several,
    halves_of,
    hangs,
    lacks_subject,
    parts_of,
    rules_out,
    without_ruled_out,
)
from agents.triage.phrasing import asks, leans, merely_states, points_back, tells_of_past, to_be_done
from agents.triage.questions import asks_how_it_is, asks_how_to, asks_terms, concludes, supposes
from agents.triage.reading import core_of
from agents.triage.version import SHIPPED, Version

START = 0.45
"""Probability from which an intent is taken up without a question."""
ACT = 0.9
"""The same for an intent that ends in an effect: who is in a hurry says yes to an offer that they never asked for."""
CHANGE = 0.7
"""Probability from which a message that could answer a question is taken as a new request."""
SECOND = 0.6
"""Probability from which a part of a message is a request of its own."""
ASIDE = 0.65
"""The same, less what speaks for out of scope, for a half, and for a part of which the whole message says little ..."""
SLIGHT = 0.3
"""... that is, gives it less than this."""
OUT_OF_SCOPE = 0.6
FOREIGN = 0.85
"""From here on a message is not even asked about."""
EVENLY = 0.4
"""What each of few intents gets at most between which nothing decides: less than `START`, so the customer is asked."""
LIKELY = 0.08
"""Probability from which an intent is named when the customer is asked which one they mean."""
MAYBE = 0.3
"""The same for a message that looks foreign."""
AGREED = 0.4
"""Probability that a message and one of its sentences must both have to confirm each other."""
SMALL_TALK = 0.3
"""Probability from which a few words are small talk, where nothing was misunderstood before ..."""
RIVALRY = 0.5
"""... and no request is more than this share as likely."""
CLEAR_SMALL_TALK = 0.85
"""The same where something was."""
MENTIONED = 0.02
CHAT = 12
"""Words up to which small talk is only that."""
ELLIPTIC = 4
"""Words up to which a part ("please remove 2") leans on what stands before it."""
STATED = 0.9
"""A part that merely states something is a request where it is so clear and the whole means it nearly as much."""
LISTED = 0.8
"""The same where the writer says that there are several."""
LOUD = 0.8
"""Probability from which one half of a message is a request of its own, and drowns what the other half asks for."""
FEW_WORDS = 4
ANSWER_WORDS = 8
"""A message of so few words that holds what was asked for is the answer, whatever else it looks like."""

Classify = Callable[[list[str]], Awaitable[list["Guess"]]]


@dataclass(frozen=True)
class Guess:
    """What the classifier says of one piece of text."""

    text: str
    ranking: tuple[tuple[str, float], ...]
    out_of_scope: float
    version: Version = SHIPPED
    """The version of triage that says so."""

    @property
    def best(self) -> tuple[str, float]:
        """The most likely intent."""
        return self.ranking[0]

    def weight_of(self, intents: Collection[str]) -> float:
        """The probability that one of these is meant."""
        return sum(p for intent, p in self.ranking if intent in intents)

    def given(self, odds: Mapping[str, float]) -> "Guess":
        """The same for a customer in whose situation some intents are likelier than usual (Bayes' rule)."""
        if not odds:
            return self
        weighed = [(intent, p * odds.get(intent, 1.0)) for intent, p in self.ranking]
        unnamed = max(0.0, 1 - sum(p for _, p in self.ranking))
        total = sum(p for _, p in weighed) + unnamed
        ranking = sorted(((intent, p / total) for intent, p in weighed), key=lambda pair: -pair[1])
        return replace(self, ranking=tuple(ranking))


@dataclass(frozen=True)
class Topics:
    """What the procedures say of an intent."""

    served: frozenset[str]
    """Intents that a procedure serves; others, such as ``contract_dispute``, only raise triggers."""
    small_talk: frozenset[str] = frozenset()
    kin: frozenset[frozenset[str]] = frozenset()
    """Pairs of intents that end in the same effect (a bigger plan, a smaller plan): one message means one of them."""
    acting: frozenset[str] = frozenset()
    """Intents whose procedure makes an offer that changes something."""
    answering: str = ""
    """The intent whose procedure answers from the knowledge base."""
    twins: frozenset[frozenset[str]] = frozenset()
    """Pairs of intents that can only end in one and the same offer, whose values say which of them is meant."""
    referring: frozenset[frozenset[str]] = frozenset()
    """Pairs of intents whose procedures look at the records and invite to each other: nobody need be asked which."""
    subjects: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """What messages may be about (a noun, in the singular) -> the intents that it may mean."""


@dataclass(frozen=True)
class Reading:
    """A message as triage reads it: whole, in pieces, and cut in two wherever two requests could meet."""

    whole: Guess
    parts: tuple[Guess, ...] = ()
    halves: tuple[tuple[Guess, Guess], ...] = ()

    @classmethod
    async def of(cls, text: str, classify: Classify, odds: Mapping[str, float] | None = None) -> "Reading":
        """Read a message; `odds` tell what is likelier than usual for this customer."""
        asked = without_ruled_out(text)
        core = core_of(asked)
        parts, halves = parts_of(core), halves_of(core)
        texts = [asked, *parts, *(half for cut in halves for half in cut)]
        whole, *others = [guess.given(odds or {}) for guess in await classify(texts)]
        of_halves = others[len(parts) :]
        return cls(whole, tuple(others[: len(parts)]), tuple(zip(of_halves[::2], of_halves[1::2], strict=True)))

    def undecided(self, between: Collection[str]) -> "Reading":
        """The same message, of which nothing is known but that it is about one of these intents."""
        meant = dict(self.whole.ranking)
        share = min(EVENLY, 1 / len(between))
        ranking = tuple((intent, share) for intent in sorted(between, key=lambda intent: -meant.get(intent, 0.0)))
        return Reading(replace(self.whole, ranking=ranking, out_of_scope=0.0))

    def pieces(self, requests: tuple[tuple[str, str], ...]) -> tuple[Guess, ...]:
        """What tells how surely these requests were understood: the whole, its parts, and halves that were taken."""
        words = {words for _, words in requests}
        return (self.whole, *self.parts, *(half for cut in self.halves for half in cut if half.text in words))


def route(reading: Reading, frame: Frame, topics: Topics, *, answers: bool = False) -> Route:
    """Decide on the route. `answers`: the message holds what the customer was just asked for."""
    guess, parts = reading.whole, reading.parts
    intent, probability = guess.best
    words = len(guess.text.split())
    if frame.active is not None:
        if words <= (ANSWER_WORDS if answers else 2):
            return Route("continue")
        changes = _requests(reading, topics, at_least=CHANGE)
        return Route("start", changes) if _clear_enough(changes, guess, parts, topics) else Route("continue")
    enough = CLEAR_SMALL_TALK if frame.failed_turns else SMALL_TALK if words <= FEW_WORDS else SECOND
    asked_for = max((p for name, p in guess.ranking if name in topics.served - topics.small_talk), default=0.0)
    if (
        intent in topics.small_talk
        and probability >= enough
        and asked_for <= RIVALRY * probability
        and (words <= CHAT or not any(_other_than(part, topics) for part in parts))
    ):
        return Route("start", ((intent, guess.text),))
    foreign = guess.out_of_scope >= OUT_OF_SCOPE and probability < CHANGE
    found = _requests(reading, topics, at_least=CHANGE if foreign else START)
    if not found and intent in topics.served - topics.small_talk and _confirmed_by_a_part(guess, parts):
        found = ((intent, guess.text),)
    acting = topics.acting & ({name for name, _ in found} or {intent})
    if (
        topics.answering
        and acting
        and (supposes(guess.text) or (found and (asks_how_it_is(guess.text) or asks_terms(guess.text))))
    ):
        return Route("start", ((topics.answering, guess.text),))
    if _clear_enough(found, guess, parts, topics):
        return Route("start", found)
    if foreign and guess.out_of_scope < FOREIGN:  # if it is about something here after all, then about what?
        guess = replace(guess, ranking=tuple((name, p / (1 - guess.out_of_scope)) for name, p in guess.ranking))
    least = MAYBE if foreign else LIKELY
    likely = [name for name, p in guess.ranking[:5] if name in topics.served - topics.small_talk and p >= least]
    if len(likely) > 1 and any(set(likely) == pair for pair in topics.referring):
        return Route("start", ((likely[0], guess.text),))
    return Route("clarify", tuple((name, guess.text) for name in likely[:3])) if likely else Route("out_of_scope")


def _other_than(part: Guess, topics: Topics) -> bool:
    """Whether a sentence says something to be done that is no small talk."""
    return to_be_done(part.text) and part.best[0] not in topics.small_talk


def learned_matter(guess: Guess, parts: Sequence[Guess]) -> tuple[str, float] | None:
    """The matter for people (intent, probability) that people taught triage, where the message is clearly about it."""
    matters = guess.version.matters
    intent, probability = guess.best
    if intent in matters and probability >= (CHANGE if guess.out_of_scope >= OUT_OF_SCOPE else START):
        return intent, probability
    if probability >= START:
        return None
    clear = [part.best for part in parts if part.out_of_scope < OUT_OF_SCOPE and part.best[1] >= SECOND]
    meant = dict(guess.ranking)
    found = [(name, p) for name, p in clear if name in matters and meant.get(name, 0.0) >= LIKELY]
    return found[0] if found and len({name for name, _ in clear}) == 1 else None


def _clear_enough(found: tuple[tuple[str, str], ...], whole: Guess, parts: Sequence[Guess], topics: Topics) -> bool:
    """Whether something was asked for, and clearly so where it would end in an effect.

    Without a rival there is nothing to ask where something was asked for: the offer itself is the question.
    """
    if len(found) != 1 or found[0][0] not in topics.acting:
        return bool(found)
    intent = found[0][0]
    meant = meant_with(intent, topics)
    asking = (whole, *(part for part in parts if not merely_states(part.text)))
    if any(guess.best[0] in meant and guess.weight_of(meant) >= ACT for guess in asking):
        return True
    if not asks(whole.text):  # "we've got eleven seats" may lead to anything
        return False
    only = [part for part in parts if asks(part.text)]
    basis = only[0] if len(only) == 1 and only[0].best[0] == intent else whole  # the other sentences ask for nothing
    return not any(p >= LIKELY and name in topics.served and name not in meant for name, p in basis.ranking)


def _confirmed_by_a_part(guess: Guess, parts: Sequence[Guess]) -> bool:
    """Whether a long message as a whole and one of its sentences agree, though neither is clear for all its words."""
    intent, probability = guess.best
    return probability >= AGREED and any(
        part.best[0] == intent and part.best[1] >= AGREED and part.out_of_scope < OUT_OF_SCOPE for part in parts
    )


def _requests(reading: Reading, topics: Topics, *, at_least: float) -> tuple[tuple[str, str], ...]:
    """The requests in a message with the words that mean them: its parts that are clear, or the whole."""
    guess = reading.whole
    whole, probability = guess.best
    found: dict[str, str] = {}
    latest = before = ""
    for part in reading.parts:
        intent, words = part.best[0], part.text
        if intent in topics.served - topics.small_talk and _is_request(part, guess, at_least):
            if intent != latest and lacks_subject(words):
                words = f"{before} {words}".strip()
            latest = intent
        if latest:  # what is no request of its own belongs to the one before it
            found[latest] = f"{found[latest]} {words}" if latest in found else words
        before = part.text
    if asks_how_to(found.get(topics.answering, "")):  # what is told beside it is why it is asked
        found = {i: words for i, words in found.items() if i == topics.answering or not merely_states(words)}
        if len(found) == 1:
            return ((topics.answering, guess.text),)
    if background := _background(reading, tuple(found)):
        return tuple((intent, guess.text) for intent in found if intent != background)
    found = _without_kin(found, guess, topics)
    if len(found) < 2 and (both := _both_halves(reading, topics)):
        return both
    if probability >= at_least and whole in topics.served - topics.small_talk and whole not in found and len(found) < 2:
        found = {whole: guess.text}
    return tuple((intent, words if len(found) > 1 else guess.text) for intent, words in found.items())


def _background(reading: Reading, found: tuple[str, ...]) -> str:
    """Of two requests the first, where it only tells what the second is about; else nothing.

    "Two seats have stood empty since March. Could we have what we paid for those two back?" asks for no seat to go.
    """
    if len(found) != 2:
        return ""
    first = [part for part in reading.parts if part.best[0] == found[0]]
    second = [part for part in reading.parts if part.best[0] == found[1]]
    told = bool(first) and all(merely_states(part.text) for part in first)
    past = bool(first) and all(tells_of_past(part.text) for part in first)
    about = any(asks(part.text) and (past or points_back(part.text)) for part in second)
    return found[0] if (told or past) and about else ""


def _both_halves(reading: Reading, topics: Topics) -> tuple[tuple[str, str], ...]:
    """Two requests, where the message can be cut so that each half clearly asks for something of its own.

    The whole says little of that: the louder request drowns the other.
    """
    served = topics.served - topics.small_talk - {topics.answering}

    def certainty(cut: tuple[Guess, Guess]) -> float:
        pair = frozenset(half.best[0] for half in cut)
        if len(pair) < 2 or not pair <= served or pair in topics.kin or pair in topics.twins:
            return 0.0
        if reading.whole.best[0] not in pair or any(half.out_of_scope >= OUT_OF_SCOPE for half in cut):
            return 0.0
        meant = [half.weight_of(meant_with(half.best[0], topics)) for half in cut]
        faint = min(weight * (1 - half.out_of_scope) for weight, half in zip(meant, cut, strict=True))
        return faint if max(meant) >= LOUD else 0.0

    best = max(reading.halves, key=certainty, default=None)
    if best is None or certainty(best) < ASIDE:
        return ()
    return tuple((half.best[0], half.text) for half in best)


def meant_with(intent: str, topics: Topics) -> frozenset[str]:
    """The intent and those that can only end in the same offer, or that the records tell from it."""
    return frozenset({intent}).union(*(pair for pair in topics.twins | topics.referring if intent in pair))


def _without_kin(found: dict[str, str], guess: Guess, topics: Topics) -> dict[str, str]:
    """Of two intents that end in the same effect, only the one that the whole message means rather."""
    weights = dict(guess.ranking)
    kept: dict[str, str] = {}
    for intent in sorted(found, key=lambda name: -weights.get(name, 0.0)):
        if not any(frozenset((intent, other)) in topics.kin for other in kept):
            kept[intent] = found[intent] if len(found) > 1 else guess.text
    lost_words = len(kept) < len(found)
    return {intent: guess.text if lost_words and len(kept) == 1 else kept[intent] for intent in found if intent in kept}


def _is_request(part: Guess, whole: Guess, at_least: float) -> bool:
    """Whether a part of a message is a request of its own, not the background of another."""
    intent, probability = part.best
    if probability < max(SECOND, at_least) or part.out_of_scope >= OUT_OF_SCOPE:
        return False
    if rules_out(part.text) or hangs(part.text) or adds_only(part.text) or concludes(part.text):
        return False
    mentioned = dict(whole.ranking).get(intent, 0.0)
    if mentioned < SLIGHT and probability * (1 - part.out_of_scope) < ASIDE:
        return False
    if len(part.text.split()) <= ELLIPTIC and mentioned < MENTIONED and probability < STATED:
        return False
    if intent != whole.best[0] and mentioned < LIKELY and leans(part.text) and not merely_states(part.text):
        return False  # "could you take us down to that?" means what was said before
    if probability >= LISTED and announces_several(whole.text):
        return True
    return not merely_states(part.text) or (probability >= STATED and mentioned >= whole.best[1] / 2)
