"""A verdict: what the gate makes of one proposal, with each check that it went through."""

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any


class Ruling(StrEnum):
    """What may happen to a proposal."""

    PERMITTED = "permitted"
    ASK = "ask"
    NEEDS_APPROVAL = "needs_approval"
    NEEDS_CODE = "needs_code"
    REFUSED = "refused"
    ESCALATE = "escalate"


@dataclass(frozen=True)
class Check:
    """One check of the gate. `figures` are what it compared."""

    name: str
    ruling: Ruling = Ruling.PERMITTED
    reason: str = ""
    figures: dict[str, Any] = field(default_factory=dict)

    @property
    def passed(self) -> bool:
        """Whether the proposal may go on to the next check."""
        return self.ruling is Ruling.PERMITTED

    def as_json(self) -> dict[str, Any]:
        """The check as it is recorded."""
        return {"check": self.name, "ruling": self.ruling.value, "reason": self.reason, "figures": self.figures}


@dataclass(frozen=True)
class Verdict:
    """All checks of one proposal. The first that did not pass decides."""

    checks: tuple[Check, ...]
    policies: tuple[str, ...] = ()
    origins: dict[str, dict[str, str]] = field(default_factory=dict)
    p_correct: float | None = None

    @property
    def deciding(self) -> Check:
        """The check that decided."""
        return next((check for check in self.checks if not check.passed), Check("all"))

    @property
    def ruling(self) -> Ruling:
        """What may happen."""
        return self.deciding.ruling
