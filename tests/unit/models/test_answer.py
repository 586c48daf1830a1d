"""What of an endpoint's answer may count as a proposal."""

import pytest

from agents.models.answer import MAX_CALLS, MAX_TEXT, RawAnswer, RawCall, proposal_in
from agents.models.failure import Declined, Nonsense


def raw(text: str = "", *calls: RawCall, finish_reason: str | None = "stop", **more: object) -> RawAnswer:
    """An answer that cost seven tokens and three."""
    return RawAnswer(text, calls, finish_reason, tokens_in=7, tokens_out=3, **more)  # type: ignore[arg-type]


def call(arguments: object = "{}", name: object = "billing__refund", id_: object = "call_1") -> RawCall:
    """A tool call."""
    return RawCall(id_, name, arguments)


def test_a_text_and_calls_are_both_kept() -> None:
    message = proposal_in(raw(" One moment. ", call('{"amount": 2900}'), finish_reason="tool_calls"))
    assert message.text == "One moment."
    (made,) = message.tool_calls
    assert (made["name"], made["args"], made["id"]) == ("billing__refund", {"amount": 2900}, "call_1")


def test_a_model_may_leave_out_empty_arguments() -> None:
    assert proposal_in(raw("", call(""))).tool_calls[0]["args"] == {}


def test_only_a_whole_json_object_counts_as_arguments() -> None:
    for broken in (
        '{"amount": 2900',
        '{"amount": 2900}}',
        "[2900]",
        "null",
        "2900",
        '"x"',
        "{'amount': 2900}",
        [],
        None,
        3,
    ):
        with pytest.raises(Nonsense):
            proposal_in(raw("", call(broken)))


def test_numbers_and_characters_that_no_record_can_hold_are_refused() -> None:
    for strange in ('{"a": NaN}', '{"a": -Infinity}', '{"a": 1e999}', '{"a": 9223372036854775808}', '{"a": "\\u0000"}',
                    '{"a": ["\\ud800"]}', '{"\\udfff": 1}'):  # fmt: skip
        with pytest.raises(Nonsense):
            proposal_in(raw("", call(strange)))
    assert proposal_in(raw("", call('{"a": 9223372036854775807, "b": "\\ud83d\\ude00"}'))).tool_calls


def test_every_call_gets_an_id_of_its_own() -> None:
    calls = [call(id_=given) for given in ("c", "c", None, "", 7, "a b", "old", "x" * 65)]
    ids = [made["id"] for made in proposal_in(raw("", *calls), taken_ids={"old", "call_again_1"}).tool_calls]
    assert ids[0] == "c"
    assert len({*ids, "old", "call_again_1"}) == len(calls) + 2


def test_an_answer_counts_only_where_the_model_came_to_its_own_end() -> None:
    for reason in ("length", "content_filter"):
        with pytest.raises(Declined):
            proposal_in(raw("Your refund", finish_reason=reason))
    with pytest.raises(Nonsense):
        proposal_in(raw("Your refund", finish_reason="error"))
    with pytest.raises(Nonsense):
        proposal_in(raw("Your refund", finish_reason=None, streamed=True))
    assert proposal_in(raw("Your refund", finish_reason=None)).text == "Your refund"


def test_what_an_unusable_answer_cost_is_known() -> None:
    with pytest.raises(Declined) as refused:
        proposal_in(raw("", refusal="no"))
    assert (refused.value.tokens_in, refused.value.tokens_out) == (7, 3)


def test_nothing_is_accepted_that_is_too_large_or_empty() -> None:
    for answer in (raw(""), raw(" \n"), raw("x" * (MAX_TEXT + 1)), raw("", *[call()] * (MAX_CALLS + 1)),
                   raw("", call('{"a": "' + "x" * 20_000 + '"}'))):  # fmt: skip
        with pytest.raises(Nonsense):
            proposal_in(answer)
    assert len(proposal_in(raw("", *[call()] * MAX_CALLS)).tool_calls) == MAX_CALLS


def test_thoughts_are_taken_off_the_front_and_refused_elsewhere() -> None:
    assert proposal_in(raw("\n<think>a\n<b>c</b></think>\n Hello.")).text == "Hello."
    for mixed in ("<think>Hello.", "Hello.</think>", "Hello. <think>x</think>", "<think>a</think><think>b</think>c"):
        with pytest.raises(Nonsense):
            proposal_in(raw(mixed))
