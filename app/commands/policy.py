"""`handrail policy`: check the policies, and see what they come to."""

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from app.commands.output import BadInput, Json, emit

if TYPE_CHECKING:
    from tools.policy_coverage import Permission, PolicyReport, ToolPermissions

commands = typer.Typer(no_args_is_help=True)


@commands.callback()
def policy() -> None:
    """Policies: what the agent may do, for whom."""


@commands.command()
def check(
    policies: Annotated[
        Path | None, typer.Option("--policies", help="Folder of policies and their schema. Default: those in use.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Check the policies: what may each identity level do with each tool, and is there a permit that nobody reaches?"""
    from app.settings import POLICIES, Settings
    from tools.mcp_connector.policies import additions_from
    from tools.policy import NO_ADDITIONS, PolicyError
    from tools.policy_coverage import examine

    folder = policies or POLICIES
    if not folder.is_dir():
        raise BadInput(f"--policies: {folder} is no folder: name one with *.cedar files and a schema.cedarschema")
    try:
        report = examine(folder, NO_ADDITIONS if policies else additions_from(Settings.read().mcp_config))
    except PolicyError as error:
        raise BadInput(" ".join(str(error).split())) from error
    emit(_document(folder, report), as_json, "" if as_json else _text(report))
    raise typer.Exit(0 if report.ok else 1)


def _document(folder: Path, report: "PolicyReport") -> dict[str, Any]:
    found = asdict(report)
    return {
        "ok": report.ok,
        "folder": str(folder),
        **found,
        "tools": [
            {"tool": tool.tool, "levels": {str(level): asdict(p) for level, p in tool.levels.items()}}
            | {"forbids": tool.forbids}
            for tool in report.tools
        ],
    }


def _text(report: "PolicyReport") -> str:
    """The table, then what must be mended."""
    from rich import box
    from rich.table import Table

    from app.commands.tables import rendered
    from tools.tool import IdentityLevel

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column("tool", no_wrap=True)
    for level in IdentityLevel:
        table.add_column(level.replace("_", " "), min_width=9)
    table.add_column("decided by", overflow="fold")
    for tool in report.tools:
        table.add_row(tool.tool, *(_cell(tool.levels[level]) for level in IdentityLevel), _deciding(tool))
    lines = [rendered(table)]
    for problem in [*report.problems, *report.unreachable, *report.undecided]:
        lines.append(f"{problem.file}:{problem.line}: {problem.policy}: {problem.says}")
    found = len(report.problems) + len(report.unreachable)
    lines.append(f"{report.policies} policies, {len(report.tools)} tools: {found or 'nothing'} to mend")
    return "\n".join(lines)


def _cell(permission: "Permission") -> str:
    if permission.may == "allowed" and permission.with_approval:
        return "allowed /\nneeds approval"
    return permission.may


def _deciding(tool: "ToolPermissions") -> str:
    """The policies by level; levels with the same ones stand together."""
    by: dict[str, list[str]] = {}
    for level, permission in tool.levels.items():
        if permission.may != "never":
            by.setdefault(_policies(permission), []).append(level.replace("_", " "))
    denied = {policy for p in tool.levels.values() if p.may == "never" for policy in p.policies}
    lines = [policies if len(by) == 1 else f"{', '.join(levels)}: {policies}" for policies, levels in by.items()]
    return "\n".join(lines) or ", ".join(sorted(denied))


def _policies(permission: "Permission") -> str:
    """The permits with their limits: "refund up to 50.00; with approval: refund-with-approval"."""

    def named(policy: str) -> str:
        limit = permission.limits.get(policy)
        return policy if limit is None else f"{policy} up to {limit // 100}.{limit % 100:02d}"

    parts = [",\n".join(map(named, permission.policies))] if permission.policies else []
    if permission.with_approval:
        parts.append("with approval: " + ",\n".join(map(named, permission.with_approval)))
    return "\n".join(parts)
