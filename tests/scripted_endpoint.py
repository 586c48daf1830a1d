"""A scripted model behind a real HTTP server: it speaks OpenAI's chat-completions protocol, well or badly.

Each request takes the next step of the script. A step is what the endpoint does with it: answer (`says`, `calls`,
`Answer`), fail (`Status`), write something else than an answer (`Body`), or misbehave on the wire (`Hang`, `Drip`,
`Cut`). `stream=true` is honoured: the same answer then leaves in pieces. A request that OpenAI would refuse is refused
here too, so a test that reaches its answer has sent a proper one.
"""

import asyncio
import json
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

USAGE = {"prompt_tokens": 100, "completion_tokens": 10, "total_tokens": 110}


@dataclass(frozen=True)
class Answer:
    """A chat completion. `message` is what stands in the choice, also where that breaks the protocol."""

    message: Any
    finish_reason: str | None = "stop"
    usage: Mapping[str, Any] | None = field(default_factory=lambda: USAGE)

    def whole(self, model: str) -> dict[str, Any]:
        """The body of an answer that is not streamed."""
        choice = {"index": 0, "message": self.message, "finish_reason": self.finish_reason}
        return {
            "id": "chatcmpl-1",
            "object": "chat.completion",
            "created": 1,
            "model": model,
            "choices": [choice],
            "usage": self.usage,
        }

    def chunks(self, model: str, usage_wanted: bool) -> Iterator[dict[str, Any]]:
        """The same answer as the deltas of a stream."""
        head = {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1, "model": model}

        def chunk(delta: dict[str, Any], finish: str | None = None) -> dict[str, Any]:
            return {**head, "choices": [{"index": 0, "delta": delta, "finish_reason": finish}]}

        yield chunk({"role": "assistant", "content": ""})
        content = self.message.get("content") or ""
        pieces = [content[at : at + 7] for at in range(0, len(content), 7)] if isinstance(content, str) else [content]
        for piece in pieces:
            yield chunk({"content": piece})
        for index, call in enumerate(self.message.get("tool_calls") or ()):
            function = call["function"]
            opening = {"name": function["name"], "arguments": ""}
            yield chunk({"tool_calls": [{"index": index, "id": call["id"], "type": "function", "function": opening}]})
            for start in range(0, len(function["arguments"]), 5):
                piece = {"arguments": function["arguments"][start : start + 5]}
                yield chunk({"tool_calls": [{"index": index, "function": piece}]})
        if self.finish_reason is not None:
            yield chunk({}, self.finish_reason)
        if usage_wanted:
            yield {**head, "choices": [], "usage": self.usage}


def says(text: Any, **more: Any) -> Answer:
    """A reply."""
    return Answer({"role": "assistant", "content": text}, **more)


def calls(*wanted: tuple[str, Any], text: str | None = None, ids: list[Any] | None = None, **more: Any) -> Answer:
    """Tool calls: (name, arguments); arguments as a string are sent as they are."""
    made = [
        {
            "id": ids[number] if ids else f"call_{name}_{number}",
            "type": "function",
            "function": {"name": name, "arguments": given if isinstance(given, str) else json.dumps(given)},
        }
        for number, (name, given) in enumerate(wanted)
    ]
    return Answer({"role": "assistant", "content": text, "tool_calls": made}, **{"finish_reason": "tool_calls", **more})


@dataclass(frozen=True)
class Status:
    """An error status."""

    code: int
    headers: Mapping[str, str] = field(default_factory=dict)
    message: str = "the scripted endpoint says no"


@dataclass(frozen=True)
class Body:
    """A 200 whose body is not an answer."""

    text: str
    content_type: str = "application/json"


@dataclass(frozen=True)
class Hang:
    """Nothing for so many seconds, then nothing either."""

    seconds: float = 30.0


@dataclass(frozen=True)
class Drip:
    """A good answer, one byte at a time: no gap is long, the whole takes for ever."""

    answer: Answer
    pause: float = 0.05


@dataclass(frozen=True)
class Cut:
    """The connection goes after this share of the body; `politely` as if the body ended there."""

    answer: Answer
    share: float = 0.5
    politely: bool = False


Step = Answer | Status | Body | Hang | Drip | Cut
Play = Callable[[dict[str, Any]], Step]


