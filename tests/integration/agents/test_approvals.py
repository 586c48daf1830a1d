"""What policy allows only with a person's approval: it waits, and everybody is told how it ends."""

from datetime import timedelta

import pytest
from talking import Talk

from app import handoffs
from app.api.problems import Problem
from app.identity import Staff
from app.runtime import Runtime, Shared, running
from app.settings import Settings
from records.clock import system_clock
from records.offer import Approval
from records.transcript import WINDOW
from records.turn import Turn
from tools.sandbox.access import RoleChange

APPROVER = Staff("approver@example.com", "approver")


async def _parked(runtime: Runtime) -> tuple[Talk, str]:
    """cus_043 was charged twice over the limit, and said yes to the refund."""
    talk = Talk(runtime, "cus_043")
    await talk.say("We paid invoice 4304 twice, once on the 1st and once on the 2nd. Kindly return the second payment.")
    waiting = await talk.say("yes, please go ahead")
    assert waiting["disposition"] == "awaiting_approval"
    assert await talk.backend("refunds") == []
    return talk, (await talk.record())["approvals"][0]["id"]


async def test_an_approved_effect_is_done_and_the_customer_told(runtime: Runtime) -> None:
    talk, approval = await _parked(runtime)
    decided = await handoffs.decide_approval(runtime, approval, APPROVER, True, "")
    assert decided["state"] == "approved"
    assert len(await talk.backend("refunds")) == 1
    record = await talk.record()
    assert record["messages"][-1]["role"] == "agent"
    assert "696.00 EUR" in record["messages"][-1]["text"]
    assert record["disposition"] == "resolved"


async def test_a_denied_one_is_not_and_the_customer_hears_why(runtime: Runtime) -> None:
    talk, approval = await _parked(runtime)
    await handoffs.decide_approval(runtime, approval, APPROVER, False, "the second payment bounced")
    assert await talk.backend("refunds") == []
    assert "the second payment bounced" in (await talk.record())["messages"][-1]["text"]


async def test_nobody_decides_twice(runtime: Runtime) -> None:
    _, approval = await _parked(runtime)
    await handoffs.decide_approval(runtime, approval, APPROVER, False, "")
    with pytest.raises(Problem, match="Already decided"):
        await handoffs.decide_approval(runtime, approval, APPROVER, True, "")


async def test_what_nobody_waits_for_any_more_is_not_approved(runtime: Runtime) -> None:
    talk, approval = await _parked(runtime)
    async with runtime.services.database.write() as session:
        asked = await session.get_one(Approval, approval)
        (await session.get_one(Turn, asked.turn_id)).state = "superseded"
    with pytest.raises(Problem, match="No longer wanted"):
        await handoffs.decide_approval(runtime, approval, APPROVER, True, "")
    assert await talk.backend("refunds") == []


async def test_meanwhile_the_conversation_goes_on(runtime: Runtime) -> None:
    talk, approval = await _parked(runtime)
    turn = await talk.say("how many seats come with the starter plan?")
    assert turn["disposition"] in ("resolved", "awaiting_customer")
    await handoffs.decide_approval(runtime, approval, APPROVER, True, "")
    assert len(await talk.backend("refunds")) == 1


@pytest.mark.parametrize("words", ["never mind, please do not refund it", "no, leave it", "I changed my mind, thanks"])
async def test_what_the_customer_takes_back_is_no_longer_put_to_anybody(runtime: Runtime, words: str) -> None:
    talk, approval = await _parked(runtime)
    turn = await talk.say(words)
    assert "taken the request back" in turn["reply"]
    assert "696.00 EUR" in turn["reply"]
    record = await talk.record()
    assert [(one["state"], one["decided_by"]) for one in record["approvals"]] == [("withdrawn", None)]
    with pytest.raises(Problem, match="Already decided"):
        await handoffs.decide_approval(runtime, approval, APPROVER, True, "")
    assert await talk.backend("refunds") == []
    assert (await talk.say("yes please"))["reply"] != ""
    assert await talk.backend("refunds") == []


