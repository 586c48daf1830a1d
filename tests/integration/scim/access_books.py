"""A SCIM service with the users of two customers, the tools over it, and a ledger that sends effects to it."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx2
from faulty_line import FaultyLine
from scim2_models import Group, User
from sqlmodel import select

from evals.scim_world import ScimService, fill, users_table
from records.conversation import Conversation
from records.database import Database, migrated_copy, sqlite_url
from records.decision import DecisionRecord
from records.effect import EffectRecord
from records.transcript import Transcript
from tools.ledger import Ledger
from tools.registry import ToolRegistry
from tools.sandbox.access import access_tools
from tools.sandbox.backend import SandboxBackend
from tools.scim_access.access import CHANGE_ROLE
from tools.scim_access.backend import ScimBackend, speaking_scim
from tools.scim_access.notes import farewell_of
from tools.scim_access.roles import ROLES, Person, RolesIn
from tools.scim_access.toolset import scim_access_tools
from tools.tool import Resource

NOW = datetime(2026, 1, 15, 10, tzinfo=UTC)
SECONDS = 5.0


@dataclass
class AccessBooks:
    """Tools over SCIM (`scim`) and over the sandbox (`sandbox`); every request to SCIM goes over `line`."""

    scim: ToolRegistry
    sandbox: ToolRegistry
    backend: ScimBackend
    line: FaultyLine
    database: Database
    ledger: Ledger
    url: str
    token: str
    state: dict[str, list[dict[str, Any]]]
    folder: Path
    base: str
    """The service's address over `line`."""
    roles_in: RolesIn = "roles"

    @classmethod
    @asynccontextmanager
    async def opened(
        cls,
        service: ScimService,
        folder: Path,
        template: Path,
        *,
        seconds: float = SECONDS,
        roles_in: RolesIn = "roles",
    ) -> AsyncIterator["AccessBooks"]:
        """The users of cus_001 and cus_002 as in the sandbox, and a turn of cus_002 that may intend effects."""
        company = await SandboxBackend.open(folder / "sandbox.db", clock=lambda: NOW)
        state = await company.dump()
        state["users"] = [row for row in state["users"] if row["customer_id"] in ("cus_001", "cus_002")]
        next(row for row in state["users"] if row["id"] == "usr_0204")["locked"] = True
        side = service.side()
        await fill(side, service.token, roles_in, state)
        await migrated_copy(template, folder / "handrail.db")
        database = await Database.open(sqlite_url(folder / "handrail.db"), migrate=False)
        described = {tool.name: tool for tool in access_tools(company)}
        async with FaultyLine(httpx2.URL(side).port or 80).open() as line:
            base = line.url + httpx2.URL(side).path.rstrip("/")
            backend = ScimBackend(base, token=service.token, seconds=seconds, roles_in=roles_in)
            registry = ToolRegistry(scim_access_tools(backend, described))
            ledger = Ledger(database, registry, lambda: NOW)
            over_sandbox = ToolRegistry(described.values())
            places = (side, service.token, state, folder, base, roles_in)
            yield cls(registry, over_sandbox, backend, line, database, ledger, *places)
            await backend.close()
        await database.close()
        await company.close()

    async def call(self, tool: str, customer: str, key: str = "key-1", **arguments: Any) -> Any:
        return await called(self.scim, tool, customer, key, **arguments)

    async def touched(self, tool: str, customer: str, **arguments: Any) -> Resource | None:
        found = self.scim.get(tool)
        return await found.resource(customer, found.arguments.model_validate(arguments))

    async def read_back(self, tool: str, customer: str, key: str = "key-1") -> Any:
        effect = self.scim.get(tool).effect
        assert effect
        return await effect.read_back(customer, key)

    async def undo(self, tool: str, key: str, undo_key: str) -> Any:
        effect = self.scim.get(tool).effect
        assert effect and effect.undo
        return await effect.undo("cus_002", key, undo_key)

    async def users(self) -> dict[str, dict[str, Any]]:
        """The users as the service has them, by id."""
        return {row["id"]: row for row in await users_table(self.url, self.token, self.roles_in, self.state)}

    async def add(self, **attributes: Any) -> str:
        """One more user of the service; returns the service's id."""
        async with self._plain() as http:
            made = await http.post("Users", json={"schemas": [str(User.__schema__)], **attributes})
            made.raise_for_status()
            return made.json()["id"]

    async def change_behind_our_back(self, user_id: str, **attributes: Any) -> None:
        """What an administrator of the service does by hand."""
        async with self._plain() as http:
            await self._patch(http, f"Users/{await self._scim_id(http, user_id)}", attributes)

    async def give_role_behind_our_back(self, user_id: str, role: str) -> None:
        """The same, with the user's role, wherever it is kept."""
        if self.roles_in == "roles":
            await self.change_behind_our_back(user_id, roles=[{"value": role}])
            return
        async with self._plain() as http:
            member = await self._scim_id(http, user_id)
            for name, (at, members) in (await self._groups(http)).items():
                kept = [held for held in members if held != member] + ([member] if name == role else [])
                await self._patch(http, f"Groups/{at}", {"members": [{"value": held} for held in kept]})

    async def groups_of(self, user_id: str) -> list[str]:
        """The groups in which a user is."""
        async with self._plain() as http:
            member = await self._scim_id(http, user_id)
            return sorted(name for name, (_, held) in (await self._groups(http)).items() if member in held)

    async def add_group(self, name: str, *members: str) -> None:
        """One group more, by hand."""
        async with self._plain() as http:
            held = [{"value": await self._scim_id(http, member)} for member in members]
            body = {"schemas": [str(Group.__schema__)], "displayName": name, "members": held}
            (await http.post("Groups", json=body)).raise_for_status()

    async def remove_group(self, name: str) -> None:
        """One group less, by hand."""
        async with self._plain() as http:
            (await http.delete(f"Groups/{(await self._groups(http))[name][0]}")).raise_for_status()

    async def members(self, name: str) -> list[str]:
        """Who is in a group, by our ids."""
        async with self._plain() as http:
            users = {user["id"]: user["externalId"] for user in (await http.get("Users")).json()["Resources"]}
            groups = (await http.get("Groups")).json()["Resources"]
        return [users[held["value"]] for group in groups if group["displayName"] == name for held in group["members"]]

    async def _groups(self, http: httpx2.AsyncClient) -> dict[str, tuple[str, list[str]]]:
        found = (await http.get("Groups")).json()["Resources"]
        return {
            group["displayName"]: (group["id"], [member["value"] for member in group.get("members", [])])
            for group in found
            if group["displayName"] in ROLES
        }

    async def _scim_id(self, http: httpx2.AsyncClient, user_id: str) -> str:
        return (await http.get("Users", params={"filter": f'externalId eq "{user_id}"'})).json()["Resources"][0]["id"]

    async def _patch(self, http: httpx2.AsyncClient, at: str, attributes: dict[str, Any]) -> None:
        operations = [{"op": "replace", "path": name, "value": value} for name, value in attributes.items()]
        body = {"schemas": ["urn:ietf:params:scim:api:messages:2.0:PatchOp"], "Operations": operations}
        (await http.patch(at, json=body)).raise_for_status()

    async def entitlements(self, user_id: str) -> list[Any]:
        """The entries of a user, our notes among them."""
        async with self._plain() as http:
            found: Any = await speaking_scim(http).query(Person)
        return next(person.entitlements or [] for person in found.resources if person.external_id == user_id)

    async def farewells(self) -> list[str]:
        """The announcements that stand on users, who are named by id."""
        async with self._plain() as http:
            found: Any = await speaking_scim(http).query(Person)
        return [person.external_id for person in found.resources if farewell_of(person) is not None]

    def patches(self, tool: str) -> int:
        """How many PATCH requests a change to somebody who is no administrator is, when each counts once.

        Where roles are groups: the decision, into one group, out of the other, and that it is done.
        """
        return 4 if tool == CHANGE_ROLE and self.roles_in == "groups" else 1

    async def intend(self, tool: str, arguments: dict[str, Any], key: str = "key-1") -> str:
        """Write an effect of cus_002 down, as the gate does."""
        transcript = Transcript(self.database, lambda: NOW)
        conversation = await transcript.open("cus_002", "stepped_up", "chat")
        _, _, start = await transcript.receive_and_begin(conversation.id, "please", None)
        assert start is not None
        place: dict[str, Any] = {"conversation_id": conversation.id, "turn_id": start.turn.id}
        decision = DecisionRecord(id=f"dec_{key}", kind="call", verdict="permitted", at=NOW, **place)
        effect = EffectRecord(
            id=f"eff_{key}",
            decision_id=decision.id,
            customer_id="cus_002",
            tool=tool,
            kind="access",
            arguments=arguments,
            idempotency_key=key,
            intended_at=NOW,
            **place,
        )
        await transcript.record(conversation.id, [decision, effect], [])
        async with self.database.write() as session:  # no process holds the turn, so that any may carry it out
            held = await session.get_one(Conversation, conversation.id)
            held.lease_owner = held.lease_until = None
        return effect.id

    async def row(self, effect_id: str) -> EffectRecord:
        """The effect as it stands."""
        async with self.database.read() as session:
            return (await session.scalars(select(EffectRecord).where(EffectRecord.id == effect_id))).one()

    async def recover(self) -> None:
        """What a restart or the sweeper does."""
        for row in await self.ledger.open_rows():
            await self.ledger.settle(row)

    def _plain(self) -> httpx2.AsyncClient:
        return httpx2.AsyncClient(base_url=self.url, headers={"Authorization": f"Bearer {self.token}"})


async def called(registry: ToolRegistry, tool: str, customer: str, key: str = "key-1", **arguments: Any) -> Any:
    """A tool's answer."""
    found = registry.get(tool)
    return await found.call(customer, found.arguments.model_validate(arguments), key)
