"""Money as text."""

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from records.money import Money

DIGITS = {"EUR": 2, "USD": 2, "GBP": 2, "JPY": 0, "BHD": 3}


@pytest.mark.parametrize(
    ("minor", "currency", "text"),
    [
        (2900, "EUR", "29.00 EUR"),
        (5, "USD", "0.05 USD"),
        (-520, "USD", "-5.20 USD"),
        (900, "JPY", "900 JPY"),
        (1234, "BHD", "1.234 BHD"),
        (123456789, "EUR", "1,234,567.89 EUR"),
        (0, "EUR", "0.00 EUR"),
    ],
)
def test_an_amount_reads_as_people_write_it_in_the_units_of_its_currency(minor: int, currency: str, text: str) -> None:
    assert str(Money(minor, currency)) == text


@given(st.integers(), st.sampled_from(sorted(DIGITS)))
def test_no_cent_is_lost_or_added_however_large_the_amount(minor: int, currency: str) -> None:
    number, written = str(Money(minor, currency)).rsplit(" ", 1)
    assert written == currency
    assert Fraction(number.replace(",", "")) * 10 ** DIGITS[currency] == minor
