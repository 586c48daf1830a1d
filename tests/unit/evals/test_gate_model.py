"""The gate's model and bounds, fitted on made-up proposals whose truth is known."""

from dataclasses import replace

import numpy as np
import pytest

from agents.confidence.model import NAMES, ConfidenceModel, Features, UnusableConfidence
from agents.confidence.money import Bound, Stakes
from evals.calibration import gate_model
from evals.calibration.bounds import Promise
from evals.calibration.calibrate import CannotCalibrate
from evals.calibration.gate_model import PRIOR, Fitted
from evals.calibration.proposals import Proposal
from evals.calibration.risk import choose_threshold

PROMISE = Promise(rate=0.05, certainty=0.9, unknown_share=0.1)
STAKES = Stakes("money", "billing")
COPY = Stakes("information", "billing")
SURE = Features(0.99, 0.98, 0.01, 0.0, 1.0, 0.0, 0.0, 0.0, 0.0, 0.0)


def fit_gate(proposals: list[Proposal], promise: Promise, seed: int = 0) -> Fitted:
    """With one cross-validation, which is enough here."""
    return gate_model.fit_gate(proposals, promise, seed, repeats=1)


def proposal(number: int, p: float, right: bool, *, intent: str = "refund", unknown: bool = False) -> Proposal:
    features = Features(p, 2 * p - 1, 1 - p, 0.0, 1.0, 0.0, 0.0, 0.0, 0.0, 0.0)
    return Proposal(f"T-{number}", f"G-{number}", intent, "billing.refund", features, right, unknown, STAKES)


def ordinary(count: int = 200, intent: str = "refund") -> list[Proposal]:
    """Known matters: right as often as the classifier says."""
    rng = np.random.default_rng(7)
    chances = rng.uniform(0.9, 0.999, count)
    return [proposal(n, p, bool(rng.random() < p), intent=intent) for n, p in enumerate(chances)]


def foreign(count: int = 40) -> list[Proposal]:
    """Unknown matters: mostly wrong, and less sure."""
    return [proposal(10_000 + n, 0.6, n % 4 == 0, unknown=True) for n in range(count)]


def test_what_is_surer_of_its_intent_is_likelier_right() -> None:
    fitted = fit_gate([*ordinary(), *foreign()], PROMISE)
    assert fitted.figures["auroc"] > 0.8
    assert fitted.figures["calibration_error"] < 0.06
    low = fitted.model.p_correct(Features(0.5, 0.0, 0.5, 0.0, 1.0, 0.0, 0.0, 0.0, 0.0, 0.0))
    assert low < 0.8 < fitted.model.p_correct(SURE)


def test_no_weight_changes_the_sign_that_its_feature_means() -> None:
    # Doubtful ones were all right, sure ones wrong: a fit without limits would learn to distrust a clear wish.
    odd = [proposal(n, 0.7, True) for n in range(60)] + [proposal(100 + n, 0.99, n > 10) for n in range(60)]
    weights = fit_gate(odd, PROMISE).model.weights
    assert all(weights[name] * PRIOR[name] >= 0 for name in NAMES)


def test_what_the_tickets_never_show_keeps_its_prior_meaning() -> None:
    model = fit_gate([*ordinary(), *foreign()], PROMISE).model
    failing = Features(0.99, 0.98, 0.01, 0.0, 1.0, 0.0, 3.0, 2.0, 0.0, 2.0)
    assert model.p_correct(failing) < model.p_correct(SURE) - 0.02


def test_the_promise_is_kept_over_random_splits() -> None:
    figures = fit_gate([*ordinary(400), *foreign()], PROMISE).figures
    assert figures["kept"]
    assert figures["splits"]["exceeded"] <= 0.1
    assert figures["splits"]["acting"] > 0.5


def test_a_matter_that_goes_wrong_too_often_is_not_done_alone_and_few_tickets_borrow_the_bound_of_all() -> None:
    bad = [proposal(500 + n, 0.97, n % 2 == 0, intent="exports") for n in range(30)]
    rare = [proposal(600 + n, 0.99, True, intent="rare") for n in range(3)]
    model = fit_gate([*ordinary(300), *bad, *rare], Promise(0.1, 0.9, 0.0)).model
    assert model.bound("exports", "money") == Bound(None, "intent", 30, 15)
    assert model.bound("rare", "money") == model.bounds.overall
    assert model.bound(None, "money") == model.bounds.overall
    assert model.bounds.overall.p_correct is not None


def test_a_kind_with_a_rate_of_its_own_is_bounded_on_its_own_proposals_alone() -> None:
    copies = [replace(proposal(500 + n, 0.97, n % 10 != 0, intent="copies"), stakes=COPY) for n in range(150)]
    refunds = ordinary(300)
    strict = fit_gate([*refunds, *copies], Promise(0.05, 0.9, 0.0)).model
    assert strict.bound("copies", "information").p_correct is None  # one in ten is wrong
    fitted = fit_gate([*refunds, *copies], Promise(0.05, 0.9, 0.0, {"information": 0.2}))
    copy, refund = fitted.model.bound("copies", "information"), fitted.model.bound("refund", "money")
    assert (copy.p_correct is not None, copy.tickets, copy.wrong) == (True, 150, 15)
    assert refund == fitted.model.bounds.of("refund") != copy
    assert "copies" not in fitted.model.bounds.by_intent  # and says nothing of other kinds of effect
    assert fitted.model.bound("copies", "money") == fitted.model.bounds.overall
    assert fitted.figures["of_kinds"]["information"]["kept"]


