"""Bad requests: each is answered with a problem document (RFC 9457) that says what is wrong, never with a trace."""

import base64
import json
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import jwt
import pytest
from served import KEY, Served

from app.identity import customer_token, staff_token
from tools.tool import IdentityLevel


def is_problem(answer: httpx.Response, status: int, *words: str) -> None:
    """A problem document of this status, with these words in it."""
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    problem = answer.json()
    assert problem["status"] == status
    assert problem["title"]
    assert "Traceback" not in answer.text and 'File "' not in answer.text
    for word in words:
        assert word in answer.text, answer.text


async def test_a_body_that_is_no_json_document_is_named(service: Served) -> None:
    customer = await service.customer().open()
    place = f"/v1/conversations/{customer.conversation_id}/messages"
    for body in (
        b"{",
        b"",
        b"text=hello",
        b'{"text": "hello"} {}',
        b"\xff\xfe",
        b'{"text": "\xed\xa0\x80"}',
        b"[" * 5000,
    ):
        answer = await customer.http.post(place, content=body, headers={"content-type": "application/json"})
        is_problem(answer, answer.status_code)
        assert answer.status_code in (400, 422), body
    for body in (["hello"], "hello", 7, None):
        is_problem(await customer.http.post(place, json=body), 422)


async def test_each_field_that_cannot_be_used_is_named(service: Served) -> None:
    customer = await service.customer().open()
    place = f"/v1/conversations/{customer.conversation_id}"
    for path, body, field in (
        ("/messages", {"text": 7}, "text"),
        ("/messages", {}, "text"),
        ("/messages", {"text": "hi", "as_staff": True}, "as_staff"),
        ("/messages", {"text": "hi", "client_message_id": ""}, "client_message_id"),
        ("/messages", {"text": "hi", "client_message_id": "x" * 129}, "client_message_id"),
        ("/feedback", {"rating": 0}, "rating"),
        ("/feedback", {"rating": "good"}, "rating"),
        ("/feedback", {"comment": "x" * 4001}, "comment"),
        ("/feedback", {"stars": 5}, "stars"),
    ):
        answer = await customer.http.post(place + path, json=body)
        is_problem(answer, 422, field)
        assert [problem["field"] for problem in answer.json()["fields"]] == [field]
    is_problem(await customer.http.post("/v1/conversations", json={"channel": "Chat Room!"}), 422, "channel")
    is_problem(await customer.http.post("/v1/conversations", json={"customer": "cus_002"}), 422, "customer")
    assert (await customer.read())["messages"] == []


@pytest.mark.parametrize("text", ["", "   ", "\n\t ", "\x00", " \x00\x00 "])
async def test_a_message_without_anything_to_read_is_refused(service: Served, text: str) -> None:
    customer = await service.customer().open()
    is_problem(await customer.post(text), 422, "empty")
    assert (await customer.read())["messages"] == []


async def test_a_message_over_the_limit_is_refused_and_one_at_the_limit_is_read(service: Served) -> None:
    customer = await service.customer("cus_004").open()
    is_problem(await customer.post("a" * 8001), 413, "8001", "8000")
    is_problem(await customer.post("a" * 1_000_000), 413, "bytes")
    assert (await customer.post("thank you " + "x" * 7990)).status_code == 200
    assert len((await customer.read())["messages"]) == 2


async def test_a_body_that_never_says_how_long_it_is_is_cut_off_at_the_limit(service: Served) -> None:
    customer = await service.customer().open()

    async def endless() -> Any:
        yield b'{"text": "'
        for _ in range(64):
            yield b"a" * 16384
        yield b'"}'

    place = f"/v1/conversations/{customer.conversation_id}/messages"
    answer = await customer.http.post(place, content=endless(), headers={"content-type": "application/json"})
    is_problem(answer, 413, "bytes")
    assert (await customer.read())["messages"] == []


@pytest.mark.parametrize(
    "text",
    [
        "caf\u00e9 \u2014 \u4f60\u597d \u0627\u0644\u0633\u0644\u0627\u0645 \u05e9\u05dc\u05d5\u05dd",
        "\U0001f600 \U0001f468\u200d\U0001f469\u200d\U0001f467",
        "e\u0301\u0327\u0328" * 200,
        "Z\u0351\u036b\u0343a\u0350lgo",
        "right to left \u202e override \u202c and isolates \u2066x\u2069",
        "control \x01\x02\x1b[31m characters \x7f",
        "private \ue000 and unassigned \U000e0fff and last \U0010ffff",
        "line\u2028separator\u2029 and \x0b\x0c\x85",
        "\ufeffa byte order mark",
        "nul \x00 in the middle",
        "'; DROP TABLE messages; -- \" \\ %s {0} {{ 7*7 }} {% raw %}",
        "\U0001d567\U0001d564 \uff12\uff19 \u0662\u0669 euros",
    ],
)
async def test_odd_characters_are_kept_and_answered(service: Served, text: str) -> None:
    customer = await service.customer("cus_004").open()
    answer = await customer.post(text)
    assert answer.status_code == 200, answer.text
    assert answer.json()["reply"]
    kept = (await customer.read())["messages"][0]["text"]
    assert kept == text.replace("\x00", "").strip()
    assert (await service.record(customer.conversation_id))["turns"][0]["triage"].get("failed") is None


