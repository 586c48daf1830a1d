"""Checks every part of a deployment and says in a sentence what is wrong."""

import asyncio
import re
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from typing import Any

from app.settings import POLICIES, Settings


async def examine(settings: Settings) -> list[dict[str, Any]]:
    """One finding a part: ``part``, ``ok``, ``says``."""
    checks: list[tuple[str, Callable[[Settings], Awaitable[str]]]] = [
        ("home", _home),
        ("database", _database),
        ("knowledge", _knowledge),
        ("embeddings", _embeddings),
        ("content", _content),
        ("triage", _triage),
        ("gate", _gate),
        ("billing", check_billing),
        ("access", check_access),
        ("model", check_model),
        ("secret key", _secret),
    ]
    findings = []
    for part, check in checks:
        try:
            findings.append({"part": part, "ok": True, "says": await check(settings)})
        except Exception as error:
            line = (str(error).splitlines() or [""])[0]
            findings.append({"part": part, "ok": False, "says": f"{line or type(error).__name__}"})
    return findings


async def _home(settings: Settings) -> str:
    settings.home.mkdir(parents=True, exist_ok=True)
    probe = settings.home / ".probe"
    probe.write_text("ok", encoding="utf-8")
    probe.unlink()
    return f"{settings.home.resolve()} can be written"


async def _database(settings: Settings) -> str:
    from sqlalchemy import make_url

    from records.database import Database

    database = await Database.open(settings.database)
    try:
        async with database.read():
            return f"{make_url(settings.database).render_as_string(hide_password=True)} answers and is up to date"
    finally:
        await database.close()


async def _knowledge(settings: Settings) -> str:
    from agents.knowledge.index import KnowledgeIndex
    from app.embeddings import passing_embedder

    index = KnowledgeIndex(settings.home / "chroma", passing_embedder(settings), url=settings.chroma_url)
    count = await asyncio.to_thread(index.count)
    return f"{count} windows of passages and titles" + (
        "" if count else ": ingest documents with `handrail knowledge ingest PATH`"
    )


async def _embeddings(settings: Settings) -> str:
    from app.embeddings import passing_embedder

    embedder = passing_embedder(settings)
    vectors = await asyncio.to_thread(embedder.embed, ["hello"])
    return f"{embedder.name} gives {vectors.shape[1]} dimensions"


async def _content(settings: Settings) -> str:
    from app.connectors import connected
    from app.runtime import load_content
    from records.clock import system_clock
    from tools.policy import PolicyEngine
    from tools.sandbox.backend import SandboxBackend

    async with AsyncExitStack() as stack:
        backend = await SandboxBackend.open(
            settings.sandbox_path, clock=system_clock, seed=settings.seed, today=system_clock().date()
        )
        stack.push_async_callback(backend.close)
        registry, _ = await connected(settings, backend, system_clock, stack)
        content = load_content(registry)
        PolicyEngine.load(POLICIES)
    triggers = len(content.escalation.triggers)
    return f"{len(content.library.procedures)} procedures, {triggers} triggers, {len(registry)} tools, policies valid"


async def _triage(settings: Settings) -> str:
    from app.champion import learned_by
    from app.commands.learning import without_classifier
    from app.embeddings import plain_embedder
    from app.runtime import make_classifier
    from records.learning import champion

    async with without_classifier(settings) as runtime:
        database, base, content = runtime.services.database, runtime.champion.base, runtime.shared.content
        assert content is not None
        async with database.read() as session:
            row = await champion(session)
        shipped = f"{len(base.texts)} shipped examples of {len(base.known)} intents"
        if row is None:
            return f"as shipped, {shipped}"
        learned = await learned_by(database, row)
        await asyncio.to_thread(make_classifier, settings, content, plain_embedder(settings), learned)
    gone = len(row.examples) - len(learned)
    missing = f" ({gone} of its examples were deleted since)" if gone else ""
    return f"{row.id}, {len(learned)} learned examples{missing} beside {shipped}"


async def _gate(settings: Settings) -> str:
    from app.champion import confidence_of
    from app.commands.learning import without_classifier
    from records.learning import CONFIDENCE, champion

    async with without_classifier(settings) as runtime:
        async with runtime.services.database.read() as session:
            row = await champion(session, CONFIDENCE)
        confidence = confidence_of(row) if row else runtime.confidence.shipped
        costs = runtime.services.gate.costs
    least = confidence.bounds.overall.p_correct
    alone = "nothing is done alone" if least is None else f"alone from {max(least, costs.minimum_probability):.1%} on"
    return f"costs in {costs.currency} from {settings.costs}, confidence model {confidence.id}: {alone}"


