"""A conversation of two hundred messages: each is answered, and what a turn starts from stays small."""

import json

from talking import Talk

from app.runtime import Runtime

ROUND = (
    "how much of our quota is used",
    "add 2 seats please",
    "no, leave it",
    "thanks",
)
ROUNDS = 50
STATE_BYTES = 20_000


async def test_two_hundred_messages_are_answered_from_a_state_that_does_not_grow(runtime: Runtime) -> None:
    talk = Talk(runtime, "cus_008")
    first: list[str] = []
    for number in range(ROUNDS):
        replies = [(await talk.say(text))["reply"] for text in ROUND]
        first = first or replies
        assert replies == first, number
    record = await talk.record()
    said = [message["role"] for message in record["messages"]]
    assert said == ["customer", "agent"] * (ROUNDS * len(ROUND))
    assert record["effects"] == []
    conversation = await runtime.services.transcript.get(talk.conversation_id)
    assert len(json.dumps(conversation.frame)) < STATE_BYTES
