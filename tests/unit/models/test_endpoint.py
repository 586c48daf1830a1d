"""The messages as they are sent and taken over, and what an error status is worth."""

import httpx2
import openai
import pytest
from langchain_core.messages import AIMessage, BaseMessage, HumanMessage, SystemMessage, ToolMessage

from agents.models.chain import SERVED_BY, replayable
from agents.models.endpoint import PUT_OFF, failure_of, well_formed
from agents.models.failure import Declined, EndpointBusy, EndpointFailed, EndpointRefused


def proposal(*ids: str, by: str | None = "scripted") -> AIMessage:
    """Calls of a model."""
    calls = [{"name": "x__y", "args": {}, "id": id_, "type": "tool_call"} for id_ in ids]
    return AIMessage("", tool_calls=calls, response_metadata={SERVED_BY: by} if by else {})  # type: ignore[list-item]


def outcome(id_: str, text: str = "{}", *, failed: bool = False) -> ToolMessage:
    """What became of a call."""
    return ToolMessage(text, tool_call_id=id_, status="error" if failed else "success")


def test_a_call_that_nobody_answered_is_put_off() -> None:
    sent = well_formed([HumanMessage("hi"), proposal("a", "b"), outcome("a"), proposal("c"), outcome("c")])
    answers = [(message.tool_call_id, message.text) for message in sent if isinstance(message, ToolMessage)]
    assert sorted(answers) == [("a", "{}"), ("b", PUT_OFF), ("c", "{}")]
    assert [type(message) for message in sent[:4]] == [HumanMessage, AIMessage, ToolMessage, ToolMessage]


def test_messages_of_one_side_in_a_row_become_one() -> None:
    sent = well_formed(
        [SystemMessage("s"), HumanMessage("a"), HumanMessage("b"), AIMessage("c"), AIMessage("d"), HumanMessage("e")]
    )
    assert [(message.type, message.text) for message in sent] == [
        ("system", "s"), ("human", "a\n\nb"), ("ai", "c\n\nd"), ("human", "e"),
    ]  # fmt: skip


def test_calls_are_never_merged_into_words() -> None:
    messages: list[BaseMessage] = [AIMessage("a"), proposal("x"), outcome("x"), AIMessage("b")]
    assert well_formed(messages) == messages


def test_the_embedded_model_takes_over_results_but_not_the_endpoints_failed_calls() -> None:
    taken_over = replayable(
        [
            proposal("offer", by=None), outcome("offer", "declined by the bank", failed=True),
            proposal("a", "b"), outcome("a"), outcome("b", "refused", failed=True),
            proposal("b", by="embedded"), outcome("b", "refused again", failed=True),
        ]
    )  # fmt: skip
    kept = [message.text for message in taken_over if isinstance(message, ToolMessage)]
    assert kept == ["declined by the bank", "{}", "refused again"]


def status(code: int, body: dict[str, str] | None = None, **headers: str) -> EndpointFailed:
    """What an answer with this status is taken for."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    response = httpx2.Response(code, headers=named, request=httpx2.Request("POST", "http://127.0.0.1/v1"))
    message = f"Error code: {code} - {(body or {}).get('message', '')}"
    return failure_of(openai.APIStatusError(message, response=response, body=body))


@pytest.mark.parametrize("code", [408, 409, 425, 429, 500, 502, 503, 504, 529])
def test_what_may_pass_is_worth_another_attempt(code: int) -> None:
    assert isinstance(status(code), EndpointBusy)


@pytest.mark.parametrize("code", [301, 307, 400, 401, 403, 404, 405, 422])
def test_what_will_not_pass_is_not(code: int) -> None:
    assert isinstance(status(code), EndpointRefused)


def test_a_spent_quota_is_for_an_operator_though_it_says_429() -> None:
    assert isinstance(status(429, {"code": "insufficient_quota"}), EndpointRefused)


@pytest.mark.parametrize(
    "message",
    [
        "This model's maximum context length is 8192 tokens. However, you requested 9031 tokens",
        "request (9031 tokens) exceeds the available context size (8192 tokens), try increasing it",
        "prompt is too long: 9031 tokens > 8192 maximum",
    ],
)
def test_too_long_a_conversation_is_no_fault_of_the_endpoint(message: str) -> None:
    assert isinstance(status(400, {"message": message}), Declined)
    assert isinstance(status(413), Declined)
    assert isinstance(status(400, {"code": "content_filter"}), Declined)


def test_a_wait_is_read_in_seconds_or_as_a_date_by_the_servers_own_clock() -> None:
    now, later = "Wed, 21 Oct 2026 07:28:00 GMT", "Wed, 21 Oct 2026 07:28:07 GMT"
    for headers, seconds in (
        ({"retry_after": "3"}, 3.0),
        ({"retry_after": "0.5"}, 0.5),
        ({"retry_after": "-3"}, 0.0),
        ({"retry_after": later, "date": now}, 7.0),
        ({"retry_after": now, "date": later}, 0.0),
        ({"retry_after": later}, None),
        ({"retry_after": "soon"}, None),
        ({"retry_after": "nan"}, None),
        ({"retry_after": "inf"}, None),
        ({}, None),
    ):
        failure = status(429, **headers)
        assert isinstance(failure, EndpointBusy) and failure.retry_after == seconds, headers


def test_what_may_be_recorded_of_a_failure_holds_nothing_that_the_endpoint_wrote() -> None:
    failure = status(401, {"message": "Incorrect API key\nprovided: sk-1234"})
    assert str(failure) == "answered 401"
    assert failure.detail == "Error code: 401 - Incorrect API key provided: sk-1234"
