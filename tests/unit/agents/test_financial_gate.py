"""The financial gate's sum, and the cost file that it is made from."""

from pathlib import Path

import pytest
import yaml

from agents.confidence.money import Bound, CostModel, Stakes, weigh, weigh_again
from app.settings import PROMPTS
from tools.placed_yaml import UnusableFile

SHIPPED = PROMPTS / "costs.yaml"
OFTEN_RIGHT = Bound(0.9, "all", 100, 2)


def costs(**changes: object) -> CostModel:
    content = yaml.safe_load(SHIPPED.read_text(encoding="utf-8"))
    return CostModel.model_validate({**content, **changes})


def refund(**changes: object) -> Stakes:
    values = {"kind": "money", "queue": "billing", "amount_minor": 10_000, "currency": "EUR", "value_minor": 1_000_000}
    return Stakes(**{**values, **changes})  # type: ignore[arg-type]


def test_the_sum_is_amount_mistake_trust_and_leaving_against_person_and_wait() -> None:
    made = weigh(costs(), 0.95, OFTEN_RIGHT, refund(churn_risk=20.0))
    assert made.loss_terms == {"amount": 10_000, "mistake": 300, "trust": 20, "leaving": 400}
    assert made.person_terms == {"person": 640, "wait": 120, "leaving": 80}
    assert made.expected_loss == pytest.approx(0.05 * 10_720)
    assert made.act_alone
    assert made.break_even == pytest.approx(1 - 840 / 10_720)


def test_what_can_be_undone_counts_for_a_share_of_its_amount() -> None:
    assert weigh(costs(), 0.95, OFTEN_RIGHT, refund(reversible=True)).loss_terms["amount"] == 1_000


def test_one_more_cent_of_expected_loss_than_a_person_costs_is_too_much() -> None:
    stakes = refund(amount_minor=0, fixed_loss_minor=7_600 - 320, queue="billing")
    exact = weigh(costs(), 0.9, OFTEN_RIGHT, stakes)
    assert exact.loss == 7_600
    assert exact.expected_loss == pytest.approx(760)
    assert weigh(costs(), 0.9001, OFTEN_RIGHT, stakes).worth_it
    assert not weigh(costs(), 0.8999, Bound(0.5, "all"), stakes).worth_it


def test_below_its_bound_nothing_is_done_alone_however_cheap() -> None:
    cheap = Stakes("information", "general")
    assert weigh(costs(), 0.91, OFTEN_RIGHT, cheap).act_alone
    assert not weigh(costs(), 0.89, OFTEN_RIGHT, cheap).act_alone
    assert not weigh(costs(), 0.9999, Bound(None, "intent", 40, 9), cheap).act_alone


def test_the_owner_may_ask_for_more_than_calibration_does_and_never_gets_less() -> None:
    strict = weigh(costs(minimum_probability=0.97), 0.95, OFTEN_RIGHT, refund(amount_minor=0))
    assert (strict.bound.p_correct, strict.bound.source) == (0.97, "owner")
    assert not strict.act_alone
    lax = weigh(costs(minimum_probability=0.1), 0.85, OFTEN_RIGHT, refund(amount_minor=0))
    assert (lax.bound.p_correct, lax.bound.source) == (0.9, "all")


def test_another_currency_is_converted_and_an_unknown_one_is_never_worth_it() -> None:
    dollars = weigh(costs(exchange={"USD": 0.5}), 0.99, OFTEN_RIGHT, refund(currency="USD"))
    assert dollars.loss_terms["amount"] == 5_000
    unknown = weigh(costs(exchange={}), 0.9995, OFTEN_RIGHT, refund(currency="USD"))
    assert not unknown.worth_it
    assert "no rate for USD" in unknown.in_words


def test_a_queue_that_the_file_does_not_name_costs_what_the_general_one_does() -> None:
    made = weigh(costs(), 0.95, OFTEN_RIGHT, refund(queue="made_up"))
    assert made.person_terms["person"] == 640


def test_the_sum_is_told_in_words_with_every_part() -> None:
    said = weigh(costs(), 0.95, OFTEN_RIGHT, refund(churn_risk=20.0)).in_words
    assert "the amount 100.00 + the mistake 3.00 + the customer's trust 0.20" in said
    assert "= 107.20 EUR; at 5.00% that is 5.36 EUR" in said


def test_a_recorded_sum_is_made_again_under_other_costs() -> None:
    made = weigh(costs(), 0.95, OFTEN_RIGHT, refund(churn_risk=20.0))
    figures = made.as_json()
    assert weigh_again(costs(), figures) == made
    cheap = weigh_again(costs(person={"general": 100}, minimum_probability=0.99), figures)
    assert (cheap.worth_it, cheap.bound.p_correct, cheap.calibrated.p_correct) == (False, 0.99, 0.9)


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("  money: 300", "  money: -1", ": loss: money: a cost cannot be less than zero"),
        ("  money: 300\n", "", ": loss: money: missing: say what a mistake of each kind costs"),
        ("  general: 640", "  usual: 640", ": person: general: missing"),
        ("reversible_share: 0.1", "reversible_share: 1.5", ": reversible_share: "),
        ("reversible_share: 0.1", "reversible_shares: 0.1", ": reversible_share: it is missing: add it"),
        ("currency: EUR", "currency: euro", ": currency: it must match"),
        ("  billing: 640", "  billing: 6.40", ": person.billing: "),
        ("information: 0.15", "information: 1.5", ": risk.wrong_action_rate_of: information: 1.5: it must lie between"),
        ("information: 0.6 ", "information: 6 ", ": minimum_probability_of: information: 6.0: it must lie between"),
        ("information: 0.15", "secrets: 0.15", ": risk.wrong_action_rate_of"),
    ],
)
def test_a_wrong_field_of_the_file_is_named_with_its_line(tmp_path: Path, old: str, new: str, says: str) -> None:
    path = tmp_path / "costs.yaml"
    path.write_text(SHIPPED.read_text(encoding="utf-8").replace(old, new, 1), encoding="utf-8")
    with pytest.raises(UnusableFile) as caught:
        CostModel.load(path)
    assert str(caught.value).startswith(f"{path}:")
    assert says in str(caught.value)


def test_what_goes_to_the_address_on_record_and_changes_nothing_has_a_minimum_of_its_own() -> None:
    bound = Bound(0.5, "all")
    copy = weigh(costs(), 0.7, bound, Stakes("information", "billing"))
    refund = weigh(costs(), 0.7, bound, Stakes("money", "billing"))
    assert (copy.sure_enough, copy.bound.p_correct) == (True, 0.6)
    assert (refund.sure_enough, refund.bound.p_correct) == (False, 0.85)
