"""Logs: JSON lines on stderr without secrets, and no chatter of the libraries."""

import json
import subprocess
import sys
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.logs import without_secrets


def masked(**event: Any) -> dict[str, Any]:
    """An event as it is logged."""
    return dict(without_secrets(None, "info", dict(event)))


@pytest.mark.parametrize(
    "name", ["token", "access_token", "secret_key", "password", "Authorization", "api_key", "apikey", "reset_code"]
)
def test_what_is_secret_by_its_name_is_masked(name: str) -> None:
    assert masked(**{name: "whatever"}) == {name: "***"}


@pytest.mark.parametrize(
    "text",
    [
        "Bearer abc.def-ghi",
        "sk-proj-1234567890",
        "4242 4242 4242 4242",
        "4242424242424242",
        "4242-4242-4242-4242",
        "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJjdXMifQ.c2lnbmF0dXJl",
    ],
)
def test_what_is_secret_by_its_look_is_masked_within_a_text(text: str) -> None:
    assert masked(event=f"it said {text}, then ended") == {"event": "it said ***, then ended"}


@given(st.dictionaries(st.sampled_from(["event", "turn", "count"]), st.integers(0, 10**9) | st.booleans() | st.none()))
def test_what_is_not_secret_stays_as_it_is(event: dict[str, Any]) -> None:
    assert masked(**event) == event


def test_a_process_with_logs_set_up_prints_its_own_lines_as_json_and_nothing_of_the_libraries() -> None:
    program = (
        "import logging, structlog\n"
        "from app.logs import configure\n"
        "configure()\n"
        "from agents.knowledge.words import WordIndex\n"
        "WordIndex(['rotate the key', 'pay the invoice']).scores('key')\n"
        "logging.getLogger('bm25s').warning('this one matters')\n"
        "structlog.get_logger().info('started', token='abc', port=1)\n"
    )
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    warning, ours = ended.stderr.splitlines()
    assert warning == "WARNING bm25s this one matters"
    line = json.loads(ours)
    assert (line["event"], line["token"], line["port"], line["level"]) == ("started", "***", 1, "info")
    assert ended.stdout == ""
