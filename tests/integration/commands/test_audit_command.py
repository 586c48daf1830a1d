"""`handrail audit verify`: its exit code is the answer."""

import json
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest
from served import Served

HANDRAIL = Path(sys.executable).parent / "handrail"


def verify(home: Path) -> tuple[int, dict[str, object]]:
    done = subprocess.run(
        [HANDRAIL, "audit", "verify", "--json"],
        env={"HANDRAIL_HOME": str(home), "PATH": ""},
        capture_output=True,
        text=True,
        check=False,
    )
    return done.returncode, json.loads(done.stdout)


async def test_it_ends_with_1_and_names_the_row_that_somebody_changed(service: Served, home: Path) -> None:
    customer = service.customer("cus_001")
    await customer.say("you took 29 euros twice this month")
    await customer.say("yes please")
    code, report = verify(home)
    assert (code, report["ok"], report["problems"]) == (0, True, [])
    with sqlite3.connect(home / "handrail.db") as database:
        row, number = database.execute("SELECT id, number FROM audit_events WHERE kind = 'effect'").fetchone()
        with pytest.raises(sqlite3.IntegrityError, match="append-only"):
            database.execute("UPDATE audit_events SET kind = 'nothing' WHERE id = ?", (row,))
        database.execute("DROP TRIGGER audit_events_no_update")
        database.execute("UPDATE audit_events SET payload = '{}' WHERE id = ?", (row,))
    database.close()
    code, report = verify(home)
    assert (code, report["ok"]) == (1, False)
    assert f"row {row} (conversation {customer.conversation_id}, event {number}): its content was changed" in str(
        report["problems"]
    )
