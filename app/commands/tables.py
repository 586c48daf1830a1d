"""Rich tables as text, so that every command prints through one door."""

import shutil
from io import StringIO

from rich.console import Console
from rich.table import Table


def rendered(table: Table) -> str:
    """The table as wide as the terminal, or wide enough to read where there is none."""
    width = shutil.get_terminal_size((160, 24)).columns
    out = StringIO()
    Console(file=out, width=max(width, 80)).print(table)
    return "\n".join(line.rstrip() for line in out.getvalue().splitlines())
