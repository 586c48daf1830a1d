"""Documents that were written for a customer: theirs to download, and for staff who audit."""

import re
from typing import Annotated

from fastapi import APIRouter, Path, Response
from sqlmodel import col, select

from app.api.callers import Caller, Service
from app.api.problems import Problem
from app.identity import Customer, Staff
from app.runtime import Runtime
from records.effect import EffectRecord
from tools.errors import BackendUnavailable
from tools.sandbox.tables import IssuedDocument
from tools.tool import IdentityLevel

router = APIRouter(prefix="/v1/documents", tags=["documents"])

READERS = ("auditor", "admin")
SENT_BY = "documents.send_compliance_document"


@router.get(
    "/{document_id}",
    response_class=Response,
    responses={
        200: {"content": {"application/pdf": {}}, "description": "The PDF."},
        404: {"content": {"application/problem+json": {}}, "description": "No such document that the caller may see."},
    },
)
async def download_document(
    document_id: Annotated[str, Path(max_length=64, examples=["doc_4f1c9b2a70"])], runtime: Service, caller: Caller
) -> Response:
    """The document as a PDF, for its verified customer and for staff who audit, whose reading is noted."""
    try:
        document = await runtime.sandbox.issued_document(document_id)
    except BackendUnavailable:
        raise Problem(503, "The documents cannot be read at the moment", "Please try again in a minute.") from None
    if document is None or not _may_read(caller, document):
        raise Problem(404, "No such document", f"There is no document {document_id} that you may see.")
    if isinstance(caller, Staff):
        await _note(runtime, document, caller)
    headers = {
        "Content-Disposition": f'attachment; filename="{_file_name(document)}"',
        "ETag": f'"{document.sha256}"',
        "Cache-Control": "private, no-store",
    }
    return Response(document.content, media_type="application/pdf", headers=headers)


def _may_read(caller: Customer | Staff, document: IssuedDocument) -> bool:
    if isinstance(caller, Staff):
        return caller.role in READERS
    return caller.id == document.customer_id and caller.level.rank >= IdentityLevel.VERIFIED.rank


def _file_name(document: IssuedDocument) -> str:
    return f"{re.sub(r'[^a-z0-9]+', '-', document.title.lower()).strip('-')}-{document.issued_at:%Y-%m-%d}.pdf"


async def _note(runtime: Runtime, document: IssuedDocument, reader: Staff) -> None:
    """Write into the audit chain of the conversation that the document came from who has read it."""
    ours = (EffectRecord.customer_id == document.customer_id, EffectRecord.tool == SENT_BY)
    async with runtime.services.database.read() as session:
        effects = await session.scalars(select(EffectRecord).where(*ours).order_by(col(EffectRecord.id)))
        found = next((e for e in effects if (e.result or {}).get("document_id") == document.id), None)
    if found is None:
        return
    event = {"document": document.id, "sha256": document.sha256, "reader": reader.email, "role": reader.role}
    await runtime.services.transcript.record(found.conversation_id, [], [("document_read", event)])
