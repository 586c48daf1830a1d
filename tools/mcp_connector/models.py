"""Argument and result models from a server's JSON schemas, restricted to the fields that the operator mapped.

The server's titles and descriptions are left out: what a model is told of a field is the operator's text.
"""

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import Field, create_model
from pydantic.errors import PydanticUserError
from pydantic_core import SchemaError

from tools.mcp_connector.config import ArgumentForm, FieldForm, Place
from tools.tool import Arguments, Result
from tools.values import FREE_TEXT, Kind

Json = Mapping[str, Any]
SIMPLE: dict[str, type] = {"string": str, "integer": int, "number": float, "boolean": bool}
LIMITS = {
    "minimum": "ge",
    "maximum": "le",
    "exclusiveMinimum": "gt",
    "exclusiveMaximum": "lt",
    "minLength": "min_length",
    "maxLength": "max_length",
    "pattern": "pattern",
}
PLAIN_TEXT: Json = {"type": "object", "properties": {"text": {"type": "string"}}, "required": ["text"]}
"""What stands for the output schema of a tool that has none: its text, which others wrote."""


class Unmappable(ValueError):
    """The mapping and the server's schema do not go together. `place` is that of the field in the mapping."""

    def __init__(self, place: Place, what: str) -> None:
        super().__init__(what)
        self.place = place


def arguments_model(name: str, schema: Json, forms: Mapping[str, ArgumentForm]) -> type[Arguments]:
    """The arguments that the agent gives, as strict as the server's schema. Raises `Unmappable`."""
    fields: dict[str, Any] = {}
    for field, form in forms.items():
        place = ("arguments", field)
        inner, nullable = _resolved(_property(schema, field, place), schema, place)
        marks = [Kind(form.kind), Field(description=form.description or None, **_limits(inner))]
        annotation: Any = Annotated[(_argument_type(inner, schema, place), *marks)]
        optional = nullable or field not in schema.get("required", [])
        fields[field] = (annotation | None, None) if optional else (annotation, ...)
    return _made(f"{name}.arguments", fields, Arguments)


def result_model(name: str, schema: Json, forms: Mapping[str, FieldForm], place: Place) -> type[Result]:
    """The part of a result that was mapped. Raises `Unmappable`."""
    fields: dict[str, Any] = {}
    for field, form in forms.items():
        here = (*place, field)
        inner, nullable = _resolved(_property(schema, field, here), schema, here)
        annotation = _result_type(f"{name}.{field}", inner, schema, form, here)
        optional = nullable or field not in schema.get("required", [])
        fields[field] = (annotation | None, None) if optional else (annotation, ...)
    return _made(name, fields, Result)


def mapped_part(content: Any, forms: Mapping[str, FieldForm]) -> dict[str, Any]:
    """What is left of a result without the fields that nobody mapped."""
    if not isinstance(content, Mapping):
        return {}
    return {field: _kept(content[field], form) for field, form in forms.items() if field in content}


def check_call(schema: Json, given: set[str], place: Place) -> None:
    """That a call with these arguments fits the server's schema. Raises `Unmappable`."""
    known = schema.get("properties", {})
    for name in sorted(given):
        if name not in known:
            listed = ", ".join(sorted(known)) or "none"
            raise Unmappable(place, f"the server's tool has no argument {name!r}: it has {listed}")
    for name in schema.get("required", []):
        if name not in given:
            raise Unmappable(place, f"the server's tool needs the argument {name!r}: map it or give it under `fixed`")


def check_path(schema: Json, path: str, place: Place) -> None:
    """That a result can hold something at this path. Raises `Unmappable`."""
    node: Json = schema
    for name in path.split("."):
        node, _ = _resolved(_property(node, name, place, root=schema), schema, place)


def at(content: Any, path: str) -> Any:
    """What a result holds at a dotted path; None where there is nothing."""
    for name in path.split("."):
        content = content.get(name) if isinstance(content, Mapping) else None
    return content


def _kept(value: Any, form: FieldForm) -> Any:
    if not form.fields:
        return value
    return (
        [mapped_part(one, form.fields) for one in value] if isinstance(value, list) else mapped_part(value, form.fields)
    )


