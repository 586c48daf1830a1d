"""The caller of a request, and the running service, as FastAPI dependencies."""

from collections.abc import Callable
from typing import Annotated

from fastapi import Depends, Request

from app.api.problems import Problem
from app.identity import Customer, NotIdentified, Staff, StaffRole, identify
from app.runtime import Runtime


def the_runtime(request: Request) -> Runtime:
    """The running service."""
    return request.app.state.runtime


Service = Annotated[Runtime, Depends(the_runtime)]


def the_caller(request: Request, runtime: Service) -> Customer | Staff:
    """Who signed the request: a bearer token, or (for event streams, which send no headers) `access_token`."""
    header = request.headers.get("Authorization", "")
    scheme, _, token = header.partition(" ")
    if scheme.lower() != "bearer" or not token:
        token = request.query_params.get("access_token", "") if request.method == "GET" else ""
    if not token:
        raise NotIdentified("send a token: Authorization: Bearer ...")
    return identify(runtime.key, token.strip())


Caller = Annotated[Customer | Staff, Depends(the_caller)]


def a_customer(caller: Caller) -> Customer:
    """The calling customer; staff may not speak as one."""
    if isinstance(caller, Staff):
        raise Problem(403, "For customers only", "This token belongs to staff.")
    return caller


CallingCustomer = Annotated[Customer, Depends(a_customer)]


def staff_with(*roles: StaffRole) -> Callable[..., Staff]:
    """Staff in one of these roles; admin may do everything."""

    def check(caller: Caller) -> Staff:
        if not isinstance(caller, Staff):
            raise Problem(403, "For staff only", "This token belongs to a customer.")
        if roles and caller.role not in (*roles, "admin"):
            raise Problem(403, "Not allowed for your role", f"This needs one of: {', '.join((*roles, 'admin'))}.")
        return caller

    return check
