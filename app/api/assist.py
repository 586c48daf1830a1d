"""Suggestions to representatives, for conversations here and transcripts from elsewhere."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends
from pydantic import BaseModel, ConfigDict, Field, model_validator
from sqlmodel import col, select

from agents.assist import Case, draft
from app import learning
from app.api.callers import Service, staff_with
from app.api.problems import Problem
from app.identity import Staff
from records.conversation import Conversation, Message
from records.handoff import Suggestion
from records.identifiers import new_id
from tools.tool import IdentityLevel

router = APIRouter(prefix="/v1/assist", tags=["agent assist"])

Representative = Annotated[Staff, Depends(staff_with("rep", "lead", "approver"))]


class TranscriptMessage(BaseModel):
    """One message of a transcript from elsewhere."""

    model_config = ConfigDict(extra="forbid")
    role: Literal["customer", "agent", "representative"]
    text: str = Field(max_length=8000)


class SuggestionRequest(BaseModel):
    """A conversation of this service, or a transcript from elsewhere."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={"examples": [{"transcript": [{"role": "customer", "text": "How do I rotate an API key?"}]}]},
    )
    conversation_id: str | None = None
    transcript: list[TranscriptMessage] | None = Field(default=None, max_length=500)

    @model_validator(mode="after")
    def one_of_both(self) -> "SuggestionRequest":
        """Exactly one source."""
        if (self.conversation_id is None) == (self.transcript is None):
            raise ValueError("send either conversation_id or transcript")
        return self


class SuggestionVerdict(BaseModel):
    """What the representative made of it."""

    model_config = ConfigDict(extra="forbid")
    verdict: Literal["accepted", "edited", "rejected"]
    final_text: str | None = Field(default=None, max_length=8000)
    intent: str | None = Field(
        default=None,
        description="What it was really about, where the suggestion was wrong: an intent of `GET /v1/intents`, or a "
        "new name.",
    )


@router.post("/suggestions", status_code=201)
async def make_suggestion(body: SuggestionRequest, runtime: Service, staff: Representative) -> dict[str, Any]:
    """A suggested reply with its sources."""
    case, episode_id = Case(messages=[]), None
    if body.conversation_id is not None:
        conversation = await runtime.services.transcript.get(body.conversation_id)
        async with runtime.services.database.read() as session:
            rows = await session.scalars(
                select(Message).where(Message.conversation_id == conversation.id).order_by(col(Message.number))
            )
            messages = [{"role": row.role, "text": row.text} for row in rows]
        episode_id = conversation.episode_id
        facts = await runtime.services.customer_facts(conversation.customer_id)
        case = Case(messages, conversation.customer_id, IdentityLevel(conversation.level), facts)
    else:
        case = Case([message.model_dump() for message in body.transcript or []])
    if not case.words:
        raise Problem(422, "There is no customer message", "A suggestion answers the customer's last message.")
    proposal = await draft(runtime.services, case)
    row = Suggestion(
        id=new_id("sug"),
        conversation_id=body.conversation_id,
        episode_id=episode_id,
        words=learning.redacted(case.words, case.facts),
        text=proposal.text,
        intent=proposal.intent,
        probability=proposal.probability,
        citations=proposal.citations,
        created_at=runtime.services.clock(),
    )
    async with runtime.services.database.write() as session:
        session.add(row)
    return {
        "id": row.id,
        "text": proposal.text,
        "intent": proposal.intent,
        "probability": proposal.probability,
        "citations": proposal.citations,
        "next_steps": proposal.next_steps,
    }


@router.post("/suggestions/{suggestion_id}/verdict")
async def judge_suggestion(
    suggestion_id: str, body: SuggestionVerdict, runtime: Service, staff: Representative
) -> dict[str, Any]:
    """Say what became of the suggestion: that is what the service learns from."""
    services, intent = runtime.services, learning.checked(body.intent)
    async with services.database.read() as session:
        row = await session.get(Suggestion, suggestion_id)
    if row is None:
        raise Problem(404, "No such suggestion", f"There is no suggestion {suggestion_id}.")
    facts: Mapping[str, Any] = {}
    if row.conversation_id is not None:
        facts = await services.customer_facts((await services.transcript.get(row.conversation_id)).customer_id)
    now = services.clock()
    async with services.database.write() as session:
        if row.conversation_id is not None:
            await session.get_one(Conversation, row.conversation_id, with_for_update=True)
        row = await session.get_one(Suggestion, suggestion_id)
        row.verdict, row.final_text, row.author = body.verdict, body.final_text, staff.email
        row.decided_at = now
        await learning.of_suggestion(session, services, row, intent, staff.email, now, facts)
    return {"id": suggestion_id, "verdict": body.verdict}
