"""Questions that lean on the conversation are looked up with what they lean on."""

import pytest
from sqlmodel import select
from talking import Talk

from app.runtime import Runtime
from records.turn import TurnStep


async def last_searched(talk: Talk) -> str:
    """What the latest retrieval of the conversation searched for."""
    async with talk.runtime.services.database.read() as session:
        mine = select(TurnStep).where(TurnStep.conversation_id == talk.conversation_id, TurnStep.kind == "retrieval")
        steps = (await session.scalars(mine)).all()
    return max(steps, key=lambda step: step.at).payload["query"]


@pytest.mark.parametrize(
    ("first", "second", "words"),
    [
        ("how do i rotate an api key without downtime?", "and how often should we do that?", "90 days"),
        ("how long do you keep backups of a database?", "are they deleted together with it?", "deleted together"),
    ],
)
async def test_a_question_that_points_back_is_answered_from_the_same_matter(
    runtime: Runtime, first: str, second: str, words: str
) -> None:
    talk = Talk(runtime, "cus_008")
    await talk.say(first)
    answer = await talk.say(second)
    assert words in answer["reply"]
    assert await last_searched(talk) == f"{first}\n{second}"


async def test_a_question_on_another_subject_is_looked_up_alone(runtime: Runtime) -> None:
    talk = Talk(runtime, "cus_008")
    await talk.say("how do i rotate an api key without downtime?")
    await talk.say("and what are your support hours?")
    assert await last_searched(talk) == "and what are your support hours?"