def _property(schema: Json, name: str, place: Place, root: Json | None = None) -> Json:
    node, _ = _resolved(schema, root if root is not None else schema, place)
    known = node.get("properties", {})
    if name not in known:
        listed = ", ".join(sorted(known)) or "none"
        raise Unmappable(place, f"the server's schema has no field {name!r}: it has {listed}")
    return known[name]


def _resolved(node: Json, root: Json, place: Place) -> tuple[Json, bool]:
    """(a schema without references and without its null, whether it allows null)."""
    nullable = False
    for _ in range(20):
        if "$ref" in node:
            node = _referred(str(node["$ref"]), root, place)
            continue
        choices = node.get("anyOf") or node.get("oneOf")
        if choices:
            others = [choice for choice in choices if choice.get("type") != "null"]
            if len(others) != 1:
                raise Unmappable(place, "the server's schema leaves several types open, which cannot be mapped")
            nullable, node = nullable or len(others) < len(choices), others[0]
            continue
        if isinstance(node.get("type"), list):
            types = [one for one in node["type"] if one != "null"]
            if len(types) != 1:
                raise Unmappable(place, "the server's schema leaves several types open, which cannot be mapped")
            nullable, node = nullable or len(types) < len(node["type"]), {**node, "type": types[0]}
        return node, nullable
    raise Unmappable(place, "the server's schema refers to itself, which cannot be mapped")


def _referred(reference: str, root: Json, place: Place) -> Json:
    node: Any = root
    for part in reference.removeprefix("#/").split("/"):
        node = node.get(part) if isinstance(node, Mapping) else None
    if not reference.startswith("#/") or not isinstance(node, Mapping):
        raise Unmappable(place, f"the server's schema refers to {reference!r}, which it does not hold")
    return node


def _argument_type(node: Json, root: Json, place: Place) -> Any:
    if node.get("type") == "array":
        inner, nullable = _resolved(node.get("items", {}), root, place)
        if not nullable and inner.get("type") in SIMPLE:
            return list[_simple(inner, place)]
    return _simple(node, place)


def _result_type(name: str, node: Json, root: Json, form: FieldForm, place: Place) -> Any:
    if node.get("type") == "array":
        inner, nullable = _resolved(node.get("items", {}), root, place)
        item = _result_type(name, inner, root, form, place)
        return list[item | None] if nullable else list[item]
    if form.fields:
        if node.get("type") != "object":
            raise Unmappable(place, "`fields` are of an object, and the server's schema has none here")
        below = {**node, "$defs": root.get("$defs", {}), "definitions": root.get("definitions", {})}
        return result_model(name, below, form.fields, (*place, "fields"))
    if node.get("type") == "object":
        raise Unmappable(place, "this is an object: map its `fields`")
    simple = _simple(node, place)
    if simple is str and form.kind is None and not form.foreign:
        raise Unmappable(place, "this is text: give its `kind`, or `foreign: true` where others may have written it")
    marks = [Kind(form.kind)] if form.kind is not None else [FREE_TEXT] if form.foreign else []
    return Annotated[(simple, *marks)] if marks else simple


def _simple(node: Json, place: Place) -> Any:
    choices = [node["const"]] if "const" in node else node.get("enum")
    if choices and all(isinstance(choice, str | int) for choice in choices):
        return Literal[tuple(choices)]
    if node.get("type") in SIMPLE:
        return SIMPLE[node["type"]]
    raise Unmappable(place, f"a field of the type {node.get('type', 'unknown')!r} cannot be mapped")


def _limits(node: Json) -> dict[str, Any]:
    if "enum" in node or "const" in node or node.get("type") not in SIMPLE:
        return {}
    return {ours: node[theirs] for theirs, ours in LIMITS.items() if theirs in node}


def _made(name: str, fields: dict[str, Any], base: type[Any]) -> Any:
    try:
        return create_model(name, __base__=base, **fields)
    except (SchemaError, PydanticUserError, NameError, TypeError) as error:
        raise Unmappable((), f"the server's schema cannot be used: {' '.join(str(error).split())[:200]}") from None
