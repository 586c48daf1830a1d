"""The pages: a sample site with the chat widget, the representatives' console, eval reports, and the API's description.

Every page runs under a policy that allows only this service's own files: no inline script or style, no other host. An
eval report is one file with its styles inside, so it gets a policy of its own that allows no script at all.
"""

import html
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from fastapi import APIRouter, Depends
from fastapi.responses import FileResponse, HTMLResponse, RedirectResponse, Response
from jinja2 import Environment, FileSystemLoader
from sqlmodel import col, select

from app.api.callers import CallingCustomer, Service
from app.api.problems import Problem
from app.identity import StaffRole, customer_token, staff_token
from records.step_up import OutboxMessage
from tools.tool import IdentityLevel

router = APIRouter(include_in_schema=False)
WEB = Path(__file__).resolve().parent.parent / "web"
ASSETS = {".js": "text/javascript", ".css": "text/css", ".svg": "image/svg+xml"}
PAGE_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'"
)
REPORT_POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; frame-ancestors 'none'"
TITLE = re.compile(r"<title>([^<]*)</title>")
templates = Environment(loader=FileSystemLoader(WEB), autoescape=True)


def in_development(runtime: Service) -> None:
    """Nothing under such a route exists where the service is not in development."""
    if not runtime.settings.development:
        raise Problem(404, "Not found")


DevelopmentOnly = Depends(in_development)


@router.get("/")
async def sample_page(runtime: Service) -> Response:
    """A sample page of the host site, with the widget; in production the console."""
    return _page("sample.html") if runtime.settings.development else RedirectResponse("/console")


@router.get("/console")
async def console_page() -> Response:
    """The representatives' console."""
    return _page("console.html")


@router.get("/docs")
async def interface_page() -> Response:
    """The HTTP interface for people, drawn from `/openapi.json`."""
    return _page("docs.html")


@router.get("/web/{name}")
async def asset(name: str) -> FileResponse:
    """A script, a style sheet or a picture of the pages."""
    path = (WEB / name).resolve()
    kind = ASSETS.get(path.suffix)
    if path.parent != WEB or kind is None or not path.is_file():
        raise Problem(404, "No such file")
    return FileResponse(path, media_type=kind, headers={"Cache-Control": "no-cache"})


def _page(name: str) -> FileResponse:
    return FileResponse(WEB / name, headers={"Content-Security-Policy": PAGE_POLICY, "Cache-Control": "no-cache"})


@router.get("/development/customers", dependencies=[DevelopmentOnly])
async def sample_customers(runtime: Service) -> dict[str, list[dict[str, str]]]:
    """In development only: whom a visitor of the sample page can be."""
    shown = ("id", "company", "contact_name", "plan", "situation")
    rows = (await runtime.sandbox.dump())["customers"]
    return {"customers": [{name: str(row[name]) for name in shown} for row in rows]}


@router.get("/development/customer-token", dependencies=[DevelopmentOnly])
async def sample_customer(runtime: Service, customer: str = "cus_001") -> dict[str, str]:
    """In development only: the token that the host site would have made."""
    return {"token": customer_token(runtime.key, customer, IdentityLevel.VERIFIED)}


@router.get("/development/staff-token", dependencies=[DevelopmentOnly])
async def sample_staff(runtime: Service, email: str = "lead@example.com", role: StaffRole = "admin") -> dict[str, str]:
    """In development only: a staff token."""
    return {"token": staff_token(runtime.key, email, role)}


@router.get("/development/outbox", dependencies=[DevelopmentOnly])
async def sample_mailbox(runtime: Service, customer: CallingCustomer) -> dict[str, list[dict[str, Any]]]:
    """In development only: the letters to the calling customer, which nobody else would deliver."""
    query = select(OutboxMessage).where(OutboxMessage.customer_id == customer.id)
    async with runtime.services.database.read() as session:
        rows = list(await session.scalars(query.order_by(col(OutboxMessage.id).desc()).limit(10)))
    shown = {"id", "kind", "sent_to", "subject", "body", "created_at"}
    return {"letters": [row.model_dump(mode="json", include=shown) for row in rows]}


@dataclass(frozen=True)
class Report:
    """One eval report in HOME. `name` is its path there."""

    name: str
    title: str
    written_at: datetime
    path: Path


def find_reports(home: Path) -> list[Report]:
    """The eval reports in HOME, newest first."""
    found = [_report(path, home) for path in home.glob("**/report.html")]
    return sorted(found, key=lambda report: report.written_at, reverse=True)


def _report(path: Path, home: Path) -> Report:
    with path.open(encoding="utf-8") as file:
        title = TITLE.search(file.read(4096))
    name = path.relative_to(home).as_posix()
    return Report(
        name=name,
        title=html.unescape(title[1]) if title else name,
        written_at=datetime.fromtimestamp(path.stat().st_mtime, UTC),
        path=path,
    )


@router.get("/reports", dependencies=[DevelopmentOnly])
def reports(runtime: Service) -> HTMLResponse:
    """In development only: the eval reports in HOME."""
    page = templates.get_template("reports.html.jinja").render(reports=find_reports(runtime.settings.home))
    return HTMLResponse(page, headers={"Content-Security-Policy": PAGE_POLICY})


@router.get("/reports/{name:path}", dependencies=[DevelopmentOnly])
def report(name: str, runtime: Service) -> FileResponse:
    """In development only: one report."""
    for known in find_reports(runtime.settings.home):
        if known.name == name:
            return FileResponse(known.path, headers={"Content-Security-Policy": REPORT_POLICY})
    raise Problem(404, "No such report")
