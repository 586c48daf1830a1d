"""Value added tax on what Larkspur Cloud bills: the rule that fits a customer, and a total split into net and tax."""

from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

import yaml

RULES = Path(__file__).with_name("document_templates") / "vat.yaml"


class VatRule(NamedTuple):
    """How a customer is charged."""

    rate: int
    """Basis points: 1900 is 19 %."""
    note: str


def rule_for(country: str, vat_number: str) -> VatRule:
    """The first rule that fits a customer of this country, with or without a VAT number."""
    for rule in _rules():
        here = "in" not in rule or country in rule["in"]
        if here and (not rule.get("vat_number") or vat_number):
            return VatRule(rule["rate"], rule["note"])
    raise LookupError(f"{RULES.name} has no rule for {country}")


def split(gross_minor: int, rate: int) -> tuple[int, int]:
    """(net, tax) of a total that includes tax at `rate` basis points; the net is rounded half up."""
    net = (2 * gross_minor * 10_000 + 10_000 + rate) // (2 * (10_000 + rate))
    return net, gross_minor - net


@lru_cache(maxsize=1)
def _rules() -> list[dict[str, Any]]:
    return yaml.safe_load(RULES.read_text(encoding="utf-8"))["rules"]
