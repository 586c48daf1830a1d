"""Conditions and values in operators' files: CEL, compiled once, evaluated over plain JSON values."""

import re
from typing import Any

import cel


class ExpressionError(Exception):
    """The expression does not parse, or cannot be evaluated over these values. The message says why in one line."""


class Expression:
    """One compiled CEL expression."""

    def __init__(self, source: str) -> None:
        self.source = source
        try:
            self._program = cel.compile(source)
        except ValueError as error:
            raise ExpressionError(f"{source!r} does not parse: {_first_line(error)}") from None
        self.variables: frozenset[str] = frozenset(self._program.variables())
        self.slots: tuple[str, ...] = tuple(dict.fromkeys(re.findall(r"\bslots\.([a-z_][a-z0-9_]*)", source)))

    def evaluate(self, names: "dict[str, Any] | cel.Context") -> Any:
        """The value over `names`, or over a `cel.Context` that several expressions share. Raises `ExpressionError`."""
        try:
            return self._program.execute(names)
        except (ValueError, TypeError, KeyError, RuntimeError) as error:
            raise ExpressionError(f"{self.source!r} cannot be evaluated: {_first_line(error)}") from None

    def __repr__(self) -> str:
        return f"Expression({self.source!r})"


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0].replace("Failed to parse expression ", "")
