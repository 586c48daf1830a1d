"""What does not work at the moment, or did not in the last month."""

from datetime import timedelta
from typing import Any, Literal

from sqlmodel import col, select

from tools.sandbox.backend import Account, SandboxBackend
from tools.sandbox.tables import Incident, IncidentImpact
from tools.sandbox.wiring import read_tool
from tools.tool import IdentityLevel, Result, Tool
from tools.values import IncidentId, IsoTime

SHOWN_FOR = timedelta(days=30)


class IncidentSeen(Result):
    """One incident as the status page tells it."""

    id: IncidentId
    title: str
    component: str
    status: Literal["investigating", "identified", "monitoring", "resolved"]
    started_at: IsoTime
    ended_at: IsoTime | None
    update: str


class Incidents(Result):
    """Incidents that touch this customer, newest first."""

    incidents: list[IncidentSeen]


def status_tools(backend: SandboxBackend) -> list[Tool]:
    """Reads of the status page."""
    return [
        read_tool(
            backend,
            "status.list_incidents",
            Incidents,
            _incidents,
            summary="Current and recent incidents that touch this customer.",
            status="Checking for incidents",
            level=IdentityLevel.CLAIMED,
        )
    ]


async def _incidents(account: Account, _arguments: Any) -> Incidents:
    query = (
        select(Incident)
        .join(IncidentImpact, col(IncidentImpact.incident_id) == col(Incident.id))
        .where(
            col(IncidentImpact.customer_id) == account.customer_id,
            (col(Incident.ended_at).is_(None)) | (col(Incident.ended_at) > account.now - SHOWN_FOR),
        )
        .order_by(col(Incident.started_at).desc())
    )
    return Incidents(
        incidents=[
            IncidentSeen.model_validate(
                {
                    "id": incident.id,
                    "title": incident.title,
                    "component": incident.component,
                    "status": incident.status,
                    "started_at": incident.started_at.isoformat(),
                    "ended_at": incident.ended_at.isoformat() if incident.ended_at else None,
                    "update": incident.update,
                }
            )
            for incident in await account.session.scalars(query)
        ]
    )
