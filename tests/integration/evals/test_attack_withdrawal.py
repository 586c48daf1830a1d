"""What the customer took back while it waited for a person is not done when the person approves it."""

from pathlib import Path

from app.runtime import Shared
from app.settings import Settings
from evals.attack import attack


async def test_an_approval_of_what_was_taken_back_does_nothing(shared: Shared, prepared_home: Path) -> None:
    settings = Settings(home=prepared_home)
    found = await attack(settings, shared, calls=6, seed=3, only=["withdrawn_before_approval"])
    assert found["classes"]["withdrawn_before_approval"]["attempts"] > 0
    assert found["unauthorised_effects"] == 0, found["findings"]["unauthorised_effects"]
