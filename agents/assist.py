"""Agent-assist: a reply and a next step proposed to a representative. It looks things up and changes nothing.

The draft is what Handrail itself would say next: the procedure is carried out up to the first step that would change
something, which becomes the proposed next step. Look-ups pass the gate like any other, for the same customer.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from agents.brief import Brief
from agents.confidence.model import Features
from agents.frame import Frame
from agents.gate.call import Situation, canonical_arguments
from agents.gate.reply import check_reply, known_figures
from agents.gate.verdict import Ruling
from agents.knowledge.passage import Passage
from agents.nodes.retrieve import audiences_for
from agents.procedures.procedure import phrases_of
from agents.procedures.quote import quote
from agents.procedures.run import ProcedureRun
from agents.procedures.under_way import RELEVANT, Call, Outcome, Speech
from agents.services import Services
from agents.triage.route import Reading, route
from records.spending import Spent
from tools.errors import ToolError
from tools.provenance import Evidence
from tools.tool import IdentityLevel

MAX_LOOKUPS = 10
SURE_OF_INTENT = 0.3
"""Probability from which an intent is named to the representative."""
HOLDING = "thank you for your message. I am looking into it and will come back to you here."


@dataclass(frozen=True)
class Draft:
    """A suggested reply and what stands behind it."""

    text: str
    intent: str | None
    probability: float
    citations: list[dict[str, Any]] = field(default_factory=list)
    next_steps: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Case:
    """Whose case it is and what was said (``role`` and ``text``, oldest first). Without a customer, no look-ups."""

    messages: Sequence[Mapping[str, str]]
    customer_id: str = ""
    level: IdentityLevel = IdentityLevel.ANONYMOUS
    facts: Mapping[str, Any] = field(default_factory=dict)

    @property
    def words(self) -> str:
        """The customer's latest message."""
        return next((m["text"] for m in reversed(self.messages) if m["role"] == "customer"), "")


async def draft(services: Services, case: Case) -> Draft:
    """Suggest a reply to the customer's latest message."""
    reading = await Reading.of(case.words, services.classify, services.library.odds(case.facts))
    intent, probability = reading.whole.best
    view = audiences_for(str(case.facts.get("plan", "")), "verified") | {"internal"}
    found, relevance = await services.search(case.words, view)
    passages = [passage for passage in found if passage.score > 0][:3]
    body, steps, evidence = await _by_procedure(services, case, reading)
    quoted = quote(case.words, passages) if relevance >= RELEVANT and not body else None
    if quoted is not None:
        body = quoted.text.rsplit("\n\n(From", 1)[0]
    text = _letter(body or HOLDING, case)
    if not _passes(services, case, text, passages, evidence):
        text, quoted = _letter(HOLDING, case), None
    cited = passages if quoted else []
    return Draft(
        text=text,
        intent=intent if probability >= SURE_OF_INTENT else None,
        probability=round(probability, 4),
        citations=[{"document_id": p.document_id, "title": p.title, "text": p.text[:400]} for p in cited],
        next_steps=steps,
    )


async def _by_procedure(services: Services, case: Case, reading: Reading) -> tuple[str, list[str], Evidence]:
    """(what the procedure would say, the step that comes next, what was looked up)."""
    evidence = Evidence(customer_texts=[("", m["text"]) for m in case.messages if m["role"] == "customer"])
    chosen = route(reading, Frame(), services.library.topics)
    if not case.customer_id or chosen.kind != "start":
        return "", [], evidence
    procedures = [p for intent, _ in chosen.intents if (p := services.library.for_intent(intent)) is not None]
    evidence.phrases |= phrases_of(procedures, services.registry)
    situation = Situation(
        conversation_id="",
        customer_id=case.customer_id,
        level=case.level,
        plan=str(case.facts.get("plan", "")),
        customer_value_minor=int(case.facts.get("yearly_value_minor", 0)),
        offered_tools=frozenset().union(*(services.library.tools_of(p.name) for p in procedures)),
        evidence=evidence,
        wish_probability=0.0,
        features=Features(*[0.0] * 10),
        stage="assist",
        canary_share=0.0,
        queue="general",
        spent=Spent(),
        consents=frozenset(),
    )
    brief = Brief(
        text=case.words,
        frame=Frame(),
        route=chosen,
        offer_answer=None,
        offer_text="",
        customer=dict(case.facts),
        company=services.company,
        today=services.clock().date().isoformat(),
        ranking=reading.whole.ranking,
    )
    run = ProcedureRun(brief, services.library, services.templates)
    return *await _carry_out(services, run, situation), evidence


async def _carry_out(services: Services, run: ProcedureRun, situation: Situation) -> tuple[str, list[str]]:
    proposals = run.turn()
    try:
        call = next(proposals)
        for _ in range(MAX_LOOKUPS):
            judged = await services.gate.judge(call.tool, call.arguments, situation)
            assert judged.tool is not None
            if judged.tool.effect is not None:
                if judged.resource is None:
                    break
                return _offer(services, run, call, judged.resource, situation)
            call = proposals.send(await _look_up(judged, situation))
    except StopIteration as end:
        speech: Speech = end.value
        return speech.text, [f"hand over to {speech.queue}: {speech.why}"] if speech.kind == "escalate" else []
    return "", []


async def _look_up(judged: Any, situation: Situation) -> Outcome:
    if judged.verdict.ruling is not Ruling.PERMITTED:
        return Outcome(problem=judged.verdict.deciding.reason)
    try:
        result = await judged.tool.call(situation.customer_id, judged.arguments, "")
    except ToolError as error:
        return Outcome(problem=str(error))
    situation.evidence.add_result(judged.tool.name, result)
    return Outcome(result=result.model_dump(mode="json"))


def _offer(
    services: Services, run: ProcedureRun, call: Call, resource: Any, situation: Situation
) -> tuple[str, list[str]]:
    tool = services.registry.get(call.tool)
    assert tool.effect is not None
    arguments = canonical_arguments(tool.arguments.model_validate(call.arguments))
    names = {"args": arguments, "resource": resource, "customer": run.brief.customer}
    asked = services.templates.text(tool.effect.offer, names, f"offer of {tool.name}")
    said = [part for part in run.spoken if part]
    values = ", ".join(f"{name} {value}" for name, value in arguments.items())
    return "\n\n".join([*said, f"Shall I {asked}?"]), [f"after the customer's yes: {tool.name} ({values})"]


def _letter(body: str, case: Case) -> str:
    name = str(case.facts.get("contact_name", "")).split(" ")[0]
    return f"Hello{f' {name}' if name else ''},\n\n{body}\n\nKind regards"


def _passes(services: Services, case: Case, text: str, passages: list[Passage], evidence: Evidence) -> bool:
    offers = [tool.effect.offer for tool in services.registry if tool.effect is not None]
    texts = [*(m["text"] for m in case.messages), *(p.text for p in passages), services.clock().date().isoformat()]
    texts += [*offers, *services.templates.sources.values()]
    results = [result for _, result in evidence.results]
    check = check_reply(
        text,
        services.rules,
        figures=lambda: known_figures(texts, [*results, dict(case.facts)]),
        evidence_text=" ".join([*texts, *(str(result) for result in results), str(dict(case.facts))]),
        verified_tools=frozenset(),
        handed_off=True,
        customer_id=case.customer_id,
    )
    return check.passed
