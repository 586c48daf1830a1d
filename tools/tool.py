"""A tool: one thing that the agent may propose, with all that the gate needs to judge it.

Tools hold no policy and check no ownership: they name the record that a call touches (`resource`), and the gate asks
Cedar. A tool that changes something has an `Effect`: how it is offered to the customer, how the result is read back
from the backend, how it is undone, and what a mistake would cost.
"""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict


class IdentityLevel(StrEnum):
    """How sure the service is of who is writing, weakest first."""

    ANONYMOUS = "anonymous"
    CLAIMED = "claimed"
    VERIFIED = "verified"
    STEPPED_UP = "stepped_up"

    @property
    def rank(self) -> int:
        """0 for anonymous up to 3 for stepped up."""
        return list(IdentityLevel).index(self)


class Arguments(BaseModel):
    """Base of every tool's arguments: strict types, and no field that the tool does not know."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class Result(BaseModel):
    """Base of every tool's result."""

    model_config = ConfigDict(extra="forbid", frozen=True)


@dataclass(frozen=True)
class Resource:
    """The record that a call touches, as the backend knows it (never as the model describes it).

    `attributes` are Cedar values: str, int, bool, or lists and maps of those.
    """

    type: str
    id: str
    owner: str
    attributes: Mapping[str, Any] = field(default_factory=dict)


EffectKind = Literal["information", "account", "access", "money", "compliance"]


@dataclass(frozen=True)
class Effect:
    """What a call changes, and how to prove, describe and undo it."""

    kind: EffectKind
    read_back: Callable[[str, str], Awaitable[Result | None]]
    """``(customer_id, idempotency_key) -> result``: what the backend holds under the key, or None if nothing."""
    offer: str
    """Jinja2 text of the offer, completed to "Shall I ...?"; sees `args`, `resource` and the filter `money`."""
    consent: bool = True
    """Whether the customer must have said yes to these very arguments. False only where nothing can be harmed."""
    reversible: bool = False
    undo: Callable[[str, str, str], Awaitable[Result]] | None = None
    """``(customer_id, original key, key of the undoing) -> result``."""
    amount: Callable[[Any, "Resource"], tuple[int, str] | None] = lambda arguments, resource: None
    """The money that moves: (minor units, currency), or None."""
    sends: bool = False
    """Whether it sends something to an address on record, which nobody can redirect by asking."""
    fixed_loss_minor: int = 0
    """What a wrong call costs beyond the money moved, in minor units of the house currency."""
    lesser_loss: Callable[[Any, "Resource"], int] | None = None
    """The same of these very arguments, where it may be less: to read along opens less than to administer."""

    def loss_of(self, arguments: Any, resource: "Resource") -> int:
        """What a call with these arguments costs if it is wrong, in minor units: never more than `fixed_loss_minor`."""
        if self.lesser_loss is None:
            return self.fixed_loss_minor
        return min(self.fixed_loss_minor, self.lesser_loss(arguments, resource))


@dataclass(frozen=True)
class Tool:
    """One callable of the agent. `name` is ``service.verb`` (``billing.refund``)."""

    name: str
    summary: str
    """One sentence for the model."""
    status: str
    """What the customer sees while it runs: "Checking your invoices"."""
    scope: str
    """Permission that the agent needs, ``service:read`` or ``service:write``."""
    arguments: type[Arguments]
    result: type[Result]
    call: Callable[[str, Any, str], Awaitable[Result]]
    """``(customer_id, arguments, idempotency_key) -> result``; reads ignore the key. Raises `ToolError`."""
    resource: Callable[[str, Any], Awaitable[Resource | None]]
    """``(customer_id, arguments) -> the record touched``; None where there is no such record."""
    level: IdentityLevel = IdentityLevel.VERIFIED
    steering: frozenset[str] = frozenset()
    """Arguments that steer money, access or identity: only the customer, a record or policy may give them."""
    effect: Effect | None = None
