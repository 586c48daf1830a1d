"""Agent-assist: a reply proposed to a representative, with citations. It proposes; the representative sends."""

from dataclasses import dataclass
from typing import Any

from agents.gate.reply import check_reply, known_figures
from agents.nodes.retrieve import audiences_for
from agents.procedures.quote import quote
from app.runtime import Runtime

RELEVANT = 0.4
HOLDING = "thank you for your message. I am looking into it and will come back to you here."


@dataclass(frozen=True)
class Proposal:
    """A suggested reply and what stands behind it."""

    text: str
    intent: str | None
    probability: float
    citations: list[dict[str, Any]]
    next_steps: list[str]


async def suggest(runtime: Runtime, messages: list[dict[str, str]], facts: dict[str, Any]) -> Proposal:
    """Suggest a reply to the last customer message of a transcript (``role`` and ``text``)."""
    services = runtime.services
    words = next((m["text"] for m in reversed(messages) if m["role"] == "customer"), "")
    guess = (await services.classify([words]))[0]
    intent, probability = guess.best
    staff_view = audiences_for(str(facts.get("plan", "")), "verified") | {"internal"}
    passages, relevance = await services.search(words, staff_view)
    passages = [p for p in passages if p.score > 0][:3]
    quoted = quote(words, passages) if relevance >= RELEVANT else None
    procedure = services.library.for_intent(intent) if probability >= 0.3 else None
    name = str(facts.get("contact_name", "")).split(" ")[0]
    greeting = f"Hello {name},\n\n" if name else "Hello,\n\n"
    body = quoted.text.rsplit("\n\n(From", 1)[0] if quoted else HOLDING
    text = f"{greeting}{body}\n\nKind regards"
    check = check_reply(
        text,
        services.rules,
        figures=lambda: known_figures([words, *(p.text for p in passages)], [facts]),
        evidence_text=" ".join([words, *(p.text for p in passages)]),
        verified_tools=frozenset(),
        handed_off=True,
        customer_id=str(facts.get("id", "")),
    )
    if not check.passed:
        text = f"{greeting}{HOLDING}\n\nKind regards"
    cited = passages if quoted else []
    return Proposal(
        text=text,
        intent=intent if probability >= 0.3 else None,
        probability=round(probability, 4),
        citations=[{"document_id": p.document_id, "title": p.title, "text": p.text[:400]} for p in cited],
        next_steps=[f"{step.kind}: {step.target}" for step in procedure.steps] if procedure else [],
    )
