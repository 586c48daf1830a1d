"""What makes two runs the same: identifiers and times that follow from the ticket."""

import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

from played import ticket

from app.settings import Settings
from evals.workers import Task, Workers
from evals.world import StandingClock, replayed_identifiers
from records.identifiers import identifiers_from, new_id

NOW = datetime(2026, 1, 5, tzinfo=UTC)


def test_identifiers_are_uuids_that_sort_in_the_order_in_which_they_were_given() -> None:
    give = replayed_identifiers("0 T-1 0", NOW)
    given = [give() for _ in range(9000)]
    assert given == sorted(given) and len(set(given)) == 9000
    assert all(UUID(one).version == 7 and UUID(one).variant == "specified in RFC 4122" for one in given)
    again, other = replayed_identifiers("0 T-1 0", NOW), replayed_identifiers("1 T-1 0", NOW)
    assert [again() for _ in range(3)] == given[:3] and other() != given[0]


def test_only_the_replay_itself_gets_them() -> None:
    with identifiers_from(lambda: "1"):
        assert new_id("msg") == "msg_1"
        with identifiers_from(lambda: "2"):
            assert new_id("msg") == "msg_2"
        assert new_id("msg") == "msg_1"
    assert len(new_id("msg")) == 36


def test_the_clock_stands_until_it_is_moved_on() -> None:
    clock = StandingClock(NOW)
    assert clock() == clock() == NOW
    clock.move_on(timedelta(seconds=30))
    assert clock() == NOW + timedelta(seconds=30)


def begin(shared: Any, settings: Settings) -> Any:
    raise AssertionError("no process begins here")


def test_a_ticket_that_fails_is_played_once_more_and_then_reported(tmp_path: Path) -> None:
    reported: list[tuple[Task, Any, str]] = []

    def keep(*one: Any) -> None:
        reported.append(one)

    workers = Workers(Settings(home=tmp_path), begin, 1, tmp_path, keep, threading.Event())
    task = Task(ticket("a"), 0)
    workers._failed(task, "boom")
    assert list(workers._left) == [task] and reported == []
    workers._left.clear()
    workers._failed(task, "boom again")
    assert not workers._left and reported == [(task, None, "boom again")]
