"""The one place where the parts are wired together."""

import asyncio
import hashlib
import secrets
import shutil
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

from agents.confidence.model import DEFAULT as SHIPPED_CONFIDENCE
from agents.confidence.model import ConfidenceModel, UnusableConfidence
from agents.confidence.money import CostModel
from agents.gate.call import CallGate
from agents.gate.reply import ReplyRules
from agents.procedures.loader import load_procedures
from agents.procedures.procedure import ProcedureLibrary
from agents.procedures.replies import Templates
from agents.services import Budgets, Proposer, Services
from agents.triage.answers import AnswerExamples, AnswerOdds, ReadAnswers, unread
from agents.triage.escalation import EscalationRules
from agents.triage.version import SHIPPED, Version
from app.champion import OUT_OF_SCOPE_INTENT, Base, Champion, ConfidenceChampion, Learned
from app.embeddings import lasting_embedder, passing_embedder
from app.events import Broadcaster
from app.jobs.outbox import MailServer, OutboxSender
from app.jobs.turns import TurnRunner
from app.settings import PROMPTS, BrokenSettings, Settings
from records.clock import Clock, system_clock
from records.database import Database, postgres_options
from records.knowledge import RolloutStage
from records.learning import CONFIDENCE, TRIAGE
from records.step_up import StepUp
from records.transcript import Transcript
from tools.ledger import Ledger
from tools.placed_yaml import UnusableFile, plain_data
from tools.registry import ToolRegistry

if TYPE_CHECKING:
    from agents.models.endpoint import Endpoint


@dataclass(frozen=True)
class Shared:
    """What several worlds of one process may share: it is slow to load and does not change."""

    embedder: Any
    classifier: Any
    knowledge: Any
    content: "Content | None" = None
    policies: Any = None
    version: Version = SHIPPED
    """Which version of triage `classifier` is."""
    answers: Any = None
    """The classifier of answers to offers."""


@dataclass
class Runtime:
    """A running Handrail: everything that a surface needs."""

    settings: Settings
    services: Services
    turns: TurnRunner
    broadcaster: Broadcaster
    sandbox: Any
    shared: Shared
    key: str
    champion: Champion
    confidence: ConfidenceChampion
    extras: dict[str, Any] = field(default_factory=dict)

    @property
    def bases(self) -> dict[str, str]:
        """What versions are proposed against, by kind: the hash of what is shipped or set."""
        return {TRIAGE: self.champion.base.hash, CONFIDENCE: self.confidence.shipped.id}


@dataclass(frozen=True)
class Content:
    """What operators write: procedures, replies, rules, prices."""

    templates: Templates
    escalation: EscalationRules
    library: ProcedureLibrary
    rules: ReplyRules
    system_prompt: str
    out_of_scope: list[str]
    answers: AnswerExamples


def load_content(registry: ToolRegistry, prompts: Path = PROMPTS) -> Content:
    """Read and check everything under `prompts/`. Raises what names file, line and field."""
    templates = Templates(prompts / "replies")
    escalation = EscalationRules.load(prompts / "escalation.yaml")
    arguments = {name: frozenset(registry.get(name).arguments.model_fields) for name in registry.names()}
    library = load_procedures(prompts / "procedures", templates, arguments, frozenset(escalation.queues))
    foreign = plain_data((prompts / "out_of_scope.yaml").read_text(encoding="utf-8"))
    return Content(
        templates=templates,
        escalation=escalation,
        library=library,
        rules=ReplyRules.load(prompts / "claims.yaml"),
        system_prompt=(prompts / "system.md").read_text(encoding="utf-8"),
        out_of_scope=foreign["examples"],
        answers=AnswerExamples.read(prompts / "answers.yaml"),
    )


def training_examples(content: Content) -> tuple[list[str], list[str]]:
    """(texts, intents) that triage learns from: procedures, matters for people, and what belongs to neither."""
    texts, intents = content.library.examples()
    for intent, examples in content.escalation.intents.items():
        texts += examples
        intents += [intent] * len(examples)
    return texts + content.out_of_scope, intents + [OUT_OF_SCOPE_INTENT] * len(content.out_of_scope)


def base_of(content: Content) -> Base:
    """What triage starts from here, before people taught it anything."""
    texts, intents = training_examples(content)
    return Base(texts, intents, content.library.topics.served, frozenset(content.escalation.queues))


def make_classifier(settings: Settings, content: Content, embedder: Any, learned: Learned = ()) -> Any:
    """The intent classifier of this deployment: fitted when the examples or the format changed, else loaded.

    `embedder` is for what customers write; examples are embedded through the lasting cache. `learned` are what people
    taught beside the shipped examples.
    """
    texts, intents = training_examples(content)
    texts, intents = texts + [text for text, _ in learned], intents + [intent for _, intent in learned]
    return _fitted("triage", settings, texts, intents, embedder)


def make_answers(settings: Settings, content: Content, embedder: Any) -> Any:
    """The classifier of answers to offers, made as that of intents is."""
    return _fitted("answers", settings, *content.answers.pairs(), embedder)


