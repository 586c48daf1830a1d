"""Documents that a customer may ask for, and copies of all their data.

A document is written when it is asked for and kept with the request: the same idempotency key gives the same file.
"""

import asyncio
import hashlib
from dataclasses import replace
from datetime import timedelta
from typing import Any

from tools.errors import NoSuchRecord
from tools.sandbox.backend import Account, SandboxBackend
from tools.sandbox.bills import Bills, BillsOf, sandbox_bills
from tools.sandbox.document_values import document_values
from tools.sandbox.pdf import render_document
from tools.sandbox.tables import Document, Export, IssuedDocument, MessageSent
from tools.sandbox.wiring import NoArguments, account_resource, effect_tool, read_tool
from tools.tool import Arguments, Resource, Result, Tool
from tools.values import DocumentId, DocumentKind, EmailAddress, ExportId, IsoTime, Link, Sha256

EXPORT_TAKES = timedelta(hours=2)
SEND = "documents.send_compliance_document"
BILLED = frozenset({"tax_statement", "invoice_archive"})
"""Kinds of documents that tell what was billed."""


class DocumentSeen(Result):
    """A document that can be sent."""

    kind: DocumentKind
    title: str


class Documents(Result):
    """The documents for this customer's plan."""

    documents: list[DocumentSeen]


class WhichDocument(Arguments):
    """Names a document by its kind."""

    kind: DocumentKind


class ExportRequested(Result):
    """A copy of all data that is being prepared."""

    export_id: ExportId
    ready_at: IsoTime
    sent_to: EmailAddress


class DocumentSent(Result):
    """A document that was sent to the address on record; `link` is for the customer alone."""

    document_id: DocumentId
    title: str
    sent_to: EmailAddress
    link: Link
    sha256: Sha256
    fingerprint: str
    """The beginning of the hash, in groups that people can compare."""


def documents_tools(backend: SandboxBackend) -> list[Tool]:
    """Reads and deliveries of documents."""
    return [
        read_tool(
            backend,
            "documents.list_available",
            Documents,
            _list_available,
            summary="The compliance and account documents that can be sent to this customer.",
            status="Looking at your documents",
        ),
        effect_tool(
            backend,
            "documents.request_export",
            ExportRequested,
            _request_export,
            resource=_contact_resource,
            summary="Prepare a copy of all the customer's data; the link goes to the address on record.",
            status="Requesting the export",
            kind="compliance",
            offer="prepare a copy of all your data and send the link to {{resource.attributes.contact_email}}",
            sends=True,
            fixed_loss_minor=10_000,
        ),
        effect_tool(
            backend,
            SEND,
            DocumentSent,
            _send_document,
            arguments=WhichDocument,
            resource=_document_resource,
            steering=frozenset({"kind"}),
            summary="Send a document (security, data processing, tax, access log, invoices) to the address on record.",
            status="Sending the document",
            kind="compliance",
            offer='send the document "{{resource.attributes.title}}" to your address on record',
            consent=False,
            sends=True,
            fixed_loss_minor=300,
        ),
    ]


def billed_elsewhere(backend: SandboxBackend, tool: Tool, bills_of: BillsOf) -> Tool:
    """`SEND` with what another system has billed. That is asked before the sandbox's transaction begins."""

    async def call(customer_id: str, given: Any, key: str) -> Result:
        bills = await bills_of(customer_id) if given.kind in BILLED else None

        async def act(account: Account) -> tuple[MessageSent, DocumentSent]:
            return await _send_document(account, given, bills)

        return await backend.act(SEND, customer_id, key, given.model_dump(mode="json"), act, DocumentSent)

    return replace(tool, call=call)


async def _contact_resource(account: Account, arguments: NoArguments) -> Resource:
    resource = await account_resource(account, arguments)
    customer = await account.customer()
    return Resource(
        resource.type, resource.id, resource.owner, {**resource.attributes, "contact_email": customer.contact_email}
    )


async def _document_resource(account: Account, arguments: WhichDocument) -> Resource | None:
    document = await _document(account, arguments.kind)
    if document is None:
        return None
    return Resource("Document", document.id, document.customer_id, {"kind": document.kind, "title": document.title})


async def _document(account: Account, kind: str) -> Document | None:
    return next((document for document in await account.all(Document) if document.kind == kind), None)


async def _list_available(account: Account, _arguments: Any) -> Documents:
    return Documents(
        documents=[DocumentSeen(kind=document.kind, title=document.title) for document in await account.all(Document)]
    )


async def _request_export(account: Account, _arguments: Any) -> tuple[Export, ExportRequested]:
    customer = await account.customer()
    export = Export(
        id=account.new_id("exp"),
        customer_id=customer.id,
        created_at=account.now,
        ready_at=account.now + EXPORT_TAKES,
        sent_to=customer.contact_email,
    )
    return export, ExportRequested(
        export_id=export.id, ready_at=export.ready_at.isoformat(timespec="seconds"), sent_to=export.sent_to
    )


async def _send_document(
    account: Account, arguments: WhichDocument, bills: Bills | None = None
) -> tuple[MessageSent, DocumentSent]:
    """Write a document and send it; without `bills` what the sandbox has billed stands in it."""
    customer = await account.customer()
    document = await _document(account, arguments.kind)
    if document is None:
        raise NoSuchRecord(f"there is no document of the kind {arguments.kind} for this customer")
    values = await document_values(account, bills or await sandbox_bills(account))
    content = await asyncio.to_thread(render_document, document.kind, values)
    issued = IssuedDocument(
        id=account.new_id("doc"),
        customer_id=customer.id,
        kind=document.kind,
        title=document.title,
        issued_at=account.now,
        content=content,
        sha256=hashlib.sha256(content).hexdigest(),
    )
    account.session.add(issued)
    message = MessageSent(
        id=account.new_id("msg"),
        customer_id=customer.id,
        created_at=account.now,
        kind="compliance_document",
        sent_to=customer.contact_email,
        about=document.id,
        link=f"/v1/documents/{issued.id}",
    )
    return message, DocumentSent(
        document_id=issued.id,
        title=issued.title,
        sent_to=message.sent_to,
        link=message.link,
        sha256=issued.sha256,
        fingerprint=_fingerprint(issued.sha256),
    )


def _fingerprint(sha256: str) -> str:
    return " ".join(sha256[begin : begin + 4] for begin in range(0, 12, 4))
