"""The client of one SCIM service: finding a customer's users, the time limit, and what its errors mean to us."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, TypeVar
from weakref import WeakValueDictionary

import httpx2
from scim2_client import RequestNetworkException, SCIMClientException
from scim2_client.client import describe_resource_models
from scim2_client.engines.httpx2 import AsyncSCIMClient
from scim2_models import (
    EnterpriseUser,
    Error,
    Group,
    ListResponse,
    NotFoundException,
    PatchOp,
    PatchOperation,
    PreconditionFailedException,
    SCIMException,
    ScimPolicy,
    ScimProvider,
    SearchRequest,
)

from tools.errors import BackendRefused, BackendTimeout, BackendUnavailable, NoSuchRecord, ToolError
from tools.scim_access.notes import Note, carried_out, note_under, unfinished
from tools.scim_access.roles import (
    ADMIN,
    ROLE_GROUPS,
    ROLES,
    Person,
    RolesIn,
    by_role,
    holds,
    joining,
    leaving,
    role_of,
    role_within,
)
from tools.stripe_billing.notes import request_digest
from tools.tool import Result

ORGANIZATION = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:organization"
PAGE = 200
ATTEMPTS = 5
"""How often a change is tried anew because somebody else changed the user meanwhile."""

FINISHING = 20
"""How often what is decided is tried anew because somebody else changed a group or the user meanwhile."""

T = TypeVar("T")
S = TypeVar("S", Person, Group)
R = TypeVar("R", bound=Result)


def speaking_scim(http: httpx2.AsyncClient) -> AsyncSCIMClient:
    """A client for users and groups; attributes that a service has beyond the standard are passed over."""
    models, types = describe_resource_models([Person, Group])
    policy = ScimPolicy(unknown=ScimPolicy.Unknown.ignore)
    return AsyncSCIMClient(http, provider=ScimProvider(models=models, resource_types=types, policy=policy))


def owner_of(person: Person) -> str:
    """Our id of the customer whose user this is; empty where it is nobody's."""
    enterprise = person[EnterpriseUser]
    return (enterprise.organization or "") if enterprise is not None else ""


def id_of(person: Person) -> str:
    """The id by which we know a user: the one that our systems gave (`externalId`), else the SCIM service's own."""
    return person.external_id or person.id or ""


