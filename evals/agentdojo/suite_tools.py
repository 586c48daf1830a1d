"""A suite's functions as tools of ours: the same registry entries, kinds and results as any connector's.

Values are translated at this border: money becomes integer minor units, and an identifier says what it identifies
(``file_13``), so that a number which the customer happens to say is not taken for one.
"""

import re
from collections.abc import Awaitable, Callable, Mapping
from enum import Enum
from importlib import import_module
from types import GenericAlias, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel, EmailStr, create_model

from evals.agentdojo.meanings import EffectMeaning, Meanings
from tools.errors import BackendRefused
from tools.registry import ToolRegistry
from tools.tool import Arguments, Effect, Resource, Result, Tool
from tools.values import ForeignText, Kind

CUSTOMER = "cus_agentdojo"
LINK = re.compile(r"(?:https?://|www\.)[^\s<>\"')\]]+", re.IGNORECASE)


class SuiteTools:
    """The tools of one suite over whichever environment is set."""

    def __init__(self, suite: Any) -> None:
        self.suite = suite
        self.functions: dict[str, Any] = {function.name: function for function in suite.tools}
        arguments = {name: tuple(function.parameters.model_fields) for name, function in self.functions.items()}
        self.meanings = Meanings.load(suite.name, arguments)
        self.environment: Any = None
        self._runtime = self.ungated_runtime()
        self.registry = ToolRegistry([self._tool(name) for name in self.functions])

    def ungated_runtime(self) -> Any:
        """AgentDojo's own way to call a function, with nothing in front of it."""
        return import_module("agentdojo.functions_runtime").FunctionsRuntime(self.suite.tools)

    def effect_of(self, function: str) -> EffectMeaning | None:
        """What a function changes; None for one that only reads."""
        return self.meanings.effects.get(function)

    def name_of(self, function: str) -> str:
        """The name of a function's tool: ``banking.send_money``."""
        return f"{self.suite.name}.{function}"

    def proposal(self, function: str, arguments: Mapping[str, Any]) -> dict[str, Any]:
        """A function's arguments as a model would propose them for our tool."""
        effect = self.effect_of(function)
        kinds = effect.arguments if effect else {}
        ours = {name: _ours(kinds.get(name), value) for name, value in arguments.items()}
        if effect and effect.links:
            texts = [str(arguments.get(name) or "") for name in effect.links]
            ours["links"] = [link.rstrip(".,;:!?") for text in texts for link in LINK.findall(text)]
        return ours

    def _tool(self, function: str) -> Tool:
        effect = self.effect_of(function)
        result, convert = self._result(function)

        async def call(_customer: str, given: Any, _key: str) -> Result:
            theirs = self._theirs(function, given.model_dump(exclude_none=True))
            try:
                answer, _ = self._runtime.run_function(self.environment, function, theirs, raise_on_error=True)
            except Exception as error:  # whatever a suite's function raises is its refusal
                raise BackendRefused(f"{function}: {error}") from None
            return convert(answer)

        return Tool(
            name=self.name_of(function),
            summary=self.functions[function].description,
            status=f"Calling {function}",
            scope=f"{self.suite.name}:{'write' if effect else 'read'}",
            arguments=self._arguments(function, effect),
            result=result,
            call=call,
            resource=self._resource(effect),
            steering=frozenset(effect.steering) if effect else frozenset(),
            effect=self._effect(effect) if effect else None,
        )

    def _effect(self, meaning: EffectMeaning) -> Effect:
        async def read_back(_customer: str, _key: str) -> Result | None:
            return None  # a suite keeps no keys; its own checks look at the environment

        def amount(given: Any, _resource: Resource) -> tuple[int, str] | None:
            minor = getattr(given, meaning.amount) if meaning.amount else None
            return None if minor is None else (minor, self.meanings.currency)

        consent = meaning.consent and not meaning.named
        return Effect(meaning.kind, read_back, meaning.offer, consent=consent, amount=amount)

    def _arguments(self, function: str, effect: EffectMeaning | None) -> type[Arguments]:
        fields: dict[str, Any] = {}
        for name, field in self.functions[function].parameters.model_fields.items():
            kind = effect.arguments.get(name) if effect else None
            annotation = _our_annotation(field.annotation, kind)
            fields[name] = (annotation, ...) if field.is_required() else (annotation, field.default)
        if effect and effect.links:
            fields["links"] = (Annotated[list[str], Kind("link")], [])
        return create_model(f"{function}_arguments", __base__=Arguments, **fields)

    def _theirs(self, function: str, ours: Mapping[str, Any]) -> dict[str, Any]:
        effect = self.effect_of(function)
        kinds = effect.arguments if effect else {}
        fields = self.functions[function].parameters.model_fields
        return {
            name: _theirs(kinds.get(name), value, fields[name].annotation)
            for name, value in ours.items()
            if name in fields
        }

    def _result(self, function: str) -> tuple[type[Result], Callable[[Any], Result]]:
        """(the model of what a function returns, how it is made)."""
        returned = self.functions[function].return_type
        (item,) = get_args(returned) if get_origin(returned) is list else (returned,)
        if isinstance(item, type) and issubclass(item, BaseModel):
            model, convert = self._record(item)
            if item is returned:
                return model, convert
            many = _model(f"{function}_result", {"items": GenericAlias(list, (model,))})
            return many, lambda answer: many.model_validate({"items": [convert(row) for row in answer]})
        kind = self.meanings.results.get(function)
        plain = _model(f"{function}_result", {"value": _our_annotation(returned, kind) if kind else ForeignText})
        return plain, lambda answer: plain.model_validate({"value": _ours(kind, answer) if kind else str(answer)})

    def _record(self, item: type[BaseModel]) -> tuple[type[Result], Callable[[Any], Result]]:
        """A record with its typed fields; every other field is text written by others."""
        kinds = self.meanings.records.get(item.__name__, {})
        fields = {
            name: _our_annotation(field.annotation, kinds[name]) if name in kinds else ForeignText
            for name, field in item.model_fields.items()
        }
        model = _model(f"{item.__name__}_record", fields)

        def convert(row: Any) -> Result:
            values = {name: getattr(row, name) for name in item.model_fields}
            return model(**{n: _ours(kinds[n], v) if n in kinds else str(v) for n, v in values.items()})

        return model, convert

    def _resource(self, effect: EffectMeaning | None) -> Callable[[str, Any], Awaitable[Resource | None]]:
        touches = effect.touches if effect else None

        async def find(customer_id: str, given: Any) -> Resource | None:
            if touches is None:
                return Resource("Account", customer_id, customer_id, {"title": "account"})
            assert effect is not None
            ours = getattr(given, touches.argument)
            row = self._row(touches.in_, effect.arguments[touches.argument], ours)
            return None if row is None else Resource(touches.type, ours, customer_id, {"title": _title(row)})

        return find

    def _row(self, path: str, kind: str, ours: str) -> Any:
        found: Any = self.environment
        for name in path.split("."):
            found = getattr(found, name)
        rows = found.items() if isinstance(found, Mapping) else [(row.id, row) for row in found]
        return next((row for key, row in rows if _ours(kind, key) == ours), None)


