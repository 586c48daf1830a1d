"""The registry, and what every tool of the sandbox promises."""

from pathlib import Path
from typing import Any

import pytest

from records.clock import system_clock
from tools.policy import POLICY_FOLDER
from tools.provenance import _fields
from tools.registry import ToolRegistry, UnknownTool
from tools.sandbox.backend import Faults, SandboxBackend
from tools.sandbox.toolset import sandbox_tools

UNOPENED: Any = SandboxBackend(None, Path("nowhere"), system_clock, Faults())  # type: ignore[arg-type]
REGISTRY = ToolRegistry(sandbox_tools(UNOPENED))
EFFECTS = [tool for tool in REGISTRY if tool.effect]
WITHOUT_CONSENT = {
    "billing.send_invoice_copy",
    "documents.send_compliance_document",
}


def test_two_tools_of_one_name_are_refused():
    tool = REGISTRY.get("billing.refund")
    with pytest.raises(ValueError, match=r"two tools are named billing\.refund"):
        ToolRegistry([tool, tool])


def test_an_unknown_name_is_said_to_be_unknown():
    with pytest.raises(UnknownTool, match=r"billing\.nothing"):
        REGISTRY.get("billing.nothing")


def test_scopes_choose_the_tools():
    chosen = {tool.name for tool in REGISTRY.for_scopes({"access:read", "access:write"})}
    assert chosen == {
        "access.list_users",
        "access.change_role",
        "access.send_password_reset",
        "access.unlock_user",
    }
    assert all(tool.effect is None for tool in REGISTRY.for_scopes({"billing:read", "provisioning:read"}))


def test_a_schema_tells_a_model_the_arguments_and_allows_no_others():
    schema = REGISTRY.schema("billing.refund")
    assert schema["required"] == ["invoice_id", "amount", "reason"]
    assert schema["additionalProperties"] is False
    assert schema["properties"]["reason"]["enum"] == ["duplicate", "unused", "outage", "other"]


def test_only_what_goes_to_the_address_on_record_needs_no_consent():
    assert {tool.name for tool in EFFECTS if tool.effect and not tool.effect.consent} == WITHOUT_CONSENT


@pytest.mark.parametrize("tool", list(REGISTRY), ids=lambda tool: tool.name)
def test_every_argument_says_what_it_means_and_every_steering_one_exists(tool):
    meanings = _fields(tool.arguments)
    assert tool.steering <= meanings.keys()
    unnamed = [name for name, (kind, _) in meanings.items() if kind is None]
    assert not unnamed


@pytest.mark.parametrize("tool", EFFECTS, ids=lambda tool: tool.name)
def test_what_an_effect_acts_on_is_steering(tool):
    """All but the customer's own reason: it steers nothing."""
    assert set(tool.arguments.model_fields) - tool.steering <= {"reason"}


def test_the_policy_schema_knows_every_tool_and_no_other():
    text = (POLICY_FOLDER / "schema.cedarschema").read_text()
    declared = text[text.index("\naction") :]
    over_scim = {"access.deactivate_user"}
    assert {piece for piece in declared.split('"')[1::2] if "." in piece} == set(REGISTRY.names()) | over_scim
