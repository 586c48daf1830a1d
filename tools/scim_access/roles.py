"""A user's role at the SCIM service: one of their `roles`, or the group of that name of which they are a member."""

import json
from collections.abc import Iterable, Mapping
from typing import Any, Literal

from scim2_models import EnterpriseUser, Group, PatchOperation, Role, User

from tools.errors import BackendRefused
from tools.scim_access.notes import replacing

Person = User[EnterpriseUser]
RolesIn = Literal["roles", "groups"]
"""Where the service keeps a role: in the users' `roles`, or in groups that have the roles' names."""

ADMIN = "admin"
ROLES = (ADMIN, "billing", "member", "viewer")
"""Our roles, most powerful first: who has several counts as the first."""
NO_ROLE = "none"

ROLE_GROUPS = " or ".join(f"displayName eq {json.dumps(role)}" for role in ROLES)
"""The filter that finds the groups."""


def role_of(person: Person) -> str:
    """The role among the user's `roles`; "none" where they have none of ours."""
    return most_powerful(role.value for role in person.roles or [])


def role_within(groups: Mapping[str, Group], person: Person) -> str:
    """The role of which the user is in the group; "none" where they are in none."""
    return most_powerful(role for role, group in groups.items() if holds(group, person))


def most_powerful(held: Iterable[str | None]) -> str:
    """The first of our roles that is among these."""
    named = set(held)
    return next((role for role in ROLES if role in named), NO_ROLE)


def by_role(groups: Iterable[Group]) -> dict[str, Group]:
    """The groups that are roles. Raises `BackendRefused` where two have the name of one role."""
    found: dict[str, Group] = {}
    for group in groups:
        role = group.display_name or ""
        if role in found:
            raise BackendRefused(f"the SCIM service has two groups of the name {role}")
        if role in ROLES:
            found[role] = group
    return found


def holds(group: Group, person: Person) -> bool:
    """Whether the user is a member themselves: groups within groups count for nothing."""
    return any(member.value == person.id for member in group.members or [])


def with_role(person: Person, role: str) -> PatchOperation[Any]:
    """The operation that sets our role among the user's `roles`; other systems' stay."""
    others = [held for held in person.roles or [] if held.value not in ROLES]
    ours = [] if role == NO_ROLE else [Role(value=role)]
    return replacing("roles", [*others, *ours])


def joining(person: Person) -> PatchOperation[Any]:
    """The operation that takes the user into a group."""
    return PatchOperation.model_validate({"op": "add", "path": "members", "value": [{"value": person.id}]})


def leaving(person: Person) -> PatchOperation[Any]:
    """The operation that takes the user out of a group."""
    return PatchOperation.model_validate({"op": "remove", "path": f"members[value eq {json.dumps(person.id)}]"})
