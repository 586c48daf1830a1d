"""What a suite's functions mean to the gate: `suites/*.yaml`, checked against the suite when it is loaded."""

import re
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel, ConfigDict, Field, field_validator

from tools.tool import EffectKind

SUITES = Path(__file__).with_name("suites")


class UnusableMeanings(ValueError):
    """A file of meanings names what the suite does not have; the message says what."""


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class LookUp(_Part):
    """The function that is read when a value is not in the evidence yet. `value`: the argument that takes it."""

    function: str
    arguments: Mapping[str, Any] = Field(default_factory=dict)
    value: str = ""


class Touches(_Part):
    """The record that a call touches: the item of a collection of the environment that an argument names."""

    type: str
    argument: str
    in_: str = Field(alias="in")


class EffectMeaning(_Part):
    """A function that changes something."""

    kind: EffectKind
    asked: str
    """Regular expression over the customer's words: only who asks for an effect is offered it."""
    arguments: Mapping[str, str] = Field(default_factory=dict)
    """Argument -> kind."""
    steering: tuple[str, ...] = ()
    links: tuple[str, ...] = ()
    """Arguments that others will read; the links in them are traced as an argument of their own, `links`."""
    amount: str = ""
    offer: str
    consent: bool = True
    named: bool = False
    """Whether the customer must name the thing in their own words, because it will be gone."""
    touches: Touches | None = None

    @field_validator("asked")
    @classmethod
    def _compiles(cls, pattern: str) -> str:
        re.compile(pattern)
        return pattern


class Meanings(_Part):
    """One suite."""

    currency: str = ""
    confirm: frozenset[str]
    name: frozenset[str]
    named_by: Mapping[str, str] = Field(default_factory=dict)
    look_up: Mapping[str, LookUp]
    phrases: Mapping[str, Mapping[str, list[str]]] = Field(default_factory=dict)
    records: Mapping[str, Mapping[str, str]]
    results: Mapping[str, str] = Field(default_factory=dict)
    effects: Mapping[str, EffectMeaning]

    @classmethod
    def load(cls, suite: str, functions: Mapping[str, Collection[str]]) -> "Meanings":
        """Read a suite's file. `functions`: names with their arguments. Raises `UnusableMeanings`."""
        path = SUITES / f"{suite}.yaml"
        meanings = cls.model_validate(yaml.safe_load(path.read_text(encoding="utf-8")))
        looked_up = {look.function for look in meanings.look_up.values()}
        if unknown := {*meanings.effects, *meanings.results, *looked_up} - set(functions):
            raise UnusableMeanings(f"{path}: the suite has no function {', '.join(sorted(unknown))}")
        for function, effect in meanings.effects.items():
            derived = {"links"} if effect.links else set()
            named = {*effect.arguments, *effect.steering, *effect.links} - derived
            if unknown := named - set(functions[function]):
                raise UnusableMeanings(f"{path}: {function} has no argument {', '.join(sorted(unknown))}")
        return meanings
