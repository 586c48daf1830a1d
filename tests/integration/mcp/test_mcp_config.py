"""The file that maps MCP servers: what cannot be used is refused at the start, with file, line and what to do."""

import re
from typing import Any

import pytest
from orders_world import POLICIES, Shop, called

from app.connectors import connected
from app.settings import ROOT, BrokenSettings, Settings
from records.clock import system_clock
from tools.mcp_connector.config import McpConfig, McpConfigError
from tools.mcp_connector.policies import additions_from, policy_additions
from tools.policy import POLICY_FOLDER, PolicyEngine, PolicyError
from tools.policy_coverage import examine
from tools.sandbox.backend import SandboxBackend

CANCEL, READ = "orders.cancel", "orders.get_order"
REMOVED = object()


def put(tree: Any, path: str, value: Any) -> None:
    """Change one place of the mapping, named as ``tool/field/field``."""
    *way, last = path.split("/")
    for name in way:
        tree = tree[name]
    if value is REMOVED:
        del tree[last]
    else:
        tree[last] = value


BROKEN = [
    (f"{CANCEL}/efect", {}, "there is no such field"),
    (f"{CANCEL}/summary", REMOVED, "it is missing"),
    (f"{CANCEL}/scope", "orders:read", r"ends in `:read`, that of an effect in `:write`"),
    (f"{CANCEL}/server", "store", "there is no server 'store'"),
    (f"{CANCEL}/level", "certain", "Input should be 'anonymous'"),
    (f"{CANCEL}/effect/read_back", REMOVED, "it is missing"),
    (f"{CANCEL}/effect/key", REMOVED, "it is missing"),
    (f"{CANCEL}/effect/read_back/with", {"idempotency_key": "args.order_id"}, "needs an argument that is `key`"),
    (f"{CANCEL}/effect/read_back/with/order_id", "args.order_id", "only `key` and `customer` are known"),
    (f"{CANCEL}/effect/fixed_loss_minor", REMOVED, "it is missing"),
    (f"{CANCEL}/effect/amount/minor", "resource.sum", "not among `resource.attributes`"),
    (f"{CANCEL}/fixed/order_id", "ord-1", "given in two ways"),
    (f"{CANCEL}/resource/owner", REMOVED, "without an owner no policy can protect a record"),
    (f"{CANCEL}/resource/id", "number", "not among `arguments`"),
    (f"{CANCEL}/resource/attributes/total/type", "string", "agree on one"),
    (f"{CANCEL}/resource/attributes/owner", {"path": "note", "type": "string"}, "name the attribute otherwise"),
    ("orders.list_orders/customer", REMOVED, "it would answer about everybody"),
    (f"{READ}/result", {}, "a read needs `result`"),
    (f"{CANCEL}/effect/offer", "cancel {{order}}", "not 'order'"),
    (f"{CANCEL}/effect/offer", "cancel {{args.order_id", "no Jinja2 template"),
    ("orders", {}, "it must match"),
]


@pytest.mark.parametrize(
    ("path", "value", "says"), BROKEN, ids=[f"{case[0]}-{number}" for number, case in enumerate(BROKEN)]
)
def test_a_file_that_cannot_be_used_is_refused_with_its_line(tmp_path, path: str, value: Any, says: str) -> None:
    shop = Shop.over_stdio(tmp_path)
    put(shop.tools, path, value)
    with pytest.raises(McpConfigError, match=says) as refused:
        McpConfig.load(shop.write())
    message = str(refused.value)
    assert "\n" not in message
    named = re.match(rf"{re.escape(str(shop.path))}:(\d+): tools\.", message)
    assert named, message
    if value is not REMOVED:
        line = shop.path.read_text().splitlines()[int(named[1]) - 1]
        assert path.split("/")[0] in line or path.split("/")[-1] in line or path.split("/")[-2] in line


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("servers: [", "mcp.yaml:1: this is no YAML"),
        (
            "servers:\n  shop: {command: x, url: 'http://x'}\ntools: {}\npolicies: [x]",
            "mcp.yaml:2: servers.shop: give either",
        ),
        ("- 1", "mcp.yaml:1: Input should be"),
        ("", "mcp.yaml:1: Input should be"),
    ],
)
def test_what_is_no_mapping_at_all_is_refused(tmp_path, text: str, says: str) -> None:
    path = tmp_path / "mcp.yaml"
    path.write_text(text)
    with pytest.raises(McpConfigError, match=re.escape(says)):
        McpConfig.load(path)
    with pytest.raises(McpConfigError, match="there is no such file"):
        McpConfig.load(tmp_path / "other.yaml")


UNFIT = [
    (f"{CANCEL}/tool", "cancel_odrer", "the server has no tool 'cancel_odrer'"),
    (f"{CANCEL}/arguments/reason", {"kind": "reason"}, "has no argument 'reason': it has count"),
    (f"{CANCEL}/customer", REMOVED, "needs the argument 'customer_id'"),
    (f"{CANCEL}/resource/owner", "customer", "has no field 'customer'"),
    (f"{CANCEL}/effect/read_back/present", "done", "has no field 'done'"),
    (f"{CANCEL}/resource/look_up/with", {}, "needs the argument 'order_id'"),
    (f"{READ}/result/note", {}, "this is text: give its `kind`, or `foreign: true`"),
    (f"{READ}/result/lines", {"kind": "lines"}, "map its `fields`"),
    (f"{READ}/result/status/fields", {"a": {}}, "give one of"),
    ("orders.opening_hours/result/text", {"kind": "hours"}, r"only `text: \{foreign: true\}`"),
]


