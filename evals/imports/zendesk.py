"""Zendesk's JSON export: tickets with their comments. Private comments are staff's own notes and are left out."""

from datetime import datetime
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, model_validator

HTML_ONLY = "it has html_body only: export the plain body"


class _Comment(BaseModel):
    author_id: int | str
    body: str
    public: bool
    created_at: datetime | None = None

    @model_validator(mode="before")
    @classmethod
    def _plain(cls, value: Any) -> Any:
        if isinstance(value, dict):
            author = value.get("author")
            body = value.get("plain_body") or value.get("body")
            if body is None and value.get("html_body"):
                raise ValueError(HTML_ONLY)
            value = {**value, "body": body}
            if "author_id" not in value and isinstance(author, dict):
                value["author_id"] = author.get("id")
        return value


class _Via(BaseModel):
    channel: str | int = "email"


class _Rating(BaseModel):
    score: str | None = None


class _Ticket(BaseModel):
    model_config = ConfigDict(extra="ignore")
    id: int | str
    requester_id: int | str
    created_at: datetime | None = None
    status: str = ""
    tags: list[str] = []
    via: _Via | None = None
    satisfaction_rating: _Rating | None = None
    comments: list[_Comment] = Field(min_length=1)

    @model_validator(mode="before")
    @classmethod
    def _requester(cls, value: Any) -> Any:
        if isinstance(value, dict):
            value = value.get("ticket", value) if isinstance(value.get("ticket"), dict) else value
            requester = value.get("requester")
            if "requester_id" not in value and isinstance(requester, dict):
                value = {**value, "requester_id": requester.get("id")}
        return value

    @model_validator(mode="after")
    def _usable(self) -> "_Ticket":
        if self.status == "deleted":
            raise ValueError("it was deleted")
        return self


def recording_of(entry: Any) -> tuple[dict[str, Any], int]:
    """(one ticket as a recording, how many private comments were left out). Raises `ValidationError`."""
    ticket = _Ticket.model_validate(entry)
    said = [comment for comment in ticket.comments if comment.public]
    if all(comment.created_at for comment in said):
        said = sorted(said, key=lambda comment: comment.created_at)  # type: ignore[arg-type, return-value]
    recording: dict[str, Any] = {
        "id": str(ticket.id),
        "group": str(ticket.id),
        "channel": str(ticket.via.channel) if ticket.via else "email",
        "customer": str(ticket.requester_id),
        "messages": [
            {"role": "customer" if c.author_id == ticket.requester_id else "representative", "text": c.body}
            for c in said
        ],
        "outcome": {},
        "status": ticket.status,
        "tags": ticket.tags,
    }
    if ticket.created_at is not None:
        recording["opened_at"] = ticket.created_at.isoformat()
    if ticket.satisfaction_rating and ticket.satisfaction_rating.score in ("good", "bad"):
        # Whether a customer was content says little about whether the right thing was done: it is no `correct`.
        recording["outcome"]["satisfaction"] = ticket.satisfaction_rating.score
    return recording, len(ticket.comments) - len(said)
