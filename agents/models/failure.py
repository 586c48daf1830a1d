"""What can go wrong at a model's endpoint, told apart by what the chain can do about it."""


class EndpointFailed(Exception):
    """The endpoint gave no usable proposal.

    The message is a sentence without a subject ("answered 503") and holds nothing that the endpoint wrote, so it may be
    recorded. `detail` is the endpoint's own word, for an operator's eyes only. Tokens are what the failure cost.
    """

    def __init__(self, says: str, *, detail: str = "", tokens_in: int = 0, tokens_out: int = 0) -> None:
        super().__init__(says)
        self.detail = " ".join(detail.split())[:200]
        self.tokens_in, self.tokens_out = tokens_in, tokens_out


class EndpointBusy(EndpointFailed):
    """No answer now (time-out, broken connection, 429, 5xx): another attempt may get one.

    `retry_after` is the wait in seconds that the endpoint asked for, if it did.
    """

    def __init__(self, says: str, *, detail: str = "", retry_after: float | None = None) -> None:
        super().__init__(says, detail=detail)
        self.retry_after = retry_after


class EndpointRefused(EndpointFailed):
    """The endpoint refuses such requests (wrong key, unknown model, spent quota): only an operator can help."""


class Nonsense(EndpointFailed):
    """The endpoint answered with something that is no proposal."""


class Declined(EndpointFailed):
    """The endpoint works, but has no whole answer for this conversation: refused, filtered, cut off, too long."""


class Resting(EndpointFailed):
    """The endpoint was not asked: it failed too often of late."""