@pytest.mark.parametrize(
    ("path", "value", "says"), UNFIT, ids=[f"{case[0]}-{number}" for number, case in enumerate(UNFIT)]
)
async def test_a_mapping_that_does_not_go_with_the_server_is_refused(
    shop: Shop, path: str, value: Any, says: str
) -> None:
    put(shop.tools, path, value)
    with pytest.raises(McpConfigError, match=says) as refused:
        async with shop.opened():
            pass
    assert re.match(rf"{re.escape(str(shop.path))}:\d+: (tools|servers)\.", str(refused.value))


async def test_schemas_that_nobody_looked_at_are_refused_with_what_to_write(shop: Shop) -> None:
    pinned, shop.schemas = shop.schemas, {}
    with pytest.raises(McpConfigError, match=r"servers\.shop\.schemas: .* not looked at yet") as refused:
        async with shop.opened():
            pass
    assert f"get_order: {pinned['get_order']}" in str(refused.value)


async def test_a_schema_that_changed_is_refused_until_the_file_names_its_new_digest(tmp_path, shop: Shop) -> None:
    folder = tmp_path / "stdio"
    folder.mkdir()
    changed = Shop.over_stdio(folder)
    changed.schemas = dict(shop.schemas)
    changed.change(changed=True)
    with pytest.raises(McpConfigError, match="the schema of get_order has changed: look at what") as refused:
        async with changed.opened():
            pass
    changed.schemas["get_order"] = re.findall(r"get_order: (sha256:\w+)", str(refused.value))[0]
    async with changed.opened() as tools:
        assert (await called(tools, READ, "cus_001", order_id="ord-1001")).total_minor == 4900


@pytest.mark.parametrize(
    "server",
    [
        {"url": "http://127.0.0.1:1/mcp"},
        {"command": "/no/such/command"},
        {"command": "false"},
        {"command": "echo", "args": ["this is no MCP"]},
    ],
    ids=["no-one-listens", "no-command", "ends-at-once", "nonsense"],
)
async def test_a_server_that_cannot_be_reached_is_named(shop: Shop, server: dict[str, Any], caplog) -> None:
    shop.server = {**server, "seconds": 2}
    with pytest.raises(McpConfigError, match=r"servers\.shop: shop cannot be reached, .*: start it"):
        async with shop.opened():
            pass
    assert not [record for record in caplog.records if record.exc_info or "this is no MCP" in record.getMessage()]


async def test_a_secret_that_is_not_set_is_named_and_never_shown(shop: Shop) -> None:
    shop.server["headers"] = {"Authorization": "NO_SUCH_TOKEN"}
    with pytest.raises(McpConfigError, match=r"headers\.Authorization: the environment has no NO_SUCH_TOKEN: set it"):
        async with shop.opened():
            pass
    shop.server["headers"] = {"Authorization": "SHOP_TOKEN"}
    async with shop.opened() as tools:
        assert (await called(tools, "orders.list_orders", "cus_001")).result


async def test_policies_of_mapped_tools_are_checked_as_all_others(shop: Shop) -> None:
    additions = policy_additions(McpConfig.load(shop.write()))
    report = examine(POLICY_FOLDER, additions)
    assert report.ok, report.problems + report.unreachable
    [cancel] = [tool for tool in report.tools if tool.tool == CANCEL]
    assert "only-own-records" in cancel.forbids and "cancel-open-orders-only" in cancel.forbids
    (shop.folder / "orders.cedar").write_text(POLICIES.replace("resource has status &&", "resource.colour == 1 &&"))
    with pytest.raises(PolicyError, match=r"orders\.cedar:\d+: cancel-open-orders-only"):
        PolicyEngine.load(POLICY_FOLDER, additions)
    assert additions_from(None).files == ()
    (shop.folder / "orders.cedar").unlink()
    with pytest.raises(PolicyError, match=r"HANDRAIL_MCP_CONFIG: .*orders\.cedar"):
        additions_from(shop.path)


def test_a_type_of_record_that_there_is_already_cannot_be_taken(tmp_path) -> None:
    shop = Shop.over_stdio(tmp_path)
    put(shop.tools, "orders.list_orders/resource/type", "Invoice")
    with pytest.raises(PolicyError, match="rename"):
        PolicyEngine.load(POLICY_FOLDER, policy_additions(McpConfig.load(shop.write())))


async def in_service(shop: Shop, sandbox: SandboxBackend, stack: Any) -> Any:
    settings = Settings(home=shop.folder, mcp_config=shop.write())
    return (await connected(settings, sandbox, system_clock, stack))[0]


async def test_the_service_offers_mapped_tools_beside_its_own_and_lets_none_be_replaced(shop: Shop, tmp_path) -> None:
    from contextlib import AsyncExitStack

    sandbox = await SandboxBackend.open(tmp_path / "sandbox.db")
    async with AsyncExitStack() as stack:
        stack.push_async_callback(sandbox.close)
        registry = await in_service(shop, sandbox, stack)
        assert {CANCEL, "billing.refund"} <= set(registry.names())
        shop.tools["billing.refund"] = shop.tools.pop(CANCEL)
        with pytest.raises(BrokenSettings, match=r"HANDRAIL_MCP_CONFIG: .*billing\.refund: there is a tool"):
            await in_service(shop, sandbox, stack)


def test_the_example_of_the_documentation_can_be_used(tmp_path) -> None:
    text = (ROOT / "docs" / "connectors.md").read_text(encoding="utf-8").partition("over MCP\n")[2]
    for language, name in (("yaml", "mcp.yaml"), ("cedar", "orders.cedar")):
        [example] = re.findall(rf"^```{language}\n(.*?)^```$", text, re.DOTALL | re.MULTILINE)
        (tmp_path / name).write_text(example, encoding="utf-8")
    report = examine(POLICY_FOLDER, additions_from(tmp_path / "mcp.yaml"))
    assert report.ok, report.problems + report.unreachable
