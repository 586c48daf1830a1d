"""Who is calling: customers by a signed token of the host site, staff by a signed token with a role."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Literal

import jwt

from tools.tool import IdentityLevel

StaffRole = Literal["rep", "lead", "approver", "auditor", "admin"]
STAFF_ROLES: tuple[StaffRole, ...] = ("rep", "lead", "approver", "auditor", "admin")
ALGORITHM = "HS256"


class NotIdentified(Exception):
    """The token is missing, expired, or not ours. The message says which, never why in detail."""


@dataclass(frozen=True)
class Customer:
    """A customer at an identity level."""

    id: str
    level: IdentityLevel


@dataclass(frozen=True)
class Staff:
    """A person of the house with a role."""

    email: str
    role: StaffRole


def customer_token(key: str, customer_id: str, level: IdentityLevel, hours: float = 12) -> str:
    """A signed customer token, as the host site would make it."""
    return _sign(key, {"sub": customer_id, "kind": "customer", "level": level.value}, hours)


def staff_token(key: str, email: str, role: StaffRole, hours: float = 12) -> str:
    """A signed staff token."""
    return _sign(key, {"sub": email, "kind": "staff", "role": role}, hours)


def identify(key: str, token: str) -> Customer | Staff:
    """Who a token names. Raises `NotIdentified`."""
    try:
        claims = jwt.decode(token, key, algorithms=[ALGORITHM], options={"require": ["sub", "exp"]})
    except jwt.ExpiredSignatureError:
        raise NotIdentified("the token has expired: sign in again") from None
    except jwt.InvalidTokenError:
        raise NotIdentified("the token is not valid here") from None
    if not claims["sub"]:
        raise NotIdentified("the token names nobody")
    kind = claims.get("kind", "customer")
    if kind not in ("customer", "staff"):
        raise NotIdentified("the token names no known kind of caller")
    if kind == "staff":
        if claims.get("role") not in STAFF_ROLES:
            raise NotIdentified("the token names no known role")
        return Staff(claims["sub"], claims["role"])
    try:
        return Customer(claims["sub"], IdentityLevel(claims.get("level", "verified")))
    except ValueError:
        raise NotIdentified("the token names no known identity level") from None


def _sign(key: str, claims: dict[str, str], hours: float) -> str:
    now = datetime.now(UTC)
    return jwt.encode({**claims, "iat": now, "exp": now + timedelta(hours=hours)}, key, algorithm=ALGORITHM)