def _fitted(name: str, settings: Settings, texts: list[str], intents: list[str], embedder: Any) -> Any:
    from agents.triage.classifier import RECIPE, IntentClassifier

    digest = hashlib.sha256("\n".join([RECIPE, embedder.name, *texts, *intents]).encode()).hexdigest()[:16]
    folder = settings.artefacts / f"{name}-{digest}"
    if not folder.exists():  # it appears whole or not at all
        whole = folder.with_suffix(f".{secrets.token_hex(4)}")  # others may be fitting the same
        IntentClassifier.fit(texts, intents, lasting_embedder(settings)).save(whole)
        try:
            whole.rename(folder)
        except OSError:
            shutil.rmtree(whole)
    return IntentClassifier.load(folder, embedder)


def load_shared(settings: Settings, content: Content) -> Shared:
    """Load the embedder, the classifier and the knowledge index of this home."""
    from agents.knowledge.index import KnowledgeIndex
    from app.connectors import policies

    settings.home.mkdir(parents=True, exist_ok=True)
    embedder, lasting = passing_embedder(settings), lasting_embedder(settings)
    classifier = make_classifier(settings, content, embedder)
    knowledge = KnowledgeIndex(settings.home / "chroma", embedder, url=settings.chroma_url, documents=lasting)
    answers = make_answers(settings, content, embedder)
    return Shared(embedder, classifier, knowledge, content, policies(settings), answers=answers)


def make_proposer(settings: Settings, content: Content) -> Proposer:
    """The chain of models that the settings name."""
    from agents.models.chain import EmbeddedProposer, EndpointProposer
    from agents.models.embedded import EmbeddedModel

    embedded = EmbeddedProposer(EmbeddedModel(content.library, content.templates))
    if settings.model == "embedded":
        return embedded
    return EndpointProposer(
        make_endpoint(settings),
        embedded,
        attempts=settings.model_attempts,
        seconds=settings.model_total_seconds,
        price_in=settings.model_price_in,
        price_out=settings.model_price_out,
        breaker_failures=settings.model_breaker_failures,
        breaker_seconds=settings.model_breaker_seconds,
    )


def make_endpoint(settings: Settings) -> "Endpoint":
    """The outside endpoint that the settings name."""
    from agents.models.endpoint import Endpoint

    return Endpoint(
        settings.model.removeprefix("openai:"),
        base_url=settings.openai_base_url,
        api_key=settings.openai_api_key,
        seconds=settings.model_seconds,
        streaming=settings.model_streaming,
        temperature=None if settings.model_temperature == "unset" else settings.model_temperature,
        max_tokens=settings.model_max_tokens,
    )


@asynccontextmanager
async def running(
    settings: Settings,
    *,
    clock: Clock = system_clock,
    today: date | None = None,
    background: bool = True,
    shared: Shared | None = None,
    proposer: Proposer | None = None,
) -> AsyncIterator[Runtime]:
    """Everything wired and started; closed at the end of the block.

    `shared` takes over parts that were loaded before; `proposer` stands in for the configured model (evals, tests).
    """
    from agents.graph import build_graph
    from app.connectors import connected, policies
    from tools.sandbox.backend import SandboxBackend

    settings.home.mkdir(parents=True, exist_ok=True)
    mail = mail_server(settings) if settings.smtp_url is not None else None
    async with AsyncExitStack() as stack:
        database = await Database.open(settings.database)
        stack.push_async_callback(database.close)
        sandbox = await SandboxBackend.open(
            settings.sandbox_path, clock=clock, seed=settings.seed, today=today or clock().date()
        )
        stack.push_async_callback(sandbox.close)
        registry, facts = await connected(settings, sandbox, clock, stack)
        content = shared.content if shared and shared.content else load_content(registry)
        if shared is None:
            shared = await asyncio.to_thread(load_shared, settings, content)
        shared = replace(shared, content=content)
        champion = await _serving(settings, database, content, shared)
        shared = replace(shared, classifier=champion.classifier, version=champion.version)
        broadcaster = Broadcaster()
        chosen = proposer or make_proposer(settings, content)
        if close := getattr(chosen, "close", None):
            stack.push_async_callback(close)
        model = confidence_model(settings)
        gate = CallGate(registry, shared.policies or policies(settings), model, cost_model(settings))
        confidence = ConfidenceChampion(database, model, gate)
        await confidence.try_refresh()
        services = Services(
            database=database,
            transcript=Transcript(database, clock),
            registry=registry,
            gate=gate,
            ledger=Ledger(database, registry, clock),
            rules=content.rules,
            escalation=content.escalation,
            library=content.library,
            templates=content.templates,
            classify=champion.classify,
            answers=_answers_of(shared.answers),
            search=_search_in(shared.knowledge),
            customer_facts=facts,
            stage_of=_stages_in(database, settings.default_stage),
            proposer=chosen,
            system_prompt=content.system_prompt,
            company=settings.company,
            emit=broadcaster.tell,
            clock=clock,
            budgets=Budgets(model_calls=settings.turn_model_calls, seconds=settings.turn_seconds),
            step_up=StepUp(database, clock, settings.signing_key()) if settings.sends_codes else None,
        )
        saver = await stack.enter_async_context(_checkpointer(settings, database))
        turns = TurnRunner(services, build_graph(saver))
        if background:
            await turns.start()
            stack.push_async_callback(turns.stop)
            for serving in (champion, confidence) if shared.classifier is not None else (confidence,):
                looking = asyncio.create_task(serving.keep_fresh())
                stack.callback(looking.cancel)
            if mail is not None:
                sending = asyncio.create_task(OutboxSender(database, clock, mail).keep_sending())
                stack.callback(sending.cancel)
        key = settings.signing_key()
        yield Runtime(settings, services, turns, broadcaster, sandbox, shared, key, champion, confidence)


