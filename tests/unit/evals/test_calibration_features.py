"""What a recorded conversation tells about itself."""

from typing import Any

import pytest

from evals.calibration.conversation import follow, kind_of
from evals.calibration.features import SIGNS, Features, Signs
from evals.recordings import Recording

FOUND = '{"invoice": "in_7", "total": 40}'


def recording(*messages: tuple[Any, ...]) -> Recording:
    """Messages as (role, text), an agent's call as ("call", tool, arguments, result)."""
    rows: list[dict[str, Any]] = []
    for number, message in enumerate(messages):
        if message[0] == "call":
            _, tool, arguments, result = message
            rows.append({"role": "agent", "tool_calls": [{"id": f"c{number}", "name": tool, "arguments": arguments}]})
            rows.append({"role": "tool", "text": result, "tool_call_id": f"c{number}"})
        else:
            rows.append({"role": message[0], "text": message[1]})
    return Recording.model_validate({"id": "r", "messages": rows})


def features(*messages: tuple[Any, ...]) -> Features:
    return Features.of(recording(*messages))


@pytest.mark.parametrize(
    ("tool", "kind"),
    [
        ("get_user_details", "read"),
        ("billing.invoice.get", "read"),
        ("searchFlights", "search"),
        ("calculate", "calculation"),
        ("transfer_to_human_agents", "handover"),
        ("transfer_money", "write"),
        ("escalate", "handover"),
        ("update_address", "write"),
        ("settings_update", "write"),
        ("budget", "write"),
        ("", "write"),
    ],
)
def test_the_name_of_a_tool_tells_what_it_does(tool: str, kind: str) -> None:
    assert kind_of(tool) == kind


def test_a_value_counts_as_unsaid_and_as_ungrounded_by_what_came_before_the_call() -> None:
    found = features(
        ("customer", "Refund invoice IN_7 please"),
        ("call", "get_invoice", {"id": "in_7"}, FOUND),
        ("agent", "Shall I go ahead?"),
        ("customer", "Yes"),
        ("call", "refund", {"invoice": "in_7", "lines": [{"amount": 40}, {"tax": 3}]}, "done, 3 more"),
        ("agent", "I refunded 40 and 3."),
    )
    assert (found.writes, found.arguments, found.numeric_arguments) == (1, 3, 2)
    assert found.unsaid_arguments == 2  # 40 and 3
    assert found.ungrounded_arguments == 1  # 3; a tool had returned 40


def test_part_of_a_longer_word_is_no_ground() -> None:
    found = features(("customer", "yes, 1400 please"), ("call", "refund", {"amount": 40}, "done"))
    assert found.ungrounded_arguments == 1


def test_a_failed_write_is_none_that_was_done() -> None:
    found = features(
        ("customer", "Yes"),
        ("call", "refund", {"invoice": "in_7"}, "Error: not found"),
        ("call", "refund", {"invoice": "in_7"}, '{"error": "not found"}'),
        ("call", "refund", {"invoice": "in_8"}, "BackendError: down"),
    )
    assert (found.writes, found.failed_writes, found.arguments) == (0, 3, 0)


def test_a_change_to_the_same_thing_again_is_a_repeat_and_one_without_a_yes_is_unconfirmed() -> None:
    found = features(
        ("customer", "Cancel in_7"),
        ("call", "cancel", {"invoice": "in_7"}, "done"),
        ("call", "cancel", {"invoice": "in_7"}, "done"),
        ("customer", "Yes, in_8 too"),
        ("call", "cancel", {"invoice": "in_8"}, "done"),
    )
    assert (found.writes, found.repeated_writes, found.unconfirmed_writes) == (3, 1, 2)


def test_answers_reach_their_calls_even_where_ids_are_used_twice() -> None:
    conversation = follow(
        Recording.model_validate(
            {
                "id": "r",
                "messages": [
                    {"role": "customer", "text": "both"},
                    {"role": "agent", "tool_calls": [{"id": "a", "name": "cancel"}, {"id": "b", "name": "refund"}]},
                    {"role": "tool", "text": "Error: no", "tool_call_id": "b"},
                    {"role": "tool", "text": "done"},
                    {"role": "agent", "tool_calls": [{"id": "b", "name": "refund"}]},
                    {"role": "tool", "text": "done", "tool_call_id": "b"},
                ],
            }
        )
    )
    assert [(call.tool, call.failed) for call in conversation.calls] == [
        ("cancel", False),
        ("refund", True),
        ("refund", False),
    ]


def test_a_refusal_counts_where_it_says_why() -> None:
    found = features(
        ("customer", "Refund me"),
        ("agent", "Unfortunately, your policy does not cover it. I cannot see that."),
    )
    assert found.reasoned_refusals == 1


def test_nobody_is_left_waiting_who_was_handed_over() -> None:
    asked = ("agent", "Please provide your order number.")
    assert features(("customer", "Where is it?"), asked).left_waiting == 1
    handed_over = features(("customer", "Where is it?"), asked, ("call", "transfer_to_human", {}, "ok"))
    assert (handed_over.left_waiting, handed_over.handed_over, handed_over.requests_for_details) == (0, 1, 1)


def test_each_sign_speaks_only_in_its_own_case() -> None:
    quiet = [features(("customer", "Hi"), ("agent", f"{'No, because of the policy I cannot. ' * n}")) for n in range(3)]
    busy = [features(("customer", "Yes"), ("call", "book", {str(k): k for k in range(n)}, "done")) for n in range(1, 4)]
    signs = dict(zip(SIGNS, Signs.fit(quiet + busy).of(quiet + busy).T, strict=True))
    assert list(signs["acted"]) == [-1, -1, -1, 1, 1, 1]
    assert list(signs["load"][:3]) == [0, 0, 0] and list(signs["load"][3:]) == sorted(signs["load"][3:])
    assert signs["load"][3] < signs["load"][5]
    assert list(signs["served"][3:]) == [0, 0, 0] and signs["served"][0] < signs["served"][1] < signs["served"][2]
