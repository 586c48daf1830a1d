"""What the service may learn: names of intents, corrections, and the versions that people decide on."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends
from pydantic import BaseModel, ConfigDict, Field

from app import learning
from app.api.callers import Service, staff_with
from app.api.problems import Problem
from app.identity import Staff
from app.runtime import Runtime
from records import audit
from records import learning as records
from records.conversation import Conversation
from records.learning import Kind, ModelVersion, NotPossible

router = APIRouter(prefix="/v1", tags=["learning"])

Representative = Annotated[Staff, Depends(staff_with("rep", "lead", "approver"))]
Lead = Annotated[Staff, Depends(staff_with("lead"))]
Reader = Annotated[Staff, Depends(staff_with("lead", "auditor"))]


class Correction(BaseModel):
    """What a conversation was really about."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"intent": "tax_exemption"}]})
    intent: str = Field(description="An intent of `GET /v1/intents`, or a new name in small letters with underscores.")


@router.get("/intents")
async def read_intents(runtime: Service, staff: Representative) -> dict[str, Any]:
    """The intents that have a name here, and who serves them: a procedure, people, people as learnt, nobody yet."""
    known = await learning.known_intents(runtime.services.database, runtime.champion.base)
    library = runtime.services.library
    items = []
    for name, served in sorted(known.items()):
        procedure = library.for_intent(name)
        title = procedure.title if procedure else name.replace("_", " ").capitalize()
        if name not in library.topics.small_talk:
            items.append({"intent": name, "title": title, "served_by": served})
    return {"items": items}


@router.post("/conversations/{conversation_id}/correction", status_code=201)
async def correct(conversation_id: str, body: Correction, runtime: Service, staff: Representative) -> dict[str, Any]:
    """Say what the latest matter of a conversation was about. It overrules what was gathered before."""
    intent, services = learning.checked(body.intent) or "", runtime.services
    facts = await services.customer_facts((await services.transcript.get(conversation_id)).customer_id)
    now = services.clock()
    async with services.database.write() as session:
        conversation = await session.get_one(Conversation, conversation_id, with_for_update=True)
        if not await learning.of_correction(session, services, conversation, intent, staff.email, now, facts):
            raise Problem(409, "Nothing to learn from", "The customer never said what it is about.")
        event = {"intent": intent, "by": staff.email, "episode": conversation.episode_id or ""}
        audit.append(session, conversation, [("correction", event)], now)
    return {"conversation_id": conversation_id, "intent": intent}


@router.get("/models")
async def read_versions(runtime: Service, staff: Reader) -> dict[str, Any]:
    """The versions of triage and of the confidence, newest first, and which ones serve."""
    async with runtime.services.database.read() as session:
        rows = await records.versions_in(session)
    serving = records.serving_of(rows)
    return {
        "serving": serving[records.TRIAGE],
        "serving_confidence": serving[records.CONFIDENCE],
        "items": [row.model_dump(mode="json") for row in rows],
    }


@router.post("/models/{version_id}/promote")
async def promote(version_id: str, runtime: Service, staff: Lead) -> dict[str, Any]:
    """Make a proposed version the one that serves. Every process takes it up within seconds."""
    now = runtime.services.clock()
    try:
        async with runtime.services.database.write() as session:
            row = await records.promote(session, version_id, staff.email, now, runtime.bases)
    except LookupError:
        raise Problem(404, "No such version", f"There is no version {version_id}.") from None
    except NotPossible as error:
        raise Problem(409, "It cannot be promoted", f"{error}.") from None
    return await _taken_up(runtime, row)


@router.post("/models/roll-back")
async def roll_back(runtime: Service, staff: Lead, kind: Kind = "triage") -> dict[str, Any]:
    """Let the version before the one that serves serve again."""
    now = runtime.services.clock()
    try:
        async with runtime.services.database.write() as session:
            row, _ = await records.roll_back(session, staff.email, now, kind)
    except NotPossible as error:
        raise Problem(409, "It cannot be rolled back", f"{error}.") from None
    return await _taken_up(runtime, row)


async def _taken_up(runtime: Runtime, row: ModelVersion) -> dict[str, Any]:
    serving = runtime.champion if row.kind == records.TRIAGE else runtime.confidence
    await serving.refresh()
    return {"id": row.id, "kind": row.kind, "state": row.state, "serving": serving.name}
