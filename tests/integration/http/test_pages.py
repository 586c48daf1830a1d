"""The pages over HTTP: which exist where, under which policy, and what other origins may reach."""

from collections.abc import Awaitable, Callable
from pathlib import Path

import httpx
import pytest
from served import Served

StartService = Callable[..., Awaitable[Served]]

PAGES = ("/", "/console", "/docs", "/reports")
OTHER = {"Origin": "https://shop.example"}


@pytest.mark.parametrize("path", PAGES)
async def test_a_page_allows_only_the_services_own_files(service: Served, path: str) -> None:
    answer = await service.client().get(path)
    assert answer.status_code == 200
    policy = answer.headers["Content-Security-Policy"]
    for part in ("default-src 'none'", "script-src 'self'", "style-src 'self'", "connect-src 'self'"):
        assert part in policy
    assert "unsafe" not in policy
    assert " style=" not in answer.text
    assert "<style" not in answer.text
    assert answer.text.count("<script") == answer.text.count('<script type="module" src="/web/')


async def test_what_is_no_page_may_load_nothing_at_all(service: Served) -> None:
    answer = await service.client().get("/healthz")
    assert answer.headers["Content-Security-Policy"] == "default-src 'none'; frame-ancestors 'none'"


@pytest.mark.parametrize(
    "name", ["console.html", "reports.html.jinja", "..%2Fmain.py", "%2e%2e%2fsettings.py", "none.js"]
)
async def test_only_scripts_styles_and_pictures_are_served_as_files(service: Served, name: str) -> None:
    assert (await service.client().get(f"/web/{name}")).status_code == 404


async def test_outside_development_there_are_no_samples_and_no_reports(start_service: StartService) -> None:
    production = await start_service(development=False)
    anyone = production.client()
    for path in (
        "/development/customers",
        "/development/customer-token",
        "/development/staff-token",
        "/reports",
        "/reports/evals",
    ):
        assert (await anyone.get(path)).status_code == 404, path
    front = await anyone.get("/")
    assert (front.status_code, front.headers["Location"]) == (307, "/console")


async def test_reports_are_listed_by_their_titles_and_run_no_script(service: Served, home: Path) -> None:
    for folder, title in (("evals/june", "June & July"), ("demo", "Handrail demo")):
        (home / folder).mkdir(parents=True)
        (home / folder / "report.html").write_text(f"<title>{title.replace('&', '&amp;')}</title>", encoding="utf-8")
    anyone = service.client()
    listed = await anyone.get("/reports")
    assert 'href="/reports/evals/june/report.html"' in listed.text
    assert "June &amp; July" in listed.text
    one = await anyone.get("/reports/evals/june/report.html")
    policy = one.headers["Content-Security-Policy"]
    assert "script-src" not in policy
    assert "default-src 'none'" in policy
    assert "style-src 'unsafe-inline'" in policy
    assert (await anyone.get("/reports/../handrail.db")).status_code == 404
    assert (await anyone.get("/reports/evals")).status_code == 404


async def test_the_pages_of_other_sites_may_use_the_chat_and_nothing_else(service: Served) -> None:
    customer = await service.customer("cus_004").open()
    place = f"/v1/conversations/{customer.conversation_id}"
    asked = await service.client().options(
        f"{place}/messages",
        headers={
            **OTHER,
            "Access-Control-Request-Method": "POST",
            "Access-Control-Request-Headers": "authorization,content-type",
        },
    )
    assert asked.headers["Access-Control-Allow-Origin"] == "*"
    read = await customer.http.get(place, headers=OTHER)
    assert read.headers["Access-Control-Allow-Origin"] == "*"
    assert "Access-Control-Allow-Credentials" not in read.headers
    for path in ("/v1/queue", "/development/customer-token", "/openapi.json"):
        answer = await service.staff("rep").get(path, headers=OTHER)
        assert "Access-Control-Allow-Origin" not in answer.headers, path


async def test_a_customer_listens_to_what_the_chat_needs(service: Served) -> None:
    customer = service.customer("cus_004")
    await customer.post("talk to a person", client_message_id="m-1")
    record = await customer.read()
    (item,) = (await service.staff("rep").get("/v1/queue")).json()["items"]
    await service.staff("rep").post(f"/v1/handoffs/{item['handoff_id']}/reply", json={"text": "Hello"})
    assert [m["author"] for m in (await customer.read())["messages"]] == [None, None, None]
    events = await heard(customer.http, customer.conversation_id, until="representative")
    assert '"client_message_id": "m-1"' in events
    assert '"team": "our support team"' in events
    assert "rep@example.com" not in events
    assert f"id: {record['last_event_id']}" in events


async def heard(client: httpx.AsyncClient, conversation_id: str, until: str) -> str:
    """The event stream of a conversation up to a word."""
    text = ""
    async with client.stream("GET", f"/v1/conversations/{conversation_id}/events") as stream:
        async for part in stream.aiter_text():
            text += part
            if until in text:
                break
    return text
