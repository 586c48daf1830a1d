"""A procedure over mapped tools, from the customer's words to the server's state."""

import shutil
from dataclasses import replace
from pathlib import Path

import pytest
from orders_world import Shop
from served import KEY, serve

from app.runtime import Shared, load_content, make_classifier
from app.settings import PROMPTS, Settings
from tools.registry import ToolRegistry
from tools.sandbox.backend import SandboxBackend
from tools.sandbox.toolset import sandbox_tools

PROCEDURE = """---
name: cancel_shop_order
intent: shop_order_cancellation
title: Cancel an order of the shop
risk: money
examples:
  - cancel my mug order
  - I want to cancel the order of mugs from the shop
  - please cancel my shop order
  - the mugs I ordered in the shop are not needed any more
  - stop the merchandise order
  - cancel the parcel from your merchandise shop
  - I ordered mugs by mistake, please cancel that order
  - shop order cancel
  - the shirt order shall be cancelled
  - can you cancel the merchandise that I ordered
  - I do not want the mugs any more
  - revoke my order of mugs
steps:
  - call: orders.list_orders
    save: shop
  - call: orders.cancel
    with: {order_id: "shop.result[0].order_id"}
    save: cancelled
    declined: refund_declined
  - reply: shop_order_cancelled
---
Orders that have not been sent can be cancelled.
"""
REPLY = "Done: I cancelled the order {{ cancelled.order_id }}."


@pytest.fixture
async def shared_with_shop(shop: Shop, shared: Shared, whole_home: Path, tmp_path: Path) -> Shared:
    """What the service has loaded, with a procedure for the shop and its policies."""
    prompts = tmp_path / "prompts"
    shutil.copytree(PROMPTS, prompts)
    (prompts / "procedures" / "cancel_shop_order.md").write_text(PROCEDURE, encoding="utf-8")
    (prompts / "replies" / "shop_order_cancelled.md").write_text(REPLY, encoding="utf-8")
    sandbox = await SandboxBackend.open(tmp_path / "sandbox.db")
    async with shop.opened() as mapped:
        content = load_content(ToolRegistry([*sandbox_tools(sandbox), *mapped]), prompts)
    await sandbox.close()
    classifier = make_classifier(Settings(home=whole_home), content, shared.embedder)
    return replace(shared, content=content, classifier=classifier, policies=shop.policies())


async def test_a_customer_cancels_an_order_of_the_shop_with_a_yes(
    shop: Shop, shared_with_shop: Shared, home: Path
) -> None:
    settings = Settings(home=home, secret_key=KEY, mcp_config=shop.write())  # type: ignore[arg-type]
    async with serve(settings, shared_with_shop) as service:
        customer = await service.customer().open()
        offered = await customer.say("please cancel my mug order")
        assert "ord-1001" in offered["reply"] and shop.there()["cancellations"] == []
        done = await customer.say("yes")
        assert "I cancelled the order ord-1001" in done["reply"]
        [effect] = (await service.record(customer.conversation_id))["effects"]
        assert (effect["tool"], effect["state"]) == ("orders.cancel", "verified")
    assert [made["customer_id"] for made in shop.there()["cancellations"]] == ["cus_001"]