@dataclass
class ScriptedEndpoint:
    """The ASGI application. `received` are the bodies of the requests, `keys` the bearer tokens that came with them."""

    steps: list[Step | Play] = field(default_factory=list)
    for_ever: Step | Play | None = None
    """What happens when the steps are used up; by default a 599 that no script expects."""
    received: list[dict[str, Any]] = field(default_factory=list)
    keys: list[str] = field(default_factory=list)
    breaches: list[str] = field(default_factory=list)
    """What was wrong with requests."""
    url: str = ""

    @property
    def sent(self) -> str:
        """Everything that reached the endpoint, as one text."""
        return json.dumps(self.received, ensure_ascii=False)

    def then(self, *steps: Step | Play) -> "ScriptedEndpoint":
        """Add steps to the script."""
        self.steps += steps
        return self

    def forget(self) -> None:
        """Forget script and history."""
        self.for_ever = None
        for remembered in (self.steps, self.received, self.keys, self.breaches):
            remembered.clear()

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Play one request."""
        if scope["type"] == "lifespan":
            while True:
                message = await receive()
                await send({"type": f"{message['type']}.complete"})
                if message["type"] == "lifespan.shutdown":
                    return
        body = b""
        while True:
            message = await receive()
            body += message.get("body", b"")
            if not message.get("more_body"):
                break
        headers = {name.decode(): value.decode() for name, value in scope["headers"]}
        if not scope["path"].endswith("/v1/chat/completions"):
            await _write(send, 404, {}, b'{"error": {"message": "there is no such path"}}')
            return
        request = json.loads(body)
        self.received.append(request)
        self.keys.append(headers.get("authorization", "").removeprefix("Bearer "))
        if problem := _breach(request):
            self.breaches.append(problem)
            await _write(send, 400, {}, json.dumps({"error": {"message": problem}}).encode())
            return
        step = self.steps.pop(0) if self.steps else self.for_ever or Status(599, message="the script has ended")
        if not isinstance(step, Step):
            step = step(request)
        with suppress(OSError):
            await _perform(step, request, send)


def _breach(request: dict[str, Any]) -> str:
    """What breaks the protocol in a request: the rules of roles, of calls and their outcomes, of names."""
    waiting: list[str] = []
    for message in request["messages"]:
        if waiting and message["role"] != "tool":
            return f"the calls {waiting} have no outcome"
        match message["role"]:
            case "tool":
                if message["tool_call_id"] not in waiting:
                    return f"an outcome of {message['tool_call_id']}, which was not called"
                waiting.remove(message["tool_call_id"])
            case "assistant":
                waiting = [call["id"] for call in message.get("tool_calls") or ()]
                if len(set(waiting)) < len(waiting):
                    return "two calls have one id"
                if not waiting and not message["content"]:
                    return "an empty message of the assistant"
            case "system" | "user":
                if not isinstance(message["content"], str) or not message["content"]:
                    return f"an empty message of the {message['role']}"
            case other:
                return f"there is no role {other}"
    if waiting:
        return f"the calls {waiting} have no outcome"
    names = [tool["function"]["name"] for tool in request.get("tools", ())]
    return next(
        (f"{name} is no name of a tool" for name in names if not re.fullmatch(r"[a-zA-Z0-9_-]{1,64}", name)), ""
    )


async def _perform(step: Step, request: dict[str, Any], send: Any) -> None:
    match step:
        case Status(code, headers, message):
            await _write(send, code, headers, json.dumps({"error": {"message": message}}).encode())
        case Body(text, content_type):
            await _write(send, 200, {"content-type": content_type}, text.encode())
        case Hang(seconds):
            await asyncio.sleep(seconds)
            _abort(send)
        case Answer():
            await _write(send, 200, _type(request), b"".join(_pieces(step, request)))
        case Drip(answer, pause):
            await _begin(send, 200, _type(request))
            for byte in b"".join(_pieces(answer, request)):
                await send({"type": "http.response.body", "body": bytes([byte]), "more_body": True})
                await asyncio.sleep(pause)
            await send({"type": "http.response.body", "body": b""})
        case Cut(answer, share, politely):
            if share > 0:
                await _begin(send, 200, _type(request))
                pieces = b"".join(_pieces(answer, request))
                await send(
                    {"type": "http.response.body", "body": pieces[: int(len(pieces) * share)], "more_body": True}
                )
                if politely:
                    await send({"type": "http.response.body", "body": b""})
                    return
                await asyncio.sleep(0.02)
            _abort(send)


def _pieces(answer: Answer, request: dict[str, Any]) -> Iterator[bytes]:
    if not request.get("stream"):
        yield json.dumps(answer.whole(request["model"])).encode()
        return
    usage_wanted = bool((request.get("stream_options") or {}).get("include_usage"))
    for chunk in answer.chunks(request["model"], usage_wanted):
        yield f"data: {json.dumps(chunk)}\n\n".encode()
    yield b"data: [DONE]\n\n"


def _type(request: dict[str, Any]) -> dict[str, str]:
    return {"content-type": "text/event-stream" if request.get("stream") else "application/json"}


async def _begin(send: Any, status: int, headers: Mapping[str, str]) -> None:
    given = {"content-type": "application/json", **headers}
    pairs = [(name.encode(), value.encode()) for name, value in given.items()]
    await send({"type": "http.response.start", "status": status, "headers": pairs})


async def _write(send: Any, status: int, headers: Mapping[str, str], body: bytes) -> None:
    await _begin(send, status, headers)
    await send({"type": "http.response.body", "body": body})


def _abort(send: Any) -> None:
    """Drop the TCP connection: uvicorn's `send` belongs to the object that holds the transport."""
    send.__self__.transport.abort()
