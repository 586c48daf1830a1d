"""Scratch databases on the PostgreSQL server of this machine, each a copy of one migrated template."""

import asyncio
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import psycopg
from psycopg import sql

from records.database import Database

USERS = ("root", "postgres")


@dataclass
class PostgresServer:
    """A server that lets a user in without a password."""

    user: str
    template: str = field(default_factory=lambda: f"handrail_test_{secrets.token_hex(5)}")
    _made: bool = False

    @classmethod
    def found(cls) -> "PostgresServer | None":
        """The server, where there is one that takes one of the usual users."""
        for user in USERS:
            try:
                psycopg.connect(_admin(user), connect_timeout=2).close()
            except psycopg.OperationalError:
                continue
            return cls(user)
        return None

    @contextmanager
    def scratch(self) -> Iterator[str]:
        """A fresh, migrated database: its URL. It is dropped at the end, whoever is connected."""
        if not self._made:
            self._do("CREATE DATABASE {}", self.template)
            asyncio.run(_migrate(self.url(self.template)))
            self._made = True
        name = f"handrail_test_{secrets.token_hex(5)}"
        self._do("CREATE DATABASE {} TEMPLATE {}", name, self.template)
        try:
            yield self.url(name)
        finally:
            self._do("DROP DATABASE {} WITH (FORCE)", name)

    @contextmanager
    def empty(self) -> Iterator[str]:
        """A database without any table."""
        name = f"handrail_test_{secrets.token_hex(5)}"
        self._do("CREATE DATABASE {}", name)
        try:
            yield self.url(name)
        finally:
            self._do("DROP DATABASE {} WITH (FORCE)", name)

    def drop_connections(self, url: str) -> None:
        """Cut every connection to a database, as a restart of the server would."""
        with psycopg.connect(_admin(self.user), autocommit=True) as connection:
            connection.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", [url.rsplit("/", 1)[1]]
            )

    def url(self, database: str) -> str:
        """As `HANDRAIL_DATABASE_URL` takes it."""
        return f"postgresql+psycopg://{self.user}@127.0.0.1:5432/{database}"

    def close(self) -> None:
        """Drop the template."""
        if self._made:
            self._do("DROP DATABASE {} WITH (FORCE)", self.template)

    def _do(self, statement: str, *names: str) -> None:
        with psycopg.connect(_admin(self.user), autocommit=True) as connection:
            connection.execute(sql.SQL(statement).format(*map(sql.Identifier, names)))  # type: ignore[arg-type]


def _admin(user: str) -> str:
    return f"postgresql://{user}@127.0.0.1:5432/postgres"


async def _migrate(url: str) -> None:
    database = await Database.open(url)
    await database.close()
