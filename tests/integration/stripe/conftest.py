"""A Stripe stand-in in a process of its own, and in it two customers of the sandbox company."""

import importlib.util
import os
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator, Sequence
from pathlib import Path

import pytest
from stripe_world import StripeWorld

from evals.stripe_world import PROGRAM


@pytest.fixture(scope="session")
def local_stripe() -> Iterator[int]:
    """The port of a running localstripe."""
    if importlib.util.find_spec("localstripe") is None:
        pytest.skip("localstripe is not installed")
    command = [sys.executable, str(PROGRAM)]
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, env={**os.environ, "TZ": "UTC"}
    )
    try:
        assert process.stdout is not None
        yield int(process.stdout.readline())
    finally:
        process.terminate()
        process.wait(timeout=10)


@pytest.fixture
def customers() -> Sequence[str]:
    """Who is at Stripe as in the sandbox: cus_001 (who paid an invoice twice) and cus_002."""
    return "cus_001", "cus_002"


@pytest.fixture
async def stripe_world(local_stripe: int, tmp_path: Path, customers: Sequence[str]) -> AsyncIterator[StripeWorld]:
    """An account of its own with these customers."""
    async with StripeWorld.opened(local_stripe, tmp_path / "sandbox.db", *customers) as world:
        yield world


@pytest.fixture(scope="session")
def ledger_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The SQLite file that all ledgers of these tests are copies of."""
    return tmp_path_factory.mktemp("ledger-template") / "handrail.db"