async def _serving(settings: Settings, database: Database, content: Content, shared: Shared) -> Champion:
    """What triage asks: the version that a person promoted, or what was shipped."""
    embedder = shared.embedder

    def build(learned: Learned) -> Any:
        return make_classifier(settings, content, embedder, learned)

    champion = Champion(database, base_of(content), shared.classifier, build, shared.version)
    if shared.classifier is not None:
        await champion.try_refresh()
    return champion


def _answers_of(classifier: Any) -> ReadAnswers:
    if classifier is None:
        return unread

    def odds(text: str) -> AnswerOdds:
        read = classifier.predict(text)
        return AnswerOdds(dict(read.ranking), read.out_of_scope)

    async def answers(text: str) -> AnswerOdds:
        return await asyncio.to_thread(odds, text)

    return answers


def _search_in(knowledge: Any) -> Callable[[str, frozenset[str]], Awaitable[tuple[list[Any], float]]]:
    async def search(query: str, audiences: frozenset[str]) -> tuple[list[Any], float]:
        found = await knowledge.search_async(query, audiences)
        return list(found.passages), found.relevance

    return search


def _stages_in(database: Database, usual: str) -> Callable[[str], Awaitable[tuple[str, float]]]:
    """The rollout stage of each intent, with its canary share."""

    async def stage_of(intent: str) -> tuple[str, float]:
        async with database.read() as session:
            row = await session.get(RolloutStage, intent)
        return (row.stage, row.canary_share) if row else (usual, 0.1)

    return stage_of


def confidence_model(settings: Settings) -> ConfidenceModel:
    """The model that the gate asks how sure it may be. Raises `BrokenSettings`."""
    try:
        return ConfidenceModel.load(settings.confidence or SHIPPED_CONFIDENCE)
    except UnusableConfidence as error:
        raise BrokenSettings(f"setting HANDRAIL_CONFIDENCE: {error}") from None


def cost_model(settings: Settings) -> CostModel:
    """What the financial gate weighs. Raises `BrokenSettings`."""
    try:
        return CostModel.load(settings.costs)
    except FileNotFoundError:
        raise BrokenSettings(f"setting HANDRAIL_COSTS: there is no file {settings.costs}") from None
    except UnusableFile as error:
        raise BrokenSettings(f"setting HANDRAIL_COSTS: {error}") from None


def mail_server(settings: Settings) -> MailServer:
    """The mail server that the settings name. Raises `BrokenSettings`."""
    assert settings.smtp_url is not None
    try:
        return MailServer.parse(settings.smtp_url.get_secret_value(), settings.mail_from)
    except ValueError as error:
        raise BrokenSettings(f"setting HANDRAIL_SMTP_URL: {error}") from None


@asynccontextmanager
async def _checkpointer(settings: Settings, database: Database) -> AsyncIterator[Any]:
    from agents.checkpoints import ParkedOnly

    if database.sqlite:
        from langgraph.checkpoint.sqlite.aio import AsyncSqliteSaver

        class SqliteSaver(ParkedOnly, AsyncSqliteSaver):
            """Parked turns in a file beside the records."""

        async with SqliteSaver.from_conn_string(str(settings.home / "checkpoints.db")) as saver:
            await saver.setup()
            yield saver
        return
    from langgraph.checkpoint.postgres.aio import AsyncPostgresSaver
    from psycopg.rows import dict_row
    from psycopg_pool import AsyncConnectionPool

    class PostgresSaver(ParkedOnly, AsyncPostgresSaver):
        """Parked turns in the records' database."""

    url = settings.database.replace("postgresql+psycopg://", "postgresql://")
    options = {"autocommit": True, "prepare_threshold": 0, "row_factory": dict_row, "options": postgres_options()}
    # A connection that the server dropped meanwhile (a restart, a failover) is replaced before it is handed out.
    alive = AsyncConnectionPool.check_connection
    async with AsyncConnectionPool(url, kwargs=options, min_size=1, max_size=5, open=False, check=alive) as pool:
        saver = PostgresSaver(pool)  # type: ignore[arg-type]
        async with database.alone():  # two set-ups at once would run into each other's tables
            await saver.setup()
        yield saver
