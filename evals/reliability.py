"""pass^k: how likely a ticket goes right k times in a row (Yao et al., tau-bench, 2024)."""

from collections import defaultdict
from math import comb
from typing import Any

from evals.intervals import ratio_interval
from evals.results import Results


def pass_k(results: Results, seed: int) -> dict[str, Any]:
    """For k = 1 to the number of repeats: the mean over tickets of C(c, k) / C(n, k), c of n repeats right.

    That is the unbiased estimate from n repeats. The interval is drawn by group.
    """
    runs: dict[str, list[bool]] = defaultdict(list)
    groups: dict[str, str] = {}
    for ticket, _, verdict in results:
        runs[ticket.id].append(verdict.correct)
        groups[ticket.id] = ticket.group or ticket.id
    figures: dict[str, Any] = {}
    for k in range(1, max(map(len, runs.values()), default=0) + 1):
        enough = {name: right for name, right in runs.items() if len(right) >= k}
        shares = [comb(sum(right), k) / comb(len(right), k) for right in enough.values()]
        figures[str(k)] = {
            "tickets": len(shares),
            "share": round(sum(shares) / len(shares), 4),
            "interval": ratio_interval(shares, [1.0] * len(shares), [groups[name] for name in enough], seed),
        }
    return figures
