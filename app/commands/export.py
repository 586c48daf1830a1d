"""One conversation's evidence as a document."""

from typing import Any

from sqlmodel import col, select

from app.settings import Settings
from records.audit import AuditEvent


async def evidence(settings: Settings, conversation_id: str) -> dict[str, Any]:
    """The whole record with its audit chain. Raises `UnknownConversation`."""
    from app.api.conversations import conversation_record
    from app.runtime import Shared, running

    nothing_to_classify = Shared(None, None, None)
    async with running(settings, background=False, shared=nothing_to_classify) as runtime:
        conversation = await runtime.services.transcript.get(conversation_id)
        record = await conversation_record(runtime, conversation, whole=True)
        async with runtime.services.database.read() as session:
            rows = await session.scalars(
                select(AuditEvent).where(AuditEvent.conversation_id == conversation_id).order_by(col(AuditEvent.number))
            )
            return {**record, "audit": [row.model_dump(mode="json") for row in rows]}
