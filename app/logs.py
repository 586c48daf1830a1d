"""Logging: one line of JSON an event on stderr, with secrets taken out."""

import logging
import re
import sys
from collections.abc import MutableMapping
from contextlib import suppress
from typing import Any

import structlog

_SECRET_NAMES = re.compile(r"token|secret|password|authorization|api_?key|code", re.IGNORECASE)
_SECRET_VALUES = re.compile(r"(?i)bearer\s+[\w.-]+|\bsk-[\w-]{8,}|\b(?:\d[ -]?){13,19}\b|eyJ[\w-]{8,}\.[\w.-]+")


def without_secrets(_logger: Any, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Mask what must not reach a log."""
    return {
        name: "***"
        if _SECRET_NAMES.search(name)
        else _SECRET_VALUES.sub("***", value)
        if isinstance(value, str)
        else value
        for name, value in event.items()
    }


def configure(*, quiet: bool = False) -> None:
    """Set up logging for a process."""
    level = logging.ERROR if quiet else logging.INFO
    of_others = logging.StreamHandler(sys.stderr)
    of_others.setLevel(logging.WARNING)  # on the handler: a library may set its own logger to DEBUG, as bm25s does
    logging.basicConfig(level=logging.WARNING, handlers=[of_others], format="%(levelname)s %(name)s %(message)s")
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            without_secrets,
            structlog.processors.JSONRenderer(),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=_ToStandardError,
    )


class _ToStandardError:
    """Writes to what is standard error when it writes: a stream that was closed meanwhile must not break an answer."""

    def __init__(self, *_: Any) -> None:
        pass

    def msg(self, line: str) -> None:
        with suppress(ValueError, OSError):
            print(line, file=sys.stderr, flush=True)

    log = debug = info = warning = error = critical = fatal = exception = msg