@pytest.mark.parametrize("escaped", [r"\ud800", r"half a \ud83d pair", r"\udc00\ud800", r"ok \ude00"])
async def test_half_a_character_is_refused_or_replaced_but_harms_nothing(service: Served, escaped: str) -> None:
    customer = await service.customer("cus_004").open()
    place = f"/v1/conversations/{customer.conversation_id}"
    headers = {"content-type": "application/json", "Prefer": "wait=30"}
    for path, body in (
        ("/messages", '{"text": "%s"}'),
        ("/messages", '{"text": "hello", "client_message_id": "%s"}'),
        ("/feedback", '{"comment": "%s"}'),
    ):
        answer = await customer.http.post(place + path, content=body % escaped, headers=headers)
        is_problem(answer, 422)
    assert (await customer.say("thanks"))["reply"]
    assert len((await customer.read())["messages"]) == 2


async def test_a_nul_where_it_cannot_be_dropped_is_kept_or_refused(
    start_service: Callable[..., Awaitable[Served]], database_url: str | None
) -> None:
    service = await start_service(database_url=database_url)
    customer = await service.customer("cus_004").open()
    place = f"/v1/conversations/{customer.conversation_id}"
    for path, body in (
        ("/messages", {"text": "hello", "client_message_id": "m\x00"}),
        ("/feedback", {"comment": "so \x00 so"}),
    ):
        answer = await customer.http.post(place + path, json=body)
        if answer.status_code not in (201, 202):
            is_problem(answer, 422)
    assert (await customer.say("thanks"))["reply"]


async def test_a_conversation_that_does_not_exist_and_one_of_somebody_else_look_alike(service: Served) -> None:
    owner = service.customer("cus_001")
    await owner.say("I was charged twice this month")
    stranger = service.customer("cus_002").http
    for name in (owner.conversation_id, "conv_0193e0000000700080000000000000ab", "operations", "..", "a%2Fb", "%00"):
        place = f"/v1/conversations/{name}"
        answers = [
            await stranger.get(place),
            await stranger.post(f"{place}/messages", json={"text": "yes please"}),
            await stranger.post(f"{place}/feedback", json={"solved": True}),
            await stranger.get(f"{place}/events"),
        ]
        for answer in answers:
            is_problem(answer, answer.status_code)
            assert answer.status_code in ((404,) if name.startswith("conv_") else (404, 405)), (name, answer.url)
    seen = [message["text"] for message in (await owner.read())["messages"]]
    assert "yes please" not in seen
    own = (await stranger.get(f"/v1/conversations/{owner.conversation_id}")).json()
    none = (await stranger.get("/v1/conversations/conv_none")).json()
    assert own["title"] == none["title"]


def unsigned(claims: dict[str, Any]) -> str:
    """A token whose header says that it needs no signature."""
    parts = [{"alg": "none", "typ": "JWT"}, claims]
    return ".".join(base64.urlsafe_b64encode(json.dumps(p).encode()).decode().rstrip("=") for p in parts) + "."


def signed(key: str = KEY, algorithm: str = "HS256", **claims: Any) -> str:
    """A token with these claims."""
    soon = datetime.now(UTC) + timedelta(hours=1)
    whole = {"sub": "cus_001", "kind": "customer", "level": "verified", "exp": soon, **claims}
    return jwt.encode({name: value for name, value in whole.items() if value is not None}, key, algorithm=algorithm)


def tampered(token: str) -> str:
    """The same token for another customer, with the old signature."""
    head, body, signature = token.split(".")
    claims = json.loads(base64.urlsafe_b64decode(body + "=" * (-len(body) % 4)))
    other = base64.urlsafe_b64encode(json.dumps({**claims, "sub": "cus_002"}).encode()).decode().rstrip("=")
    return f"{head}.{other}.{signature}"