def test_a_kind_with_a_rate_of_its_own_and_no_tickets_is_not_done_alone() -> None:
    model = fit_gate(ordinary(300), Promise(0.05, 0.9, 0.0, {"information": 0.2})).model
    assert model.bound("copies", "information") == Bound(None, "all", 0, 0)
    assert model.bound("refund", "money").p_correct is not None


def test_no_draw_of_unknown_matters_decides_which_matter_is_distrusted() -> None:
    alike = [proposal(500 + n, 0.97, True, intent="exports") for n in range(12)]
    mistaken = [proposal(700 + n, 0.9, False, intent="exports", unknown=True) for n in range(5)]
    others = [proposal(800 + n, 0.9, False, intent="refund", unknown=True) for n in range(60)]
    for seed in range(4):  # one of them draws two of the five, as if one action in seven was wrong
        bounds = fit_gate([*ordinary(120), *alike, *mistaken, *others], PROMISE, seed).model.bounds.by_intent
        assert bounds.get("exports") is None, seed


def test_without_a_mistake_there_is_nothing_to_learn_from() -> None:
    with pytest.raises(CannotCalibrate, match="0 of them wrong"):
        fit_gate([proposal(n, 0.99, True) for n in range(50)], PROMISE)


def test_the_file_comes_back_as_it_was_written(tmp_path) -> None:
    fitted = fit_gate([*ordinary(), *foreign()], PROMISE)
    name = fitted.model.save(tmp_path / "confidence.json", fitted.figures)
    loaded = ConfidenceModel.load(tmp_path)
    assert (loaded.id, loaded.weights, loaded.bounds) == (name, fitted.model.weights, fitted.model.bounds)
    assert loaded.p_correct(SURE) == fitted.model.p_correct(SURE)


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ("", "is no model of `eval calibrate`"),
        ('{"format": "other", "version": 1}', "is other version 1"),
        ('{"format": "handrail-gate-confidence", "version": 1, "model": {"weights": {"luck": 1}}}', "luck"),
    ],
)
def test_a_file_that_holds_no_model_is_refused(tmp_path, content: str, says: str) -> None:
    path = tmp_path / "confidence.json"
    path.write_text(content, encoding="utf-8")
    with pytest.raises(UnusableConfidence, match=says):
        ConfidenceModel.load(path)


def test_one_seed_gives_one_model() -> None:
    proposals = [*ordinary(), *foreign()]
    assert fit_gate(proposals, PROMISE, 3).model == fit_gate(proposals, PROMISE, 3).model


def test_what_is_agreed_to_and_changes_something_is_told_from_what_is_only_sent() -> None:
    # Copies are wrong where refunds that somebody agreed to are right, at one and the same clearness.
    agreed = {"agreed": 1.0, "changes": 1.0}
    refunds = [proposal(n, 0.97, n % 60 != 0) for n in range(180)]
    refunds = [replace(one, features=replace(one.features, **agreed)) for one in refunds]
    copies = [replace(proposal(500 + n, 0.97, n % 6 != 0, intent="copies"), stakes=COPY) for n in range(120)]
    model = fit_gate([*refunds, *copies], PROMISE).model
    assert model.p_correct(replace(SURE, **agreed)) > model.p_correct(SURE) + 0.05


def test_a_model_that_did_not_know_a_sign_yet_gives_it_no_weight(tmp_path) -> None:
    fitted = fit_gate([*ordinary(), *foreign()], PROMISE).model
    older = replace(
        fitted, weights={name: w for name, w in fitted.weights.items() if name not in ("agreed", "changes")}
    )
    older.save(tmp_path / "confidence.json", {})
    loaded = ConfidenceModel.load(tmp_path)
    assert loaded.p_correct(replace(SURE, agreed=1.0)) == loaded.p_correct(SURE) == fitted.p_correct(SURE)


def test_few_good_tickets_of_a_matter_leave_it_the_bound_over_all() -> None:
    spotless = [proposal(500 + n, 0.95 + n / 2000, True, intent="exports") for n in range(70)]
    bounds = fit_gate([*ordinary(400), *spotless], Promise(0.05, 0.9, 0.0)).model.bounds
    own = bounds.by_intent.get("exports")
    assert bounds.overall.p_correct is not None
    assert own is None or (own.p_correct is not None and own.p_correct < bounds.overall.p_correct)


def test_shares_count_for_so_much_of_a_ticket_and_are_rounded_to_the_side_of_caution() -> None:
    p = np.full(60, 0.9)
    right = np.array([n >= 10 for n in range(60)])
    shares = np.where(right, 1.0, 0.14)  # ten wrong ones of an unknown matter weigh 1.4, so two
    chosen = choose_threshold(p, right, 0.15, 0.1, shares=shares)
    assert (chosen.p_correct, chosen.accepted, chosen.wrong) == (0.9, 51, 2)
    assert choose_threshold(p, right, 0.15, 0.1).p_correct is None