@dataclass(frozen=True)
class Account:
    """One customer's side of the SCIM service."""

    client: AsyncSCIMClient
    customer_id: str
    roles_in: RolesIn = "roles"
    key: str = ""
    """Idempotency key of the effect; empty in a read."""
    request: str = ""
    """Digest of what was asked under the key."""

    async def user(self, user_id: str) -> Person:
        """This customer's user. Raises `NoSuchRecord`, also when the user is somebody else's."""
        person = await self.anyones_user(user_id)
        if person is None or owner_of(person) != self.customer_id:
            raise NoSuchRecord(f"there is no user {user_id}")
        return person

    async def anyones_user(self, user_id: str) -> Person | None:
        """The user whoever owns them, for the gate: the policy compares the owner with the customer.

        Raises `BackendRefused` where two users have this id.
        """
        if not user_id:
            return None
        found = await self._search(Person, f"externalId eq {json.dumps(user_id)}")
        named = [person for person in found if person.external_id == user_id]
        if len(named) > 1:
            raise BackendRefused(f"the SCIM service has {len(named)} users with the externalId {user_id}")
        if named:
            return named[0]
        try:
            person = _answered(await self.client.query(Person, user_id))
        except NotFoundException:
            return None
        return person if id_of(person) == user_id else None

    async def users(self, customer_id: str | None = None) -> list[Person]:
        """Every user of this customer (or of another), ordered by id."""
        owner = customer_id if customer_id is not None else self.customer_id
        found = await self._search(Person, f"{ORGANIZATION} eq {json.dumps(owner)}")
        return sorted((person for person in found if owner_of(person) == owner), key=id_of)

    async def noted(self, key: str) -> tuple[Person, Note] | None:
        """The user of this customer on whom a note stands under an idempotency key, and the note."""
        for person in await self._search(Person, f"entitlements.value eq {json.dumps(key)}"):
            note = note_under(person, key)
            if note is not None and owner_of(person) == self.customer_id:
                return person, note
        return None

    async def change(self, person: Person, operations: list[PatchOperation[Any]]) -> None:
        """Change a user as one. Raises `PreconditionFailedException` where somebody else changed them since."""
        await self.client.modify(person, PatchOp[Person].model_validate({"operations": operations}))

    async def again(self, person: Person) -> Person:
        """The user as they are now. Raises `NotFoundException`."""
        return _answered(await self.client.query(Person, person.id))

    async def locked_users(self) -> int:
        """How many of the customer's users may not sign in."""
        found = await self._search(Person, f"{ORGANIZATION} eq {json.dumps(self.customer_id)} and active eq false")
        return sum(owner_of(person) == self.customer_id and person.active is False for person in found)

    async def role_groups(self) -> dict[str, Group]:
        """The groups that are roles, with their members, by role."""
        return by_role(await self._search(Group, ROLE_GROUPS))

    async def roles_of(self, people: list[Person]) -> list[str]:
        """The role of each of these. Where groups say it they are read now, so later than the users."""
        if self.roles_in == "roles":
            return [role_of(person) for person in people]
        groups = await self.role_groups()
        return [role_within(groups, person) for person in people]

    async def admins_beside(self, person: Person) -> list[Person]:
        """Who else of the customer whose user this is can act as administrator and is not decided to go."""
        people = await self.users(owner_of(person))
        roles = await self.roles_of(people)
        return [
            other
            for other, role in zip(people, roles, strict=True)
            if role == ADMIN and other.id != person.id and other.active is not False and unfinished(other) is None
        ]

    async def finish(self, person: Person) -> Person:
        """Bring a user into the group of the role that is decided, and out of the others; the user then.

        Any process may do this for any other, and several at once: groups are changed only in the version in which they
        were read *before* the user was seen to be still unfinished, so what is done once is not done again by one that
        was held up. Raises `BackendUnavailable` where it cannot be done yet.
        """
        for _ in range(FINISHING):
            if unfinished(person) is None:
                return person
            groups = await self.role_groups()
            person = await self.again(person)
            try:
                await self._finish(person, groups)
            except PreconditionFailedException:
                pass
            except SCIMException as error:
                if isinstance(told := meaning(error), BackendTimeout | BackendUnavailable):
                    raise told from error
                raise BackendUnavailable(f"the role is decided and the groups are not changed yet: {told}") from error
            person = await self.again(person)
        raise BackendUnavailable("others keep changing the groups at the SCIM service")

    async def _finish(self, person: Person, groups: dict[str, Group]) -> None:
        found = unfinished(person)
        if found is None:
            return
        key, note = found
        role = note.moving_to or ""
        if role in ROLES and role not in groups:
            raise BackendUnavailable(f"the SCIM service has no group {role} any more, and the user is to come into it")
        if role in ROLES and not holds(groups[role], person):
            await self._change_group(groups[role], joining(person))
        for held in [group for name, group in groups.items() if name != role and holds(group, person)]:
            await self._change_group(held, leaving(person))
        await self.change(person, [carried_out(person, key)])

    async def _change_group(self, group: Group, operation: PatchOperation[Any]) -> None:
        await self.client.modify(group, PatchOp[Group].model_validate({"operations": [operation]}))

    async def _search(self, kind: type[S], wanted: str) -> list[S]:
        """Everything of a kind that a filter finds, page by page."""
        found: list[S] = []
        while True:
            asked = SearchRequest.model_validate({"filter": wanted, "startIndex": len(found) + 1, "count": PAGE})
            page: ListResponse[Any] = _answered(await self.client.query(kind, query_parameters=asked))
            found += page.resources or []
            if not page.resources or len(found) >= (page.total_results or 0):
                return found


Act = Callable[[Account], Awaitable[R]]