VALID = {"sub": "cus_001", "kind": "customer", "level": "verified", "exp": 4_102_444_800}
BAD_TOKENS = {
    "none": "",
    "no token at all": "hello",
    "not signed": unsigned(VALID),
    "another key": signed("another key that is long enough, forty chars"),
    "another algorithm": signed(KEY * 2, "HS512"),
    "expired": customer_token(KEY, "cus_001", IdentityLevel.VERIFIED, hours=-1),
    "tampered": tampered(customer_token(KEY, "cus_001", IdentityLevel.VERIFIED)),
    "without an end": signed(exp=None),
    "without a subject": signed(sub=None),
    "a subject that is no text": signed(sub=7),
    "an empty subject": signed(sub=""),
    "an unknown level": signed(level="root"),
    "a level that is no text": signed(level=["verified"]),
    "an unknown role": signed(kind="staff", role="emperor"),
    "staff without a role": signed(kind="staff"),
    "an unknown kind": signed(kind="service"),
    "not valid yet": signed(nbf=datetime.now(UTC) + timedelta(hours=1)),
    "very long": "a" * 20_000,
}


@pytest.mark.parametrize("name", BAD_TOKENS)
async def test_a_token_that_is_not_ours_is_refused_everywhere_without_saying_more_than_needed(
    service: Served, name: str
) -> None:
    client = service.client(BAD_TOKENS[name])
    for answer in (
        await client.post("/v1/conversations"),
        await client.get("/v1/conversations/conv_none"),
        await client.get("/v1/conversations/conv_none/events"),
        await client.get("/v1/queue"),
        await client.get("/v1/staff/events"),
        await client.get("/v1/audit/conv_none"),
        await client.get(f"/v1/conversations/conv_none?access_token={BAD_TOKENS[name][:2000]}"),
    ):
        if name == "very long" and answer.status_code in (400, 431):
            continue  # the server itself refuses such a header
        is_problem(answer, 401)
        assert answer.headers["www-authenticate"] == "Bearer"
        assert KEY not in answer.text


@pytest.mark.parametrize("header", ["Basic Y3VzOjAwMQ==", "Bearer", "token", "Bearer a b c", "Bearer \u00e9"])
async def test_another_kind_of_authorization_is_refused(service: Served, header: str) -> None:
    async with httpx.AsyncClient(base_url=service.url) as anyone:
        answer = await anyone.post("/v1/conversations", headers={"Authorization": header.encode()})
        is_problem(answer, 401)


async def test_a_token_in_the_address_opens_streams_and_changes_nothing(service: Served) -> None:
    token = customer_token(KEY, "cus_001", IdentityLevel.VERIFIED)
    async with httpx.AsyncClient(base_url=service.url) as anyone:
        is_problem(await anyone.post(f"/v1/conversations?access_token={token}"), 401)


CUSTOMER_ROUTES = [
    ("POST", "/v1/conversations", None),
    ("POST", "/v1/conversations/conv_none/messages", {"text": "hi"}),
    ("POST", "/v1/conversations/conv_none/feedback", {"solved": True}),
]
STAFF_ROUTES = [
    ("GET", "/v1/queue", None),
    ("GET", "/v1/handoffs/hnd_none", None),
    ("POST", "/v1/handoffs/hnd_none/claim", None),
    ("POST", "/v1/handoffs/hnd_none/reply", {"text": "hi"}),
    ("POST", "/v1/handoffs/hnd_none/return", {}),
    ("POST", "/v1/handoffs/hnd_none/transfer", {"queue": "billing"}),
    ("POST", "/v1/handoffs/hnd_none/resolve", {}),
    ("POST", "/v1/approvals/apr_none", {"approved": True}),
    ("GET", "/v1/staff/events", None),
    ("POST", "/v1/assist/suggestions", {"transcript": [{"role": "customer", "text": "hi"}]}),
    ("POST", "/v1/assist/suggestions/sug_none/verdict", {"verdict": "accepted"}),
    ("GET", "/v1/metrics", None),
    ("GET", "/v1/decisions", None),
    ("GET", "/v1/audit/conv_none", None),
    ("GET", "/v1/rollout/refund_request", None),
    ("POST", "/v1/rollout/refund_request", {"stage": "off"}),
]


async def test_staff_may_not_speak_as_a_customer_nor_a_customer_work_as_staff(service: Served) -> None:
    staff, customer = service.staff("admin"), service.customer().http
    for method, path, body in CUSTOMER_ROUTES:
        is_problem(await staff.request(method, path, json=body), 403, "customers")
    for method, path, body in STAFF_ROUTES:
        is_problem(await customer.request(method, path, json=body), 403, "staff")
    async with httpx.AsyncClient(base_url=service.url) as anyone:
        for method, path, body in CUSTOMER_ROUTES + STAFF_ROUTES:
            is_problem(await anyone.request(method, path, json=body), 401)


