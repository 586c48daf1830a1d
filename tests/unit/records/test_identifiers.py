"""Identifiers."""

from records.identifiers import new_id


def test_an_identifier_says_what_it_names_and_sorts_by_time() -> None:
    made = [new_id("conv") for _ in range(1000)]
    assert all(identifier.startswith("conv_") and len(identifier) == 37 for identifier in made)
    assert len(set(made)) == 1000
    assert made == sorted(made)
