"""The chain of models: the configured endpoint with bounded retries and a circuit breaker, then the embedded model."""

import asyncio
from typing import Any

import structlog
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, BaseMessage, SystemMessage
from purgatory import AsyncCircuitBreakerFactory
from purgatory.domain.model import OpenedState
from tenacity import AsyncRetrying, RetryError, retry_if_exception_type, stop_after_attempt, wait_exponential_jitter

from agents.errors import ModelUnavailable
from agents.models.embedded import BRIEF, EmbeddedModel
from agents.services import ModelAnswer

log = structlog.get_logger(__name__)


class EmbeddedProposer:
    """Proposes with the embedded model alone."""

    def __init__(self, model: EmbeddedModel) -> None:
        self.model = model

    async def propose(self, messages: list[BaseMessage], tools: list[dict[str, Any]]) -> ModelAnswer:
        """The next proposal of the procedures."""
        result = self.model._generate(messages)
        return ModelAnswer(result.generations[0].message, "embedded")  # type: ignore[arg-type]


class Nonsense(Exception):
    """The endpoint answered with something that is no proposal."""


class EndpointProposer:
    """Proposes with an OpenAI-compatible endpoint; falls back to the embedded model where that fails.

    Once an endpoint has failed within a turn, the turn stays with the embedded model.
    """

    def __init__(
        self,
        name: str,
        model: BaseChatModel,
        fallback: EmbeddedProposer,
        *,
        attempts: int = 2,
        seconds: float = 20.0,
        price_in: float = 0.0,
        price_out: float = 0.0,
        breaker_threshold: int = 5,
        breaker_seconds: float = 30.0,
    ) -> None:
        self.name, self.model, self.fallback = name, model, fallback
        self.attempts, self.seconds = attempts, seconds
        self.price_in, self.price_out = price_in, price_out
        self._breakers = AsyncCircuitBreakerFactory(default_threshold=breaker_threshold, default_ttl=breaker_seconds)

    async def propose(self, messages: list[BaseMessage], tools: list[dict[str, Any]]) -> ModelAnswer:
        """The next proposal. Raises `ModelUnavailable` where the fallback fails too."""
        try:
            return await self._ask(messages, tools)
        except (OpenedState, RetryError, Nonsense) as error:
            cause = error.last_attempt.exception() if isinstance(error, RetryError) else error
            note = f"{self.name} failed: {type(cause).__name__}"
            log.warning("model_fallback", model=self.name, error=type(cause).__name__)
        try:
            answer = await self.fallback.propose(messages, tools)
        except ValueError as error:
            raise ModelUnavailable(f"{note}; {error}") from error
        return ModelAnswer(answer.message, answer.model, note=note)

    async def _ask(self, messages: list[BaseMessage], tools: list[dict[str, Any]]) -> ModelAnswer:
        bound = self.model.bind_tools(tools) if tools else self.model
        readable = [_without_brief(message) for message in messages]
        breaker = await self._breakers.get_breaker(self.name)
        async with breaker:
            retrying = AsyncRetrying(
                stop=stop_after_attempt(self.attempts),
                wait=wait_exponential_jitter(initial=0.2, max=2.0),
                retry=retry_if_exception_type(Exception),
            )
            async for attempt in retrying:
                with attempt:
                    message = await asyncio.wait_for(bound.ainvoke(readable), timeout=self.seconds)
                    return self._answer(message)
        raise Nonsense("no attempt was made")

    def _answer(self, message: Any) -> ModelAnswer:
        if not isinstance(message, AIMessage):
            raise Nonsense("no assistant message")
        if message.invalid_tool_calls:
            raise Nonsense(f"malformed arguments for {message.invalid_tool_calls[0].get('name')}")
        if not message.tool_calls and not message.text.strip():
            raise Nonsense("an empty answer")
        usage = message.usage_metadata or {"input_tokens": 0, "output_tokens": 0}
        cost = usage["input_tokens"] * self.price_in + usage["output_tokens"] * self.price_out
        clean = AIMessage(content=message.text, tool_calls=message.tool_calls)
        return ModelAnswer(clean, self.name, usage["input_tokens"], usage["output_tokens"], round(cost))


def _without_brief(message: BaseMessage) -> BaseMessage:
    if isinstance(message, SystemMessage) and BRIEF in message.additional_kwargs:
        return SystemMessage(content=message.content)
    return message
