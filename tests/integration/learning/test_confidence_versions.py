"""The gate's confidence: fitted anew, compared with what serves, promoted by a person, taken back by one command."""

import json
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from served import Served

from agents.confidence.model import NAMES, Bounds, ConfidenceModel, Features
from agents.confidence.money import Bound, CostModel, Stakes
from app.settings import Settings
from evals.calibration import candidate, own
from evals.calibration.gate_model import Fitted
from evals.calibration.proposals import Proposal

SURE = Features(0.99, 0.98, 0.01, 0.0, 1.0, 0.0, 0.0, 0.0, 0.0, 0.0)
FIGURES = {
    "auroc": 0.7,
    "calibration_error": 0.01,
    "calibration_error_by_chance": 0.01,
    "promise": {"rate": 0.05, "certainty": 0.9, "unknown_share": 0.05, "rate_of": {}},
    "splits": {"splits": 200, "exceeded": 0.0},
    "kept": True,
}


def constant(log_odds: float, least: float | None = 0.5) -> ConfidenceModel:
    """A model that is always equally sure."""
    return ConfidenceModel(log_odds, dict.fromkeys(NAMES, 0.0), Bounds(Bound(least, "all"), {}))


def proposal(number: int, right: bool) -> Proposal:
    return Proposal(
        f"T-{number}", f"T-{number}", "refund_request", "billing.refund", SURE, right, False, Stakes("access", "access")
    )


def fitted(model: ConfidenceModel, said: list[tuple[Proposal, float]], **figures: Any) -> Fitted:
    return Fitted(model, {**FIGURES, **figures}, [], said)


def costs() -> CostModel:
    return CostModel.load(Settings(home=Path("unused")).costs)


def test_what_moves_is_told_with_whether_it_is_better() -> None:
    said = [(proposal(1, True), 0.9994), (proposal(2, False), 0.6), (proposal(3, True), 0.6)]
    figures = candidate.compared(fitted(constant(6.0), said), constant(7.0), costs())
    assert (figures["before"]["alone"], figures["before"]["alone_wrong"]) == (3, 1)
    assert (figures["after"]["alone"], figures["after"]["alone_wrong"]) == (1, 0)
    assert [(one["ticket"], one["better"]) for one in figures["moved"]] == [("T-2", True), ("T-3", False)]
    assert figures["objections"] == []
    page = "\n".join(candidate.report_lines({**figures, "id": "mdl_1", "champion": "as set", "tickets": 3}))
    assert "Better (1)" in page and "T-2: billing.refund, wrong" in page


@pytest.mark.parametrize(
    ("said", "kept", "least", "objection"),
    [
        ([(proposal(1, False), 0.9999)], True, 0.5, "wrong actions done alone: 1, were 0"),
        ([(proposal(1, True), 0.9999)], False, 0.5, "more than 5% wrong"),
        ([(proposal(1, True), 0.5)], True, None, "it foretells worse"),
    ],
)
def test_what_speaks_against_a_candidate_is_said(
    said: list[tuple[Proposal, float]], kept: bool, least: float | None, objection: str
) -> None:
    figures = candidate.compared(fitted(constant(7.0, least), said, kept=kept), constant(3.0, None), costs())
    assert any(objection in line for line in figures["objections"]), figures["objections"]
    assert figures["advice"] == "look closely before promoting"


async def test_a_promoted_model_is_what_the_gate_asks_until_it_is_rolled_back(
    start_service: Callable[..., Awaitable[Served]], whole_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    service = await start_service(home=whole_home)
    assert service.runtime is not None
    runtime, lead = service.runtime, service.staff("lead")

    async def careful(*_: Any) -> Fitted:
        return fitted(constant(1.0, None), [(proposal(1, True), 0.7), (proposal(2, False), 0.7)])

    monkeypatch.setattr(own, "fit_played", careful)
    made = await candidate.propose(runtime.settings, [], "ann@example.com", 0)
    assert "nothing would be done alone any more" in made.figures["objections"]
    before = runtime.services.gate.confidence.id
    place = f"/v1/models/{made.version.id}/promote"
    assert (await service.staff("rep").post(place)).status_code == 403
    told = (await lead.post(place)).json()
    assert told == {"id": made.version.id, "kind": "confidence", "state": "champion", "serving": made.version.id}
    assert runtime.services.gate.confidence.id == made.version.id

    customer = service.customer("cus_008")
    await customer.say("please add 3 seats")
    answer = await customer.say("yes")
    assert answer["disposition"] == "escalated", answer
    decisions = (await service.record(customer.conversation_id))["decisions"]
    models = {check["figures"]["model"] for d in decisions for check in d["checks"] if check["check"] == "confidence"}
    assert models == {made.version.id}

    assert (await lead.post("/v1/models/roll-back", params={"kind": "confidence"})).json()["serving"] == "shipped"
    assert runtime.services.gate.confidence.id == before
    events = (await lead.get("/v1/audit/service")).json()["events"]
    assert [(e["payload"]["action"], e["payload"]["kind"]) for e in events] == [
        ("propose", "confidence"),
        ("promote", "confidence"),
        ("roll_back", "confidence"),
    ]
    listed = (await lead.get("/v1/models")).json()
    assert (listed["serving"], listed["serving_confidence"]) == ("shipped", "shipped")
    assert json.dumps(listed["items"][0]["content"]) == json.dumps(constant(1.0, None).as_json())
