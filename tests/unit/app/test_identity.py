"""Tokens: who they name, and which are not ours."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.identity import STAFF_ROLES, Customer, NotIdentified, Staff, customer_token, identify, staff_token
from tools.tool import IdentityLevel

KEY = "a key for tests that is longer than thirty-two characters"
names = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=40)


@given(names, st.sampled_from(IdentityLevel))
def test_a_customer_is_who_their_token_says_at_that_level(name: str, level: IdentityLevel) -> None:
    assert identify(KEY, customer_token(KEY, name, level)) == Customer(name, level)


@given(names, st.sampled_from(STAFF_ROLES))
def test_staff_are_who_their_token_says_in_that_role(email: str, role: str) -> None:
    assert identify(KEY, staff_token(KEY, email, role)) == Staff(email, role)  # type: ignore[arg-type]


@given(st.text(max_size=200))
def test_no_other_text_is_a_token(text: str) -> None:
    with pytest.raises(NotIdentified):
        identify(KEY, text)


@given(st.integers(0, 10_000), st.characters(categories=["L", "N"], max_codepoint=127))
def test_a_token_with_any_letter_changed_is_none(position: int, letter: str) -> None:
    token = customer_token(KEY, "cus_001", IdentityLevel.VERIFIED)
    position %= len(token)
    changed = token[:position] + letter + token[position + 1 :]
    last_of_its_part = position + 1 == len(token) or token[position + 1] == "."
    if changed == token or last_of_its_part:  # the last letter of a part holds bits that mean nothing
        return
    with pytest.raises(NotIdentified):
        identify(KEY, changed)


def test_a_token_of_yesterday_says_that_it_has_expired() -> None:
    with pytest.raises(NotIdentified, match="expired"):
        identify(KEY, customer_token(KEY, "cus_001", IdentityLevel.VERIFIED, hours=-1))
