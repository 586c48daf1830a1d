"""Column types that behave alike on SQLite and Postgres."""

from datetime import UTC, datetime
from typing import Any, ClassVar

from sqlalchemy import JSON, DateTime, TypeDecorator
from sqlalchemy.dialects.postgresql import JSONB
from sqlmodel import Field, SQLModel


class Row(SQLModel):
    """Base of every table of the records."""

    __tablename__: ClassVar[str]  # type: ignore[assignment]


class UtcDateTime(TypeDecorator[datetime]):
    """A moment in UTC. SQLite drops the zone, so it is taken off on the way in and put back on the way out."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Any) -> datetime | None:
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("a stored time needs a zone")
        return value.astimezone(UTC)

    def process_result_value(self, value: datetime | None, dialect: Any) -> datetime | None:
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


Document = JSON().with_variant(JSONB(), "postgresql")
"""A JSON document."""


def moment(**options: Any) -> Any:
    """A field that holds a moment in UTC."""
    return Field(sa_type=UtcDateTime, **options)  # type: ignore[call-overload]


def document(**options: Any) -> Any:
    """A field that holds a JSON document."""
    return Field(sa_type=Document, **options)  # type: ignore[call-overload]