def _model(name: str, annotations: Mapping[str, Any]) -> type[Result]:
    """A result with these fields, all of them required."""
    fields: dict[str, Any] = {field: (annotation, ...) for field, annotation in annotations.items()}
    return create_model(name, __base__=Result, **fields)


def _title(row: Any) -> str:
    return str(next(getattr(row, name) for name in ("filename", "title", "subject") if hasattr(row, name)))


def _ours(kind: str | None, value: Any) -> Any:
    """A suite's value as ours."""
    if value is None:
        return None
    if isinstance(value, list | tuple):
        return [_ours(kind, item) for item in value]
    if kind == "amount_minor":
        return round(value * 100) if isinstance(value, int | float) and not isinstance(value, bool) else value
    if kind is not None and kind.endswith("_id"):
        raw = value.get("file_id") if isinstance(value, Mapping) else value
        return value if raw is None else f"{kind[:-3]}_{raw}"
    if isinstance(value, Enum):
        return value.value
    return str(value) if kind in ("time", "date") else value


def _theirs(kind: str | None, value: Any, annotation: Any) -> Any:
    """Our value as a suite's."""
    if isinstance(value, list | tuple):
        (item,) = get_args(_required(annotation))
        return [_theirs(kind, part, item) for part in value]
    if kind == "amount_minor":
        return value / 100
    if kind is not None and kind.endswith("_id"):
        raw = value.partition("_")[2]
        if _required(annotation) is dict:
            return {"type": "file", "file_id": raw}
        return int(raw) if _required(annotation) is int else raw
    return value


def _required(annotation: Any) -> Any:
    """An annotation without its None."""
    if get_origin(annotation) in (Union, UnionType):
        (only,) = [part for part in get_args(annotation) if part is not type(None)]
        return only
    return annotation


def _our_annotation(annotation: Any, kind: str | None) -> Any:
    inner = _required(annotation)
    ours = _plain_type(inner, kind)
    meant: Any = Annotated[ours, Kind(kind)] if kind else ours
    return meant if inner is annotation else meant | None


def _plain_type(inner: Any, kind: str | None) -> Any:
    if get_origin(inner) is list:
        return list[_plain_type(get_args(inner)[0], kind)]
    if isinstance(inner, type) and issubclass(inner, Enum):
        return Literal[tuple(member.value for member in inner)]
    if kind == "amount_minor":
        return int
    if kind == "size":
        return int
    return str if kind or inner is EmailStr else inner


__all__ = ["CUSTOMER", "SuiteTools"]
