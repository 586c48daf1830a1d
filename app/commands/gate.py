"""`handrail gate`: the sums that the financial gate made, and what they would be under other costs."""

import asyncio
from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any

import typer

from app.commands.output import Json, emit
from app.settings import Settings

if TYPE_CHECKING:
    from records.decision import DecisionRecord

commands = typer.Typer(no_args_is_help=True)


@commands.command()
def explain(
    conversation: Annotated[str, typer.Argument(help="A conversation's id: conv_...")],
    as_json: Json = False,
) -> None:
    """Do the gate's sums of one conversation again: each action that was weighed, why it went alone or did not."""
    from app.commands.decisions import of_conversation

    rows = asyncio.run(of_conversation(Settings.read(), conversation))
    sums = [_sum(row) for row in rows if weighed(row)]
    others = [row for row in rows if row.kind == "routing" or (row.check and not weighed(row))]
    document = {
        "conversation_id": conversation,
        "sums": sums,
        "not_weighed": [{"decision": r.id, "verdict": r.verdict, "check": r.check, "reason": r.reason} for r in others],
    }
    emit(document, as_json, "" if as_json else _text(sums, others))


def weighed(decision: "DecisionRecord | Mapping[str, Any]") -> dict[str, Any] | None:
    """The figures of the financial gate, where a decision came that far."""
    checks = decision["checks"] if isinstance(decision, Mapping) else decision.checks
    figures = next((check.get("figures") for check in checks if check["check"] == "confidence"), None)
    return figures if figures and "loss_terms" in figures else None


def _sum(row: "DecisionRecord") -> dict[str, Any]:
    figures = weighed(row) or {}
    alone = next(check["ruling"] for check in row.checks if check["check"] == "confidence") == "permitted"
    return {
        "decision": row.id,
        "at": row.at.isoformat(),
        "tool": row.proposal.get("tool"),
        "arguments": row.proposal.get("arguments", {}),
        "verdict": row.verdict,
        "alone": alone,
        **{name: value for name, value in figures.items() if name != "features"},
    }


def _text(sums: list[dict[str, Any]], others: "list[DecisionRecord]") -> str:
    from app.commands.explanation import VERDICTS, proposed
    from app.commands.values import words

    lines: list[str] = []
    for one in sums:
        lines += [*_lines(one), ""]
    if not sums:
        lines.append("No action was weighed in this conversation.")
    for row in others:
        verdict = VERDICTS.get(row.verdict, words(row.verdict))
        why = row.reason or words(row.check)
        lines.append(f"Not weighed, {row.id}: {proposed(row)}: {verdict}" + (f" ({why})" if why else ""))
    return "\n".join(lines).rstrip()


def _lines(one: Mapping[str, Any]) -> list[str]:
    from agents.confidence.money import TERMS
    from app.commands.explanation import VERDICTS
    from app.commands.values import aligned, money, words

    currency = one["house_currency"]

    def added(terms: Mapping[str, float], total: float) -> list[tuple[str, str]]:
        parts = [(f"  {TERMS.get(name, words(name))}", money(value, currency)) for name, value in terms.items()]
        return [*parts, ("  together", money(total, currency))]

    rows = [
        ("A mistake would cost", ""),
        *added(one["loss_terms"], one["loss"]),
        ("Leaving it to people would cost", ""),
        *added(one["person_terms"], one["cost_of_person"]),
        ("Probability that it is right", f"{one['p_correct']:.2%}"),
        ("Asked for at least", _bound(one)),
        ("Expected loss", f"{1 - one['p_correct']:.2%} of {money(one['loss'], currency)} = "
         f"{money(one['expected_loss'], currency)}"),
        ("Worth it from", f"{one['break_even']:.2%} on"),
    ]  # fmt: skip
    verdict = VERDICTS.get(one["verdict"], words(one["verdict"]))
    arguments = ", ".join(f"{words(name)} {value}" for name, value in one["arguments"].items())
    return [
        f"{one['decision']}: {one['tool']} ({arguments})",
        *aligned(rows),
        f"  So: {'it may be done alone' if one['alone'] else 'a person decides'}; the whole verdict: {verdict}.",
    ]


def _bound(one: Mapping[str, Any]) -> str:
    source = {
        "intent": "calibrated on recorded tickets of this matter",
        "all": "calibrated on recorded tickets of all matters",
        "owner": "set in the cost file",
    }[one["bound_from"]]
    least = one["minimum_probability"]
    return f"nothing is done alone ({source})" if least is None else f"{least:.2%} ({source})"
