"""The mapped tools: each as the operator described it, over the server that does it."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, cast
from weakref import WeakValueDictionary

from pydantic import ValidationError

from tools.errors import BackendRefused, BackendTimeout, BackendUnavailable, ToolError
from tools.mcp_connector.config import AmountForm, CallForm, FieldForm, McpConfig, Place, ResourceForm, ToolForm
from tools.mcp_connector.models import (
    PLAIN_TEXT,
    Unmappable,
    arguments_model,
    at,
    check_call,
    check_path,
    mapped_part,
    result_model,
)
from tools.mcp_connector.server import McpServer, Schemas, ServerSaidNo, ToolsChanged
from tools.tool import Arguments, Effect, Resource, Result, Tool

TYPES: dict[str, type] = {"string": str, "integer": int, "boolean": bool}
_locks: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()


async def mcp_tools(config: McpConfig, servers: Mapping[str, McpServer]) -> list[Tool]:
    """Every mapped tool, ready for a `ToolRegistry`; connects to the servers.

    Raises `McpConfigError` where a server cannot be reached, where its schemas are not those that the file names, and
    where the mapping does not go with them.
    """
    known = {name: await _looked_at(config, name, server) for name, server in servers.items()}
    tools = []
    for name, form in config.form.tools.items():
        try:
            tools.append(_tool(name, form, servers[form.server], known[form.server]))
        except Unmappable as error:
            raise config.problem(("tools", name, *error.place), str(error)) from None
    return tools


async def _looked_at(config: McpConfig, name: str, server: McpServer) -> dict[str, Schemas]:
    try:
        return await server.schemas()
    except ToolError as error:
        raise config.problem(("servers", name), f"{error}: start it, or correct how it is reached") from None
    except ToolsChanged as error:
        raise config.problem(("servers", name, "schemas"), _differing(config, name, error.digests)) from None


def _differing(config: McpConfig, name: str, digests: Mapping[str, str | None]) -> str:
    gone = [tool for tool, digest in digests.items() if digest is None]
    if gone:
        return f"the server has no tool {gone[0]!r}: correct the mapping"
    pinned = config.form.servers[name].schemas
    changed = [tool for tool in digests if tool in pinned]
    what = f"the schema of {changed[0]} has changed" if changed else f"{', '.join(digests)} not looked at yet"
    wanted = ", ".join(f"{tool}: {digest}" for tool, digest in digests.items())
    return f"{what}: look at what the server says that they take and answer, then write here {wanted}"


def _tool(name: str, form: ToolForm, server: McpServer, known: Mapping[str, Schemas]) -> Tool:
    schemas = known[form.tool]
    key = {form.effect.key} if form.effect else set()
    customer = {form.customer} if form.customer else set()
    check_call(schemas.takes, {*form.arguments, *form.fixed, *key, *customer}, ("arguments",))
    taken = arguments_model(name, schemas.takes, form.arguments)
    resource = _resource(form.resource, server, known)
    if form.effect is None:
        answers = schemas.answers or PLAIN_TEXT
        result = result_model(f"{name}.result", answers, form.result, ("result",))
        if schemas.answers is None and not all(field.foreign for field in form.result.values()):
            raise Unmappable(
                ("result",), "the server gives no output schema: only `text: {foreign: true}` can be mapped"
            )
        return _described(name, form, taken, result, _read(form, server, result), resource, None)
    back = form.effect.read_back
    proof = _structured(known, back, ("effect", "read_back"))
    check_path(proof, back.present, ("effect", "read_back", "present"))
    result = result_model(f"{name}.result", proof, back.result, ("effect", "read_back", "result"))

    async def read_back(customer_id: str, key: str) -> Result | None:
        content = await server.call(back.tool, _sent(back, None, customer_id, key), repeatable=True)
        if not at(content, back.present):
            return None
        return _validated(server, result, content, back.result)

    effect = Effect(
        kind=form.effect.kind,
        read_back=read_back,
        offer=form.effect.offer,
        consent=form.effect.consent,
        sends=form.effect.sends,
        fixed_loss_minor=form.effect.fixed_loss_minor,
        amount=_amount(form.effect.amount),
    )
    return _described(name, form, taken, result, _act(form, server, read_back), resource, effect)


def _described(
    name: str,
    form: ToolForm,
    arguments: type[Arguments],
    result: type[Result],
    call: Callable[[str, Any, str], Awaitable[Result]],
    resource: Callable[[str, Any], Awaitable[Resource | None]],
    effect: Effect | None,
) -> Tool:
    return Tool(
        name=name,
        summary=form.summary,
        status=form.status,
        scope=form.scope,
        arguments=arguments,
        result=result,
        call=call,
        resource=resource,
        level=form.level,
        steering=form.steering,
        effect=effect,
    )


def _read(form: ToolForm, server: McpServer, result: type[Result]) -> Callable[[str, Any, str], Awaitable[Result]]:
    async def call(customer_id: str, given: Any, _key: str) -> Result:
        content = await server.call(form.tool, _call_arguments(form, given, customer_id, ""), repeatable=True)
        return _validated(server, result, content, form.result)

    return call


def _act(
    form: ToolForm, server: McpServer, read_back: Callable[[str, str], Awaitable[Result | None]]
) -> Callable[[str, Any, str], Awaitable[Result]]:
    """Look by key, act, look again: what the server holds counts, not what it says."""

    async def call(customer_id: str, given: Any, key: str) -> Result:
        async with _locks.setdefault(f"{server.name} {key}", asyncio.Lock()):
            if (earlier := await read_back(customer_id, key)) is not None:
                return earlier
            refusal: ServerSaidNo | None = None
            try:
                await server.call(form.tool, _call_arguments(form, given, customer_id, key), repeatable=False)
            except ServerSaidNo as error:
                refusal = error
            try:
                done = await read_back(customer_id, key)
            except ToolError as error:
                raise BackendTimeout(f"it cannot be read back: {error}") from None
        if done is not None:
            return done
        if refusal is not None:
            raise refusal
        raise BackendTimeout(f"{server.name} says that it is done, and does not show it")

    return call


def _resource(
    form: ResourceForm, server: McpServer, known: Mapping[str, Schemas]
) -> Callable[[str, Any], Awaitable[Resource | None]]:
    look_up, owner, record = form.look_up, form.owner, form.id
    if look_up is None or owner is None or record is None:

        async def account(customer_id: str, given: Any) -> Resource:
            return Resource(form.type, customer_id, customer_id, _attributes(form, server, given, {}))

        return account
    found = _structured(known, look_up, ("resource", "look_up"))
    check_path(found, owner, ("resource", "owner"))
    for name, attribute in form.attributes.items():
        if attribute.path is not None:
            check_path(found, attribute.path, ("resource", "attributes", name, "path"))

    async def looked_up(customer_id: str, given: Any) -> Resource | None:
        try:
            content = await server.call(look_up.tool, _sent(look_up, given, customer_id, ""), repeatable=True)
        except ServerSaidNo:
            return None
        owned_by = at(content, owner)
        if getattr(given, record) is None or not isinstance(owned_by, str) or not owned_by:
            return None
        return Resource(form.type, str(getattr(given, record)), owned_by, _attributes(form, server, given, content))

    return looked_up


def _structured(known: Mapping[str, Schemas], form: CallForm, place: Place) -> dict[str, Any]:
    """The output schema of a look-up or a read-back, whose arguments are checked too. Raises `Unmappable`."""
    schemas = known[form.tool]
    check_call(schemas.takes, {*form.arguments, *form.fixed}, (*place, "with"))
    if schemas.answers is None:
        raise Unmappable((*place, "tool"), f"{form.tool} gives no output schema, so its answer cannot be relied on")
    return schemas.answers


def _sent(form: CallForm, given: Any, customer_id: str, key: str) -> dict[str, Any]:
    sources = {"customer": customer_id, "key": key}
    values = {
        name: sources[source] if source in sources else getattr(given, source.removeprefix("args."))
        for name, source in form.arguments.items()
    }
    return {**form.fixed, **{name: value for name, value in values.items() if value is not None}}


def _call_arguments(form: ToolForm, given: Any, customer_id: str, key: str) -> dict[str, Any]:
    sent = {**form.fixed, **(given.model_dump(mode="json", exclude_none=True) if given is not None else {})}
    if form.customer is not None:
        sent[form.customer] = customer_id
    if form.effect is not None:
        sent[form.effect.key] = key
    return sent


def _validated(server: McpServer, model: type[Result], content: Any, forms: Mapping[str, FieldForm]) -> Result:
    try:
        return model.model_validate(mapped_part(content, forms))
    except ValidationError:
        raise BackendUnavailable(f"{server.name} answered something else than its schema says") from None


def _attributes(form: ResourceForm, server: McpServer, given: Any, content: Mapping[str, Any]) -> dict[str, Any]:
    """What policies may ask of the record. What is not there is left out."""
    attributes: dict[str, Any] = {}
    for name, attribute in form.attributes.items():
        value = at(content, attribute.path) if attribute.path else getattr(given, cast(str, attribute.argument))
        if value is None:
            continue
        if type(value) is not TYPES[attribute.type]:
            raise BackendRefused(f"the {name} of this record at {server.name} is not what the mapping says")
        attributes[name] = value
    return attributes


def _amount(form: AmountForm | None) -> Callable[[Any, Resource], tuple[int, str] | None]:
    def value(source: str, given: Any, resource: Resource) -> Any:
        kind, _, name = source.partition(".")
        if kind == "args":
            return getattr(given, name)
        return resource.attributes.get(name) if kind == "resource" else source

    def amount(given: Any, resource: Resource) -> tuple[int, str] | None:
        if form is None:
            return None
        minor, currency = value(form.minor, given, resource), value(form.currency, given, resource)
        return (minor, currency) if type(minor) is int and isinstance(currency, str) else None

    return amount