@pytest.mark.parametrize(
    ("method", "path", "body", "allowed"),
    [
        ("POST", "/v1/approvals/apr_none", {"approved": True}, {"approver", "lead", "admin"}),
        ("POST", "/v1/rollout/refund_request", {"stage": "off"}, {"lead", "admin"}),
        ("GET", "/v1/audit/conv_none", None, {"lead", "auditor", "admin"}),
        ("GET", "/v1/decisions", None, {"lead", "auditor", "admin"}),
        ("GET", "/v1/metrics", None, {"lead", "auditor", "admin"}),
        ("GET", "/v1/queue", None, {"rep", "lead", "approver", "admin"}),
        ("POST", "/v1/handoffs/hnd_none/claim", None, {"rep", "lead", "approver", "admin"}),
        (
            "POST",
            "/v1/assist/suggestions/sug_none/verdict",
            {"verdict": "accepted"},
            {"rep", "lead", "approver", "admin"},
        ),
    ],
)
async def test_a_role_does_what_it_may_and_nothing_else(
    service: Served, method: str, path: str, body: Any, allowed: set[str]
) -> None:
    for role in ("rep", "lead", "approver", "auditor", "admin"):
        answer = await service.staff(role).request(method, path, json=body)  # type: ignore[arg-type]
        if role in allowed:
            assert answer.status_code in (200, 404), (role, answer.text)
        else:
            is_problem(answer, 403, "role")


async def test_what_staff_name_and_nobody_knows_is_a_404(service: Served) -> None:
    lead = service.staff("lead")
    for method, path, body in STAFF_ROUTES:
        if "none" in path:
            (name,) = (part for part in path.split("/") if part.endswith("_none"))
            is_problem(await lead.request(method, path, json=body), 404, name)
    is_problem(await lead.get("/v1/conversations/conv_none"), 404, "conv_none")
    is_problem(await lead.post("/v1/assist/suggestions", json={"conversation_id": "conv_none"}), 404)
    is_problem(await lead.post("/v1/rollout/world_peace", json={"stage": "off"}), 404, "world_peace")


async def test_what_staff_send_is_checked_field_by_field(service: Served) -> None:
    admin = service.staff("admin")
    for path, body, field in (
        ("/v1/approvals/apr_none", {}, "approved"),
        ("/v1/approvals/apr_none", {"approved": "perhaps"}, "approved"),
        ("/v1/approvals/apr_none", {"approved": True, "amount": 5}, "amount"),
        ("/v1/handoffs/hnd_none/reply", {"text": ""}, "text"),
        ("/v1/handoffs/hnd_none/reply", {"text": "x" * 8001}, "text"),
        ("/v1/handoffs/hnd_none/transfer", {}, "queue"),
        ("/v1/rollout/refund_request", {"stage": "full speed"}, "stage"),
        ("/v1/rollout/refund_request", {"stage": "canary", "canary_share": 1.5}, "canary_share"),
        ("/v1/assist/suggestions/sug_none/verdict", {"verdict": "meh"}, "verdict"),
        ("/v1/assist/suggestions", {"transcript": [{"role": "king", "text": "hi"}]}, "role"),
    ):
        is_problem(await admin.post(path, json=body), 422, field)
    is_problem(await admin.post("/v1/assist/suggestions", json={}), 422, "conversation_id or transcript")
    is_problem(await admin.post("/v1/assist/suggestions", json={"transcript": []}), 422, "no customer message")
    is_problem(await admin.get("/v1/decisions?limit=many"), 422, "limit")


async def test_a_limit_that_is_no_number_of_rows_is_refused(service: Served) -> None:
    for limit in (-1, 0):
        is_problem(await service.staff("auditor").get(f"/v1/decisions?limit={limit}"), 422, "limit")


async def test_an_unknown_queue_or_state_is_refused_or_empty_and_a_closed_handoff_stays_closed(service: Served) -> None:
    customer = service.customer("cus_004")
    await customer.say("talk to a person")
    lead = service.staff("lead")
    (item,) = (await lead.get("/v1/queue")).json()["items"]
    place = f"/v1/handoffs/{item['handoff_id']}"
    is_problem(await lead.post(f"{place}/transfer", json={"queue": "lost and found"}), 422, "billing")
    assert (await lead.get("/v1/queue?queue=lost")).json()["items"] == []
    assert (await lead.post(f"{place}/resolve")).status_code == 200
    for action, body in (("claim", None), ("resolve", None), ("return", None), ("transfer", {"queue": "billing"})):
        is_problem(await lead.post(f"{place}/{action}", json=body), 409, "resolved")
    is_problem(await lead.post(f"{place}/reply", json={"text": "hello"}), 409)