async def test_after_words_of_doubt_the_customer_is_asked_again_when_it_is_approved(runtime: Runtime) -> None:
    talk, approval = await _parked(runtime)
    held = await talk.say("hm, not yet please")
    assert held["disposition"] == "awaiting_approval"
    assert "ask you once more before anything is done" in held["reply"]
    await handoffs.decide_approval(runtime, approval, APPROVER, True, "")
    assert await talk.backend("refunds") == []
    asked = (await talk.record())["messages"][-1]["text"]
    assert "ask you once more" in asked
    assert "Shall I refund 696.00 EUR" in asked
    done = await talk.say("yes, do it")
    assert done["disposition"] == "resolved"
    assert len(await talk.backend("refunds")) == 1
    await talk.say("yes, do it")
    assert len(await talk.backend("refunds")) == 1


async def test_doubt_is_not_forgotten_however_much_is_written_after_it(runtime: Runtime) -> None:
    talk, approval = await _parked(runtime)
    await talk.say("hm, not yet please")
    for _ in range(WINDOW // 2 + 1):
        await talk.say("how many seats come with the starter plan?")
    await handoffs.decide_approval(runtime, approval, APPROVER, True, "")
    assert await talk.backend("refunds") == []
    assert "ask you once more" in (await talk.record())["messages"][-1]["text"]


async def test_a_no_to_something_else_takes_back_nothing(runtime: Runtime) -> None:
    talk, approval = await _parked(runtime)
    offered = await talk.say("and add 2 seats please")
    assert offered["disposition"] == "awaiting_customer"
    await talk.say("no")
    assert [one["state"] for one in (await talk.record())["approvals"]] == ["pending"]
    await handoffs.decide_approval(runtime, approval, APPROVER, True, "")
    assert "ask you once more" in (await talk.record())["messages"][-1]["text"]


@pytest.mark.parametrize("way", ["taken over", "asked for"])
async def test_a_person_who_has_the_conversation_has_what_waited_too(runtime: Runtime, way: str) -> None:
    talk, approval = await _parked(runtime)
    if way == "taken over":
        await handoffs.take_over(runtime, talk.conversation_id, Staff("rep@example.com", "rep"))
    else:
        await talk.say("I would like to talk to a person")
    record = await talk.record()
    assert record["disposition"] == "escalated"
    assert [one["state"] for one in record["approvals"]] == ["withdrawn"]
    (handoff,) = record["handoffs"]
    assert "696.00 EUR" in handoff["packet"]["detail"]
    assert [one["tool"] for one in handoff["packet"]["withdrawn"]] == ["billing.refund"]
    with pytest.raises(Problem, match="Already decided"):
        await handoffs.decide_approval(runtime, approval, APPROVER, True, "")
    assert await talk.backend("refunds") == []


async def test_an_approval_that_nobody_decides_expires_and_the_customer_is_told(
    settings: Settings, shared: Shared
) -> None:
    ahead = timedelta()
    async with running(settings, clock=lambda: system_clock() + ahead, shared=shared, background=False) as runtime:
        talk, _ = await _parked(runtime)
        ahead = timedelta(hours=25)
        (turn_id,) = await runtime.services.transcript.decided_turns()
        await runtime.turns.resume(turn_id)
        record = await talk.record()
        assert record["approvals"][0]["state"] == "expired"
        assert "could not get an approval in time" in record["messages"][-1]["text"]
        assert await talk.backend("refunds") == []
        assert await runtime.services.transcript.decided_turns() == []


async def test_an_approval_survives_a_restart(settings: Settings, shared: Shared) -> None:
    async with running(settings, shared=shared, background=False) as runtime:
        talk, approval = await _parked(runtime)
    async with running(settings, shared=shared, background=False) as runtime:
        await handoffs.decide_approval(runtime, approval, APPROVER, True, "")
        later = Talk(runtime, "cus_043", talk.conversation_id)
        assert len(await later.backend("refunds")) == 1


async def test_only_a_parked_turn_leaves_a_checkpoint(runtime: Runtime) -> None:
    async def checkpoints() -> int:
        saver = runtime.turns.graph.checkpointer
        return len([row async for row in saver.alist(None)])  # type: ignore[union-attr]

    await Talk(runtime, "cus_008").say("add 3 seats please")
    assert await checkpoints() == 0
    _, approval = await _parked(runtime)
    assert await checkpoints() == 1
    await handoffs.decide_approval(runtime, approval, APPROVER, True, "")
    assert await checkpoints() == 0


async def _asked(runtime: Runtime, approval: str) -> Approval:
    async with runtime.services.database.read() as session:
        return await session.get_one(Approval, approval)


async def test_what_is_approved_instead_is_put_to_the_customer_and_done_with_their_yes(runtime: Runtime) -> None:
    talk, approval = await _parked(runtime)
    less = {**(await _asked(runtime, approval)).arguments, "amount": 30_000}
    decided = await handoffs.decide_approval(runtime, approval, APPROVER, True, "half is our fault", less)
    assert decided["state"] == "approved"
    assert await talk.backend("refunds") == []
    record = await talk.record()
    assert "half is our fault" in record["messages"][-1]["text"]
    assert "300.00 EUR" in record["messages"][-1]["text"]
    assert (await talk.say("yes, fine"))["disposition"] == "resolved"
    assert [refund["amount"] for refund in await talk.backend("refunds")] == [30_000]
    (decision,) = [d for d in (await talk.record())["decisions"] if d["verdict"] == "permitted" and d["origins"]][-1:]
    assert decision["origins"]["amount"] == {"origin": "policy", "source": f"approval {approval}"}


async def test_it_is_good_for_once(runtime: Runtime) -> None:
    talk, approval = await _parked(runtime)
    less = {**(await _asked(runtime, approval)).arguments, "amount": 30_000}
    await handoffs.decide_approval(runtime, approval, APPROVER, True, "", less)
    await talk.say("yes")
    await talk.say("please refund another 300.00 EUR of invoice 4304")
    await talk.say("yes")
    assert len(await talk.backend("refunds")) == 1


async def test_what_the_rules_forbid_is_not_approved_either(runtime: Runtime) -> None:
    talk, approval = await _parked(runtime)
    more = {**(await _asked(runtime, approval)).arguments, "amount": 9_000_000}
    await handoffs.decide_approval(runtime, approval, APPROVER, True, "", more)
    assert "the rules do not allow that either" in (await talk.record())["messages"][-1]["text"]
    await talk.say("yes")
    assert await talk.backend("refunds") == []


async def test_a_change_that_the_tool_cannot_take_is_named(runtime: Runtime) -> None:
    _, approval = await _parked(runtime)
    with pytest.raises(Problem, match="It cannot be approved like that"):
        await handoffs.decide_approval(runtime, approval, APPROVER, True, "", {"amount": "a lot"})
    assert (await _asked(runtime, approval)).state == "pending"


async def test_what_became_impossible_meanwhile_is_not_told_as_a_change(runtime: Runtime) -> None:
    talk, approval = await _parked(runtime)
    refund = runtime.services.registry.get("billing.refund")
    wanted = (await _asked(runtime, approval)).arguments
    await refund.call("cus_043", refund.arguments.model_validate(wanted), "by hand")
    await handoffs.decide_approval(runtime, approval, APPROVER, True, "")
    assert "something else" not in (await talk.record())["messages"][-1]["text"]
    assert len(await talk.backend("refunds")) == 1


async def test_nobody_approves_their_own_request(runtime: Runtime) -> None:
    talk, approval = await _parked(runtime)
    facts = await runtime.services.customer_facts("cus_043")
    with pytest.raises(Problem, match="Your own request"):
        await handoffs.decide_approval(runtime, approval, Staff(str(facts["contact_email"]), "approver"), True, "")
    await runtime.services.transcript.add_person_message(talk.conversation_id, "I asked for it.", "lead@example.com")
    with pytest.raises(Problem, match="Your own request"):
        await handoffs.decide_approval(runtime, approval, Staff("Lead@example.com", "lead"), True, "")
    assert await talk.backend("refunds") == []


async def test_a_role_that_opens_little_costs_little_when_it_is_wrong(runtime: Runtime) -> None:
    talk = Talk(runtime, "cus_008")
    await talk.say("please make Ian Frost a viewer")
    decided = [d for d in (await talk.record())["decisions"] if d["proposal"].get("tool") == "access.change_role"]
    weighed = next(check["figures"] for check in decided[-1]["checks"] if check["check"] == "confidence")
    assert weighed["loss_terms"]["mistake"] == 7_000
    tool = runtime.services.registry.get("access.change_role")
    assert tool.effect is not None and tool.effect.fixed_loss_minor == 20_000
    user = await tool.resource("cus_008", RoleChange(user_id="usr_0803", role="admin"))
    assert user is not None
    assert tool.effect.loss_of(RoleChange(user_id="usr_0803", role="admin"), user) == 20_000
    assert tool.effect.loss_of(RoleChange(user_id="usr_0803", role="member"), user) == 3_000
