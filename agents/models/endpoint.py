"""One outside endpoint that speaks OpenAI's chat-completions protocol, asked once a call, through `langchain-openai`.

What leaves is a request that every such server understands; what comes back is a checked proposal, or a failure that
says what another attempt would be worth. The limits hold on the wire: time, size, no compression, no redirects (a
redirect would carry the conversation to a host that no operator named).
"""

import asyncio
import math
import re
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from email.utils import parsedate_to_datetime
from typing import Any

import httpx2
import openai
from langchain_core.exceptions import ContextOverflowError
from langchain_core.messages import AIMessage, AIMessageChunk, BaseMessage, HumanMessage, ToolMessage
from langchain_openai import ChatOpenAI
from pydantic import SecretStr

from agents.models.answer import RawAnswer, RawCall, proposal_in
from agents.models.failure import Declined, EndpointBusy, EndpointFailed, EndpointRefused, Nonsense

MAX_BODY = 8 * 1024 * 1024
"""Bytes of one answer. A stream spends some 250 on each token, and a reasoning model streams its reasoning too."""
CONNECT_SECONDS = 5.0
_TOO_LONG = re.compile(r"context (?:length|size|window)|too many tokens|prompt is too long", re.IGNORECASE)
"""How vLLM, llama.cpp and others say it; LangChain knows OpenAI's words."""
PUT_OFF = "This call was not carried out: others of the same message came first. Propose it again if it is still right."


@dataclass(frozen=True)
class Proposal:
    """A checked answer and its tokens."""

    message: AIMessage
    tokens_in: int
    tokens_out: int


class Endpoint:
    """A model behind an endpoint."""

    def __init__(
        self,
        name: str,
        *,
        base_url: str | None = None,
        api_key: SecretStr | None = None,
        seconds: float = 20.0,
        streaming: bool = False,
        temperature: float | None = 0.0,
        max_tokens: int | None = None,
    ) -> None:
        """`base_url`: default OpenAI's. Without `api_key` a placeholder is sent: servers of one's own need none."""
        self.name, self.seconds, self.streaming = name, seconds, streaming
        self.url = base_url or "https://api.openai.com/v1"
        self._http = httpx2.AsyncClient(
            headers={"Accept-Encoding": "identity"},
            event_hooks={"response": [_bound]},
            follow_redirects=False,
            limits=openai.DEFAULT_CONNECTION_LIMITS,
        )
        self._model = ChatOpenAI(
            model=name,
            base_url=self.url,
            api_key=api_key or SecretStr("none"),
            temperature=temperature,
            max_completion_tokens=max_tokens,
            timeout=httpx2.Timeout(seconds, connect=min(seconds, CONNECT_SECONDS)),
            max_retries=0,
            http_async_client=self._http,
            openai_proxy=None,
            use_responses_api=False,
            output_version="v0",
            stream_usage=True,
            stream_chunk_timeout=None,
        )

    async def ask(self, messages: list[BaseMessage], tools: list[dict[str, Any]]) -> Proposal:
        """One call. Raises `EndpointFailed`."""
        try:
            async with asyncio.timeout(self.seconds):
                raw = await self._answer(well_formed(messages), tools)
        except EndpointFailed:
            raise
        except (TimeoutError, openai.APITimeoutError) as error:
            raise EndpointBusy(f"gave no answer within {self.seconds:g} s") from error
        except openai.APIConnectionError as error:
            raise EndpointBusy("could not be reached, or the connection broke", detail=_root(error)) from error
        except openai.APIStatusError as error:
            raise failure_of(error) from error
        except openai.APIError as error:
            raise EndpointBusy("broke off its answer with an error", detail=error.message) from error
        except Exception as error:  # a malformed answer makes the client libraries raise almost anything
            raise Nonsense("sent something that is no chat completion", detail=str(error)) from error
        taken = {call["id"] or "" for m in messages if isinstance(m, AIMessage) for call in m.tool_calls}
        return Proposal(proposal_in(raw, taken), raw.tokens_in, raw.tokens_out)

    async def close(self) -> None:
        """Close the connections."""
        await self._http.aclose()

    async def _answer(self, messages: list[BaseMessage], tools: list[dict[str, Any]]) -> RawAnswer:
        model = self._model.bind_tools(tools) if tools else self._model
        if not self.streaming:
            return _whole(await model.ainvoke(messages))
        answer = _Assembly()
        async for chunk in model.astream(messages):
            answer.add(chunk)  # type: ignore[arg-type]
        return answer.whole()


def well_formed(messages: list[BaseMessage]) -> list[BaseMessage]:
    """The messages as every server takes them.

    Each proposed call has its outcome (the gate leaves one open where it carried out others of the same message), and
    no two messages of one side follow each other (chat templates of open models refuse that).
    """
    answered = {message.tool_call_id for message in messages if isinstance(message, ToolMessage)}
    made: list[BaseMessage] = []
    for message in messages:
        last = made[-1] if made else None
        match message:
            case AIMessage(tool_calls=[_, *_]):
                made.append(message)
                open_calls = [call["id"] for call in message.tool_calls if call["id"] not in answered]
                made += [ToolMessage(PUT_OFF, tool_call_id=id_, status="error") for id_ in open_calls]
            case AIMessage() if isinstance(last, AIMessage):
                made[-1] = AIMessage(f"{last.text}\n\n{message.text}")
            case HumanMessage() if isinstance(last, HumanMessage):
                made[-1] = HumanMessage(f"{last.text}\n\n{message.text}")
            case _:
                made.append(message)
    return made


