"""Two runs side by side."""

from pathlib import Path
from typing import Any

import pytest
from played import result, ticket

from evals.comparison import compare, comparison_lines, mcnemar, regressed
from evals.report import write_comparison
from evals.summary import summarise


def run(**ends: str) -> dict[str, Any]:
    return summarise([result(ticket(name), *end.split()) for name, end in ends.items()], 1.0)


def test_names_what_got_better_worse_and_otherwise(tmp_path: Path) -> None:
    a = run(a="resolved", b="escalated", c="escalated", d="resolved", e="resolved")
    b = run(a="escalated", b="resolved", c="awaiting_customer", d="resolved", f="resolved")
    found = compare(a, b)
    assert [change["id"] for change in found["worse"]] == ["a"]
    assert [change["id"] for change in found["better"]] == ["b"]
    assert [change["id"] for change in found["otherwise"]] == ["c"]
    assert (found["same"], found["only_in_a"], found["only_in_b"]) == (1, ["e"], ["f"])
    assert regressed(found) == []
    assert any("worse: a: refund_request resolved" in line for line in comparison_lines(found))
    write_comparison(found, tmp_path / "c.html", "A and <B>")
    page = (tmp_path / "c.html").read_text()
    assert "A and &lt;B&gt;" in page and "exact McNemar" in page


def test_many_losses_are_no_chance() -> None:
    names = [f"t{n}" for n in range(8)]
    found = compare(run(**dict.fromkeys(names, "resolved")), run(**dict.fromkeys(names, "escalated")))
    assert found["mcnemar"]["p"] == pytest.approx(2 * 0.5**8, abs=1e-6)
    assert "8 tickets got worse and 0 better" in regressed(found)[0]


@pytest.mark.parametrize(("gained", "lost", "p"), [(0, 0, 1.0), (5, 5, 1.0), (0, 6, 0.03125), (1, 9, 0.021484)])
def test_mcnemar_is_the_exact_binomial(gained: int, lost: int, p: float) -> None:
    assert mcnemar(gained, lost) == pytest.approx(p, abs=1e-5)
    assert mcnemar(lost, gained) == mcnemar(gained, lost)


def test_repeats_of_a_ticket_count_once_in_the_test() -> None:
    def repeated(end: str) -> dict[str, Any]:
        return summarise([result(ticket("a"), end, repeat=n) for n in range(10)], 1.0)

    found = compare(repeated("resolved"), repeated("escalated"))
    assert len(found["worse"]) == 10
    assert found["mcnemar"] == {"better": 0, "worse": 1, "p": 1.0}