async def check_billing(settings: Settings) -> str:
    """Read one customer with the key that billing uses. Raises ValueError that says what to look at."""
    if settings.billing == "sandbox":
        return "the sandbox company's: no money moves"
    from app.connectors import stripe_backend
    from records.clock import system_clock
    from tools.errors import BackendRefused, ToolError

    async with AsyncExitStack() as stack:
        backend = stripe_backend(settings, system_clock, stack)
        place = re.sub(r"//[^/@]*@", "//", settings.stripe_base_url or "https://api.stripe.com")
        try:
            mode = await backend.mode()
        except BackendRefused as error:
            raise ValueError(f"{place}: {error}: check HANDRAIL_STRIPE_API_KEY and what it may read") from error
        except ToolError as error:
            raise ValueError(f"{place}: {error}: check HANDRAIL_STRIPE_BASE_URL and the network") from error
    heard = "" if settings.stripe_webhook_secret else "; without HANDRAIL_STRIPE_WEBHOOK_SECRET no events are taken"
    return f"{place} takes the key, in {mode} mode{heard}"


async def check_access(settings: Settings) -> str:
    """Read one user with the token that access uses. Raises ValueError that says what to look at."""
    if settings.provisioning == "sandbox":
        return "the sandbox company's users"
    from app.connectors import scim_backend
    from tools.errors import BackendRefused, ToolError

    async with AsyncExitStack() as stack:
        backend = scim_backend(settings, stack)
        place = re.sub(r"//[^/@]*@", "//", settings.scim_url or "")
        try:
            await backend.check()
        except BackendRefused as error:
            raise ValueError(
                f"{place}: {error}: check HANDRAIL_SCIM_TOKEN, what it may read, and HANDRAIL_SCIM_ROLES"
            ) from error
        except ToolError as error:
            raise ValueError(f"{place}: {error}: check HANDRAIL_SCIM_URL and the network") from error
    return f"{place} takes the token; roles are kept in {settings.scim_roles}"


async def check_model(settings: Settings) -> str:
    """Ask the model's endpoint to call a tool, as a turn would. Raises `ValueError` that says what to look at."""
    if settings.model == "embedded":
        return "the embedded model needs nothing"
    from langchain_core.messages import HumanMessage

    from agents.models.failure import EndpointFailed
    from app.runtime import make_endpoint

    endpoint = make_endpoint(settings)
    place = f"{endpoint.name} at {re.sub(r'//[^/@]*@', '//', endpoint.url)}"
    try:
        answer = await endpoint.ask([HumanMessage("Call the tool `ready`.")], [_READY])
    except EndpointFailed as failure:
        detail = f" ({failure.detail})" if failure.detail else ""
        raise ValueError(
            f"{place} {failure}{detail}: {_advice(str(failure))}; until then the embedded model serves"
        ) from failure
    finally:
        await endpoint.close()
    called = "and calls tools" if answer.message.tool_calls else "but called no tool when asked to: it may be too weak"
    return f"{place} answers {called}"


_READY = {
    "type": "function",
    "function": {"name": "ready", "description": "Say so.", "parameters": {"type": "object", "properties": {}}},
}


def _advice(failure: str) -> str:
    """What to look at, by the status that stands in the failure's sentence."""
    advice = {
        "400": "it may not know tools or a parameter; HANDRAIL_MODEL_TEMPERATURE=unset sends no temperature",
        "401": "check OPENAI_API_KEY",
        "403": "check OPENAI_API_KEY and what it may use",
        "404": "check that OPENAI_BASE_URL ends as it should (mostly in /v1) and the model's name in HANDRAIL_MODEL",
        "429": "its limit or quota is spent",
    }
    return next((says for status, says in advice.items() if status in failure), "check OPENAI_BASE_URL and the server")


async def _secret(settings: Settings) -> str:
    if len(settings.signing_key()) < 32:
        raise ValueError("HANDRAIL_SECRET_KEY is shorter than 32 characters: use a longer one")
    return "long enough"
