"""Whatever goes wrong at the backend: what the customer is told is what the backend's books say."""

import pytest
from served import Served

from tools.sandbox.backend import Fault

CALL = "billing.refund"
READ_BACK = "billing.refund.read_back"

DONE = "29.00 EUR is on its way back"
NOTHING_CHANGED = "I have changed nothing"


async def refunds(service: Served) -> int:
    """How many refunds the backend made to the customer."""
    assert service.runtime is not None
    return sum(row["customer_id"] == "cus_001" for row in (await service.runtime.sandbox.dump())["refunds"])


@pytest.mark.parametrize(
    ("faults", "made"),
    [
        ({CALL: [Fault.TIMEOUT_AFTER]}, 1),
        ({CALL: [Fault.TIMEOUT_BEFORE]}, 1),
        ({CALL: [Fault.UNAVAILABLE, Fault.TIMEOUT_AFTER]}, 1),
        ({READ_BACK: [Fault.UNAVAILABLE]}, 1),
        ({READ_BACK: [Fault.REFUSED]}, 1),
    ],
)
async def test_a_refund_that_took_more_than_one_attempt_is_made_once_and_told_as_done(
    service: Served, faults: dict[str, list[Fault]], made: int
) -> None:
    customer = service.customer("cus_001")
    await customer.say("I was charged twice this month")
    for operation, queue in faults.items():
        service.runtime.sandbox.faults.add(operation, *queue)  # type: ignore[union-attr]
    turn = await customer.say("yes please")
    assert await refunds(service) == made
    assert DONE in turn["reply"]
    assert turn["disposition"] == "resolved"


@pytest.mark.parametrize("faults", [[Fault.REFUSED], [Fault.UNAVAILABLE] * 3, [Fault.TIMEOUT_BEFORE] * 3])
async def test_a_refund_that_was_not_made_is_not_claimed_and_goes_to_a_person(
    service: Served, faults: list[Fault]
) -> None:
    customer = service.customer("cus_001")
    await customer.say("I was charged twice this month")
    service.runtime.sandbox.faults.add(CALL, *faults)  # type: ignore[union-attr]
    turn = await customer.say("yes please")
    assert await refunds(service) == 0
    assert "on its way" not in turn["reply"]
    assert NOTHING_CHANGED in turn["reply"]
    assert turn["disposition"] == "escalated"
    (handoff,) = (await service.record(customer.conversation_id))["handoffs"]
    assert [effect["state"] for effect in handoff["packet"]["effects"]] == ["failed"]


@pytest.mark.parametrize(
    ("faults", "made"),
    [
        ({CALL: [Fault.TIMEOUT_AFTER], READ_BACK: [Fault.UNAVAILABLE]}, 1),
        ({CALL: [Fault.TIMEOUT_BEFORE], READ_BACK: [Fault.TIMEOUT_BEFORE]}, 0),
        ({READ_BACK: [Fault.REFUSED, Fault.REFUSED]}, 1),
    ],
)
async def test_a_refund_of_which_nobody_knows_is_neither_claimed_nor_denied(
    service: Served, faults: dict[str, list[Fault]], made: int
) -> None:
    customer = service.customer("cus_001")
    await customer.say("I was charged twice this month")
    for operation, queue in faults.items():
        service.runtime.sandbox.faults.add(operation, *queue)  # type: ignore[union-attr]
    turn = await customer.say("yes please")
    assert await refunds(service) == made
    assert "on its way" not in turn["reply"]
    assert NOTHING_CHANGED not in turn["reply"]
    assert turn["disposition"] == "escalated"
    (handoff,) = (await service.record(customer.conversation_id))["handoffs"]
    assert [effect["state"] for effect in handoff["packet"]["effects"]] == ["unknown"]
    for row in await service.runtime.services.ledger.open_rows():  # type: ignore[union-attr]
        await service.runtime.services.ledger.settle(row)  # type: ignore[union-attr]
    (effect,) = (await service.record(customer.conversation_id))["effects"]
    assert effect["state"] == ("verified" if made else "failed")
    assert await refunds(service) == made, "the person who has the case may have made it by hand"
