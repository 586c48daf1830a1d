"""The pages: a sample site with the chat widget, the representatives' console, and eval reports."""

from pathlib import Path

from fastapi import APIRouter
from fastapi.responses import FileResponse, HTMLResponse

from app.api.callers import Service
from app.api.problems import Problem
from app.identity import customer_token, staff_token
from tools.tool import IdentityLevel

router = APIRouter(include_in_schema=False)
WEB = Path(__file__).resolve().parent.parent / "web"


@router.get("/")
async def sample_page() -> FileResponse:
    """A sample page of the host site, with the widget."""
    return FileResponse(WEB / "sample.html")


@router.get("/console")
async def console_page() -> FileResponse:
    """The representatives' console."""
    return FileResponse(WEB / "console.html")


@router.get("/web/{name}")
async def asset(name: str) -> FileResponse:
    """A script or style sheet."""
    path = (WEB / name).resolve()
    if path.parent != WEB or not path.is_file():
        raise Problem(404, "No such file")
    return FileResponse(path)


@router.get("/development/customer-token")
async def sample_customer(runtime: Service, customer: str = "cus_001") -> dict[str, str]:
    """In development only: the token that the host site would have made."""
    _development(runtime.settings.development)
    return {"token": customer_token(runtime.key, customer, IdentityLevel.VERIFIED)}


@router.get("/development/staff-token")
async def sample_staff(runtime: Service, email: str = "lead@example.com") -> dict[str, str]:
    """In development only: a staff token."""
    _development(runtime.settings.development)
    return {"token": staff_token(runtime.key, email, "admin")}


@router.get("/reports")
async def reports(runtime: Service) -> HTMLResponse:
    """The eval reports in HOME."""
    found = sorted(runtime.settings.home.glob("**/report.html"))
    links = "".join(f'<li><a href="/reports/{n}">{path.parent.name}</a></li>' for n, path in enumerate(found))
    body = links or "<li>None yet: run <code>handrail eval run</code>.</li>"
    return HTMLResponse(
        f'<!doctype html><html lang="en"><title>Reports</title><main><h1>Eval reports</h1><ul>{body}</ul></main></html>'
    )


@router.get("/reports/{number}")
async def report(number: int, runtime: Service) -> FileResponse:
    """One report."""
    found = sorted(runtime.settings.home.glob("**/report.html"))
    if not 0 <= number < len(found):
        raise Problem(404, "No such report")
    return FileResponse(found[number])


def _development(allowed: bool) -> None:
    if not allowed:
        raise Problem(404, "Not found")
