"""Errors as RFC 9457 problem documents: what is wrong, where, and how to mend it. Never a stack trace."""

from typing import Any

import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from sqlalchemy.exc import DataError
from starlette.exceptions import HTTPException

from app.identity import NotIdentified
from records.transcript import UnknownConversation

log = structlog.get_logger(__name__)


class Problem(Exception):
    """A refusal with its HTTP status. `detail` says what to do about it."""

    def __init__(self, status: int, title: str, detail: str = "", **extra: Any) -> None:
        super().__init__(title)
        self.status, self.title, self.detail, self.extra = status, title, detail, extra


def problem_response(status: int, title: str, detail: str = "", **extra: Any) -> JSONResponse:
    """A problem document."""
    body = {"type": "about:blank", "title": title, "status": status, **({"detail": detail} if detail else {}), **extra}
    return JSONResponse(body, status, media_type="application/problem+json")


def install(app: FastAPI) -> None:
    """Answer every error of the application with a problem document."""

    @app.exception_handler(Problem)
    async def on_problem(_request: Request, error: Problem) -> JSONResponse:
        return problem_response(error.status, error.title, error.detail, **error.extra)

    @app.exception_handler(NotIdentified)
    async def on_not_identified(_request: Request, error: NotIdentified) -> JSONResponse:
        response = problem_response(401, "Not signed in", str(error))
        response.headers["WWW-Authenticate"] = "Bearer"
        return response

    @app.exception_handler(UnknownConversation)
    async def on_unknown(_request: Request, error: UnknownConversation) -> JSONResponse:
        return problem_response(404, "No such conversation", f"There is no conversation {error} that you may see.")

    @app.exception_handler(RequestValidationError)
    async def on_invalid(_request: Request, error: RequestValidationError) -> JSONResponse:
        if any(e["type"] == "json_invalid" for e in error.errors()):
            return problem_response(400, "Not valid JSON", "The body must be one JSON document.")
        fields = [
            {"field": ".".join(str(part) for part in e["loc"][1:]) or str(e["loc"][0]), "problem": e["msg"]}
            for e in error.errors()
        ]
        return problem_response(422, "The request has a field that cannot be used", fields=fields)

    @app.exception_handler(UnicodeEncodeError)
    async def on_half_a_character(_request: Request, _error: UnicodeEncodeError) -> JSONResponse:
        detail = "A text holds half of a surrogate pair, which no encoding can write down."
        return problem_response(422, "Not valid text", detail)

    @app.exception_handler(DataError)
    async def on_unstorable(_request: Request, _error: DataError) -> JSONResponse:
        detail = "A value is too large, or a text holds a NUL character."
        return problem_response(422, "The request has a value that cannot be stored", detail)

    @app.exception_handler(HTTPException)
    async def on_http(request: Request, error: HTTPException) -> JSONResponse:
        if isinstance(error.__cause__, Problem):  # raised while the body was read
            return await on_problem(request, error.__cause__)
        return problem_response(error.status_code, str(error.detail))

    @app.exception_handler(Exception)
    async def on_anything(request: Request, error: Exception) -> JSONResponse:
        log.exception("request_failed", path=request.url.path, error=type(error).__name__)
        return problem_response(500, "Something went wrong here", "It has been logged. Please try again.")