class ScimBackend:
    """An asynchronous client of one SCIM service."""

    def __init__(
        self, url: str, *, token: str | None = None, seconds: float = 10.0, roles_in: RolesIn = "roles"
    ) -> None:
        """`url` is the service's base, ending in ``/v2`` mostly; `seconds` limits one call of a tool."""
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        self._seconds = seconds
        self._roles_in: RolesIn = roles_in
        self._http = httpx2.AsyncClient(base_url=url, headers=headers, timeout=seconds)
        self._client = speaking_scim(self._http)
        self._fit = False
        self._locks: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    async def close(self) -> None:
        """Let the connections go."""
        await self._http.aclose()

    async def check(self) -> None:
        """See whether the service takes the token and can do what is needed. Raises `ToolError`s."""
        async with self._reached():
            _answered(await self._client.query(Person, query_parameters=SearchRequest.model_validate({"count": 1})))
            if self._roles_in == "groups":
                groups = await Account(self._client, "").role_groups()
                if missing := [role for role in ROLES if role not in groups]:
                    raise BackendRefused(f"the SCIM service has no group {', '.join(missing)}")

    async def ask(self, customer_id: str, question: Callable[[Account], Awaitable[T]]) -> T:
        """Read something. Raises `ToolError`s."""
        async with self._reached():
            return await question(Account(self._client, customer_id, self._roles_in))

    async def act(
        self,
        operation: str,
        customer_id: str,
        key: str,
        arguments: Mapping[str, Any],
        act: Act[R],
        result: type[R],
    ) -> R:
        """Do something once. The same key again is answered as the first time; with other arguments it is refused.

        Effects on one customer wait for each other within this process; across processes the user's version decides
        who was first, and whoever was not looks again. Raises `ToolError`s.
        """
        request = request_digest(operation, customer_id, arguments)
        async with self._locks.setdefault(customer_id, asyncio.Lock()), self._reached():
            account = Account(self._client, customer_id, self._roles_in, key, request)
            for _ in range(ATTEMPTS):
                earlier = await account.noted(key)
                if earlier is not None and earlier[1].request != request:
                    raise BackendRefused("this idempotency key was used for another request")
                if earlier is not None:
                    await account.finish(earlier[0])
                    return result.model_validate(earlier[1].answer)
                try:
                    return await act(account)
                except PreconditionFailedException:
                    continue
                except BackendRefused:
                    if await account.noted(key) is None:
                        raise
                    # another process made this very change since we looked, and so it could not be made again
        raise BackendUnavailable("others keep changing this user at the SCIM service")

    async def find(self, operation: str, customer_id: str, key: str, result: type[R]) -> R | None:
        """What stands under an idempotency key, or None where the service never took the change.

        A change that is decided is carried to its end first: whoever made it may be gone.
        """

        async def look(account: Account) -> R | None:
            found = await account.noted(key)
            if found is None or found[1].tool != operation:
                return None
            await account.finish(found[0])
            return result.model_validate(found[1].answer)

        return await self.ask(customer_id, look)

    @asynccontextmanager
    async def _reached(self) -> AsyncIterator[None]:
        try:
            async with asyncio.timeout(self._seconds):
                if not self._fit:
                    await self._look_whether_fit()
                yield
        except TimeoutError:
            raise BackendTimeout(f"the SCIM service gave no answer within {self._seconds:g} seconds") from None
        except (SCIMClientException, SCIMException) as error:
            raise meaning(error) from error

    async def _look_whether_fit(self) -> None:
        """Raises `BackendRefused` for a service on which a change could be lost or made twice."""
        await self._client.discover(schemas=False, resource_types=False)
        config = self._client.provider.config
        for name in ("patch", "filter", "etag"):
            feature = getattr(config, name, None)
            if feature is None or not feature.supported:
                raise BackendRefused(f"the SCIM service says that it does not support {name}, which access tools need")
        self._fit = True


def meaning(error: SCIMClientException | SCIMException) -> ToolError:
    """What an error of the SCIM client says about whether anything was done."""
    if isinstance(error, RequestNetworkException):
        if isinstance(error.__cause__, httpx2.ConnectError | httpx2.ConnectTimeout):
            return BackendUnavailable("the SCIM service cannot be reached")
        return BackendTimeout("the connection to the SCIM service was lost before it answered")
    response = getattr(error, "source", None)
    status = int(getattr(response, "status_code", None) or getattr(error, "status", None) or 0)
    if status == 429:
        return BackendUnavailable("the SCIM service takes no more requests for the moment")
    if isinstance(error, SCIMClientException):
        return BackendTimeout("the SCIM service answered something that is not SCIM, and may have acted before that")
    if status >= 500:
        return BackendTimeout("the SCIM service failed, and may have acted before that")
    if status == 404:
        return NoSuchRecord("the SCIM service has no such record")
    return BackendRefused(f"the SCIM service refused: {error}")


def _answered(answer: Any) -> Any:
    """The answer, which is an error object only where errors are not raised."""
    if isinstance(answer, Error):
        raise BackendRefused(f"the SCIM service refused: {answer.detail or answer.status}")
    return answer