async def test_a_handoff_that_another_has_claimed_is_theirs(service: Served) -> None:
    await service.customer("cus_004").say("talk to a person")
    ann, bob = service.staff("rep", "ann@example.com"), service.staff("rep", "bob@example.com")
    (item,) = (await ann.get("/v1/queue")).json()["items"]
    place = f"/v1/handoffs/{item['handoff_id']}"
    assert (await ann.post(f"{place}/claim")).status_code == 200
    assert (await ann.post(f"{place}/claim")).status_code == 200
    is_problem(await bob.post(f"{place}/claim"), 409, "ann@example.com")
    is_problem(await bob.post(f"{place}/reply", json={"text": "hello"}), 409, "ann@example.com")


@pytest.mark.parametrize(
    "after",
    [
        "abc",
        "-1",
        "1.5",
        "1 2",
        "\u0661\u0662",
        "\u00b2",
        "9" * 30,
    ],
)
async def test_a_last_event_id_that_is_none_of_ours_is_refused(service: Served, after: str) -> None:
    customer = await service.customer().open()
    place = f"/v1/conversations/{customer.conversation_id}/events"
    for options in ({"headers": {"Last-Event-ID": after.encode()}}, {"params": {"last_event_id": after}}):
        async with customer.http.stream("GET", place, **options) as answer:  # type: ignore[arg-type]
            assert answer.status_code == 400
            await answer.aread()
            is_problem(answer, 400, "Last-Event-ID")


async def test_a_last_event_id_from_the_future_waits_for_what_comes(service: Served) -> None:
    customer = await service.customer().open()
    place = f"/v1/conversations/{customer.conversation_id}/events"
    async with customer.http.stream("GET", place, headers={"Last-Event-ID": "99999"}) as stream:
        assert stream.status_code == 200
        assert stream.headers["content-type"].startswith("text/event-stream")


@pytest.mark.parametrize(
    ("prefer", "waits"),
    [
        ("", False),
        ("respond-async", False),
        ("wait", False),
        ("wait=", False),
        ("wait=soon", False),
        ("wait=-5", False),
        ("wait=" + "9" * 400, True),
        ("respond-async, wait=30", True),
        ("wait=30; foo=bar", True),
        ("WAIT=30", True),
        ("wait = 30", True),
    ],
)
async def test_a_preference_is_followed_where_it_makes_sense_and_ignored_otherwise(
    service: Served, prefer: str, waits: bool
) -> None:
    customer = await service.customer("cus_004").open()
    place = f"/v1/conversations/{customer.conversation_id}/messages"
    answer = await customer.http.post(place, json={"text": "thanks"}, headers={"Prefer": prefer})
    assert answer.status_code == (200 if waits else 202), answer.text
    assert ("Preference-Applied" in answer.headers) == waits


async def test_what_is_not_there_and_what_is_not_meant_are_problems_too(service: Served) -> None:
    customer = service.customer().http
    is_problem(await customer.get("/v1/nothing"), 404)
    is_problem(await customer.delete("/v1/conversations"), 405)
    is_problem(await customer.put("/v1/conversations/conv_none/messages", json={"text": "hi"}), 405)
    is_problem(await customer.get("/web/../settings.py"), 404)
    is_problem(await customer.get("/web/%2e%2e%2fsettings.py"), 404)


async def test_an_error_of_ours_is_a_problem_without_its_trace(service: Served, monkeypatch: Any) -> None:
    customer = await service.customer().open()

    async def broken(*_args: Any) -> None:
        raise RuntimeError("secret detail")

    monkeypatch.setattr(type(service.runtime.services.transcript), "get", broken)  # type: ignore[union-attr]
    answer = await customer.http.get(f"/v1/conversations/{customer.conversation_id}")
    is_problem(answer, 500)
    assert "secret detail" not in answer.text


async def test_a_staff_token_of_today_and_a_customer_token_of_today_work(service: Served) -> None:
    assert (await service.client(staff_token(KEY, "ann@example.com", "rep")).get("/v1/queue")).status_code == 200
    assert (await service.client(signed()).post("/v1/conversations")).status_code == 201
    host_sites = signed(kind=None, level=None, email="kai@brightwater.example")
    assert (await service.client(host_sites).post("/v1/conversations")).status_code == 201
