"""The chain of models: the configured endpoint with bounded retries and a circuit breaker, then the embedded model."""

import asyncio
from typing import TYPE_CHECKING, Any

import structlog
from langchain_core.messages import AIMessage, BaseMessage, ToolMessage
from purgatory import AsyncCircuitBreakerFactory
from purgatory.domain.model import HALF_OPENED, OpenedState
from tenacity import (
    AsyncRetrying,
    RetryCallState,
    retry_if_exception_type,
    stop_after_attempt,
    stop_before_delay,
    wait_exponential_jitter,
)

from agents.errors import ModelUnavailable
from agents.models.embedded import EmbeddedModel
from agents.models.failure import Declined, EndpointBusy, EndpointFailed, Resting
from agents.models.redaction import Redaction
from agents.services import ModelAnswer

if TYPE_CHECKING:  # it takes the client libraries along, which a service without an endpoint need not load
    from agents.models.endpoint import Endpoint, Proposal

log = structlog.get_logger(__name__)

EMBEDDED = "embedded"
SERVED_BY = "served_by"
"""Response metadata: the model that made a proposal. The turn keeps its proposals among its messages, and so this."""

_backoff = wait_exponential_jitter(multiplier=0.2, max=2.0)


class EmbeddedProposer:
    """Proposes with the embedded model alone."""

    def __init__(self, model: EmbeddedModel) -> None:
        self.model = model

    async def propose(self, messages: list[BaseMessage], tools: list[dict[str, Any]]) -> ModelAnswer:
        """The next proposal of the procedures."""
        result = self.model._generate(messages)
        return ModelAnswer(result.generations[0].message, EMBEDDED)  # type: ignore[arg-type]


class EndpointProposer:
    """Proposes with an OpenAI-compatible endpoint; falls back to the embedded model where that fails.

    Once an endpoint has failed within a turn, the turn stays with the embedded model: two models that take turns at one
    procedure would each find the other's steps. What leaves for the endpoint is redacted, what comes back restored.
    """

    def __init__(
        self,
        endpoint: "Endpoint",
        fallback: EmbeddedProposer,
        *,
        attempts: int = 2,
        seconds: float = 25.0,
        price_in: float = 0.0,
        price_out: float = 0.0,
        breaker_failures: int = 5,
        breaker_seconds: float = 30.0,
    ) -> None:
        """`seconds` bounds all attempts at one proposal and the waits between them; prices are millionths a token."""
        self.endpoint, self.fallback = endpoint, fallback
        self.attempts, self.seconds = attempts, seconds
        self.price_in, self.price_out = price_in, price_out
        self._breakers = AsyncCircuitBreakerFactory(breaker_failures, breaker_seconds, exclude=[Declined])

    async def propose(self, messages: list[BaseMessage], tools: list[dict[str, Any]]) -> ModelAnswer:
        """The next proposal. Raises `ModelUnavailable` where the fallback fails too."""
        if any(_served_by(message) == EMBEDDED for message in messages):
            return await self._fall_back(messages, tools, f"{self.endpoint.name} failed earlier in this turn")
        redaction = Redaction()
        try:
            answer = await self._ask([redaction.hide_message(message) for message in messages], tools)
        except EndpointFailed as failure:
            log.warning("model_fallback", model=self.endpoint.name, failure=type(failure).__name__, says=str(failure))
            return await self._fall_back(messages, tools, f"{self.endpoint.name} {failure}", failure)
        message = AIMessage(
            content=redaction.restore(answer.message.text),
            tool_calls=[
                {**call, "args": redaction.restore_all(call["args"])}  # type: ignore[typeddict-item]
                for call in answer.message.tool_calls
            ],
            response_metadata={SERVED_BY: self.endpoint.name},
        )
        cost = self._cost(answer.tokens_in, answer.tokens_out)
        return ModelAnswer(message, self.endpoint.name, answer.tokens_in, answer.tokens_out, cost)

    async def close(self) -> None:
        """Close the endpoint's connections."""
        await self.endpoint.close()

    async def _ask(self, messages: list[BaseMessage], tools: list[dict[str, Any]]) -> "Proposal":
        retrying = AsyncRetrying(
            stop=stop_after_attempt(self.attempts) | stop_before_delay(self.seconds),
            wait=_wait,
            retry=retry_if_exception_type(EndpointBusy),
            reraise=True,
        )
        try:
            async with asyncio.timeout(self.seconds):
                return await retrying(self._attempt, messages, tools)
        except TimeoutError as error:
            raise EndpointBusy(f"gave no answer within {self.seconds:g} s in all") from error

    async def _attempt(self, messages: list[BaseMessage], tools: list[dict[str, Any]]) -> "Proposal":
        breaker = await self._breakers.get_breaker(self.endpoint.name)
        if breaker.context.state == HALF_OPENED:
            raise Resting("is being tried again by another turn")
        try:
            async with breaker:
                return await self.endpoint.ask(messages, tools)
        except OpenedState as error:
            raise Resting("failed too often of late and is left alone for a while") from error

    async def _fall_back(
        self, messages: list[BaseMessage], tools: list[dict[str, Any]], note: str, failure: EndpointFailed | None = None
    ) -> ModelAnswer:
        try:
            message = (await self.fallback.propose(replayable(messages), tools)).message
        except Exception as error:  # the last in the chain: whatever it is, the customer gets a person
            log.exception("fallback_failed", note=note)
            raise ModelUnavailable(f"{note}; then the embedded model failed: {type(error).__name__}") from error
        message.response_metadata[SERVED_BY] = EMBEDDED
        tokens_in, tokens_out = (failure.tokens_in, failure.tokens_out) if failure else (0, 0)
        return ModelAnswer(message, EMBEDDED, tokens_in, tokens_out, self._cost(tokens_in, tokens_out), note)

    def _cost(self, tokens_in: int, tokens_out: int) -> int:
        return round(tokens_in * self.price_in + tokens_out * self.price_out)


def replayable(messages: list[BaseMessage]) -> list[BaseMessage]:
    """What the embedded model takes over: all that was found out, but not the endpoint's failed calls.

    A call that was refused because it came too early or with a strange value says nothing against the same call in its
    proper place. An effect is not repeated by that: the ledger knows it by its key.
    """
    proposer: dict[str, str | None] = {}
    kept = []
    for message in messages:
        if isinstance(message, AIMessage):
            proposer |= {call["id"] or "": _served_by(message) for call in message.tool_calls}
        theirs = isinstance(message, ToolMessage) and proposer.get(message.tool_call_id) not in (None, EMBEDDED)
        if not (theirs and message.status == "error"):  # type: ignore[attr-defined]
            kept.append(message)
    return kept


def _served_by(message: BaseMessage) -> str | None:
    return message.response_metadata.get(SERVED_BY)


def _wait(state: RetryCallState) -> float:
    """As long as the endpoint asks for, else a little longer each time."""
    failure = state.outcome.exception() if state.outcome else None
    asked = failure.retry_after if isinstance(failure, EndpointBusy) else None
    return _backoff(state) if asked is None else asked
