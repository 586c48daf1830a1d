"""What can go wrong when a tool is called, told apart by what the caller can do about it."""


class ToolError(Exception):
    """Any failure of a tool call."""


class NoSuchRecord(ToolError):
    """The record does not exist, or is not this customer's: the two look alike on purpose."""


class NotReversible(ToolError):
    """The effect cannot be taken back: it was not done, or the tool knows no way."""


class BackendRefused(ToolError):
    """The backend understood the request and said no; the message says why. Repeating it does not help."""


class BackendTimeout(ToolError):
    """No answer in time: it is not known whether the backend acted. Read back before anything else."""


class BackendUnavailable(ToolError):
    """The backend failed before it could act (refused connection, 5xx without a result). Trying again may help."""


class NotAsked(BackendUnavailable):
    """The backend was not asked at all: it is asked too much, or failed too often of late. Nothing has happened."""