def _whole(message: BaseMessage) -> RawAnswer:
    if not isinstance(message, AIMessage):
        raise Nonsense("spoke in another role than the assistant's")
    tokens_in, tokens_out = _tokens(message)
    calls = [RawCall(call["id"], call["name"], call["args"]) for call in message.tool_calls]
    calls += [RawCall(call["id"], call["name"], call["args"] or "") for call in message.invalid_tool_calls]
    return RawAnswer(
        text=str(message.text),
        calls=tuple(calls),
        finish_reason=message.response_metadata.get("finish_reason"),
        refusal=str(message.additional_kwargs.get("refusal") or ""),
        tokens_in=tokens_in,
        tokens_out=tokens_out,
    )


@dataclass
class _Assembly:
    """Puts the pieces of a stream together.

    Adding up LangChain's chunks would do it too, but closes unfinished JSON on the way: arguments that were cut off
    would come out as arguments that leave something out.
    """

    texts: list[str] = field(default_factory=list)
    calls: dict[Any, dict[str, Any]] = field(default_factory=dict)
    finish_reason: str | None = None
    tokens: tuple[int, int] = (0, 0)

    def add(self, chunk: AIMessageChunk) -> None:
        """Take the next piece."""
        self.texts.append(str(chunk.text))
        for piece in chunk.tool_call_chunks:
            call = self.calls.setdefault(piece["index"], {"id": None, "name": "", "arguments": []})
            call["id"] = call["id"] or piece["id"]
            call["name"] += piece["name"] or ""
            call["arguments"].append(piece["args"] or "")
        self.finish_reason = chunk.response_metadata.get("finish_reason") or self.finish_reason
        if chunk.usage_metadata:
            self.tokens = _tokens(chunk)

    def whole(self) -> RawAnswer:
        """What they add up to."""
        calls = [RawCall(call["id"], call["name"], "".join(call["arguments"])) for call in self.calls.values()]
        return RawAnswer(
            text="".join(self.texts),
            calls=tuple(calls),
            finish_reason=self.finish_reason,
            streamed=True,
            tokens_in=self.tokens[0],
            tokens_out=self.tokens[1],
        )


def _root(error: BaseException) -> str:
    """What the client libraries wrapped."""
    while error.__cause__ is not None:
        error = error.__cause__
    return f"{type(error).__name__}: {error}"


def _tokens(message: AIMessage) -> tuple[int, int]:
    usage = message.usage_metadata
    return (max(0, usage["input_tokens"]), max(0, usage["output_tokens"])) if usage else (0, 0)


def failure_of(error: openai.APIStatusError) -> EndpointFailed:
    """What an error status is worth: a later attempt, an operator's attention, or nothing for this conversation."""
    status, says, detail = error.status_code, f"answered {error.status_code}", error.message
    if isinstance(error, ContextOverflowError) or status == 413 or (status == 400 and _TOO_LONG.search(detail)):
        return Declined("cannot take in so long a conversation", detail=detail)
    if error.code == "content_filter":
        return Declined("withheld the answer (content filter)", detail=detail)
    passing = status in (408, 409, 425, 429) or status >= 500
    if passing and error.code != "insufficient_quota":
        return EndpointBusy(says, detail=detail, retry_after=_retry_after(error.response.headers))
    return EndpointRefused(says, detail=detail)


def _retry_after(headers: httpx2.Headers) -> float | None:
    """Seconds to wait (RFC 9110, 10.2.3), a date taken by the server's own clock; None where it does not say."""
    given = headers.get("retry-after", "")
    try:
        seconds = float(given)
    except ValueError:
        try:
            until, now = parsedate_to_datetime(given), parsedate_to_datetime(headers.get("date", ""))
            seconds = (until - now).total_seconds()
        except (ValueError, TypeError):
            return None
    return max(0.0, seconds) if math.isfinite(seconds) else None


async def _bound(response: httpx2.Response) -> None:
    """Bound the size of a body before any of it is read. Compression could hide a larger one."""
    if response.headers.get("content-encoding", "identity") != "identity":
        raise Nonsense("compressed its answer although it was told not to")
    assert isinstance(response.stream, httpx2.AsyncByteStream)
    response.stream = _Bounded(response.stream)


class _Bounded(httpx2.AsyncByteStream):
    """A body that ends in `Nonsense` once it is larger than any answer."""

    def __init__(self, body: httpx2.AsyncByteStream) -> None:
        self._body = body

    async def __aiter__(self) -> AsyncIterator[bytes]:
        size = 0
        async for chunk in self._body:
            size += len(chunk)
            if size > MAX_BODY:
                raise Nonsense(f"sent more than {MAX_BODY} bytes")
            yield chunk

    async def aclose(self) -> None:
        await self._body.aclose()
