"""A Stripe stand-in in a process of its own, and in it two customers of the sandbox company."""

import importlib.util
import os
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import httpx
import pytest
from stripe_world import StripeWorld


@pytest.fixture(scope="session")
def local_stripe() -> Iterator[int]:
    """The port of a running localstripe."""
    if importlib.util.find_spec("localstripe") is None:
        pytest.skip("localstripe is not installed")
    command = [sys.executable, str(Path(__file__).with_name("local_stripe.py"))]
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
async def stripe_world(local_stripe: int, tmp_path: Path) -> AsyncIterator[StripeWorld]:
    """Customers cus_001 (who paid an invoice twice) and cus_002 at Stripe as in the sandbox."""
    async with httpx.AsyncClient() as http:
        (await http.delete(f"http://127.0.0.1:{local_stripe}/_config/data")).raise_for_status()
    async with StripeWorld.opened(local_stripe, tmp_path / "sandbox.db", "cus_001", "cus_002") as world:
        yield world
