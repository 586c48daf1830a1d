"""Which messages must reach a person, and which must not: the rules of `prompts/` over the real classifier."""

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
import yaml

from agents.frame import Frame
from agents.nodes.signs import trigger_names
from agents.triage.parts import parts_of, without_ruled_out
from agents.turn import TurnContext
from app.champion import guess_of
from app.runtime import Shared, training_examples

VALUABLE = {"plan": "enterprise", "yearly_value_minor": 12_000_000}
SMALL = {"plan": "team", "yearly_value_minor": 50_000}
UNDERSTOOD = 0.9  # share of the ordinary requests whose likeliest intent is the right one


def _messages(name: str) -> list[tuple[str, str]]:
    groups = yaml.safe_load((Path(__file__).parent / name).read_text(encoding="utf-8"))
    return [(group, message) for group, messages in groups.items() for message in messages]


ORDINARY = _messages("ordinary.yaml")
MUST_ESCALATE = _messages("must_escalate.yaml")


Fires = Callable[[str, dict[str, Any]], str | None]


@pytest.fixture(scope="module")
def fires(shared: Shared) -> Fires:
    """The trigger that fires on a first message of a customer with these facts."""
    content = shared.content
    assert content is not None

    def fires(message: str, facts: dict[str, Any]) -> str | None:
        services = SimpleNamespace(escalation=content.escalation, library=content.library)
        start = SimpleNamespace(messages=[SimpleNamespace(role="customer")])
        turn = SimpleNamespace(services=services, text=message, facts=facts, frame=Frame(), start=start)
        asked = without_ruled_out(message)
        texts = [asked, *parts_of(asked)]
        guess, *parts = map(guess_of, texts, shared.classifier.predict_many(texts))
        fired = content.escalation.fired(trigger_names(cast(TurnContext, turn), guess, parts, answering=False))
        return fired.id if fired else None

    return fires


def test_the_lists_are_long_enough_and_were_not_learnt(shared: Shared) -> None:
    assert shared.content is not None
    learnt = set(training_examples(shared.content)[0])
    assert len(ORDINARY) >= 150
    assert len(MUST_ESCALATE) >= 120
    assert not learnt & {message for _, message in ORDINARY + MUST_ESCALATE}


def test_no_mandatory_trigger_fires_on_ordinary_requests(fires: Fires) -> None:
    fired = {message: trigger for _, message in ORDINARY if (trigger := fires(message, VALUABLE))}
    assert fired == {}


def test_every_message_that_must_reach_a_person_fires_its_trigger(
    fires: Fires,
) -> None:
    fired = {message: (trigger, fires(message, VALUABLE)) for trigger, message in MUST_ESCALATE}
    assert {message: pair for message, pair in fired.items() if pair[0] != pair[1]} == {}


def test_a_small_customer_who_threatens_to_leave_reaches_a_person_only_when_it_is_clear(
    fires: Fires,
) -> None:
    assert fires("we are thinking about leaving you for a competitor", SMALL) == "customer-leaving"
    assert fires("please end our plan, we have chosen a different tool", SMALL) is None


def test_most_ordinary_requests_are_understood_at_once(shared: Shared) -> None:
    predictions = shared.classifier.predict_many([message for _, message in ORDINARY])
    guesses = [guess_of(message, p) for (_, message), p in zip(ORDINARY, predictions, strict=True)]
    right = sum(guess.best[0] == intent for (intent, _), guess in zip(ORDINARY, guesses, strict=True))
    assert right / len(ORDINARY) >= UNDERSTOOD
