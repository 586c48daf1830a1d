"""The `handrail` command within the tests' process: what it prints, where, and how it ends."""

import json
import os
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from served import KEY

from app.cli import main


@dataclass(frozen=True)
class Ended:
    """How a command ended."""

    code: int
    out: str
    err: str

    @property
    def document(self) -> Any:
        """What `--json` printed: one document and nothing else."""
        decoder = json.JSONDecoder(parse_constant=lambda name: pytest.fail(f"{name} is no JSON"))
        found, end = decoder.raw_decode(self.out)
        assert self.out[end:].strip() == ""
        assert self.err.strip() == ""
        return found

    def refused(self, *words: str) -> None:
        """Exit code 2, nothing on stdout, and one line on stderr with these words in it."""
        assert (self.code, self.out) == (2, ""), (self.code, self.out, self.err)
        (line,) = self.err.strip().splitlines()
        assert line.startswith("handrail: ")
        for word in words:
            assert word in line, line


@pytest.fixture
def handrail(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> Callable[..., Ended]:
    """Runs a command in a fresh folder, with a home of its own unless `HOME` is given."""

    def run(*arguments: object, **settings: object) -> Ended:
        whole = {"HOME": tmp_path / "home", "SECRET_KEY": KEY, **settings}
        for name, value in whole.items():
            monkeypatch.setenv(f"HANDRAIL_{name}", str(value))
        monkeypatch.chdir(tmp_path)
        monkeypatch.setattr(sys, "argv", ["handrail", *map(os.fspath, map(_text, arguments))])
        capfd.readouterr()
        with pytest.raises(SystemExit) as ended:
            main()
        out, err = capfd.readouterr()
        for name in whole:
            monkeypatch.delenv(f"HANDRAIL_{name}")
        return Ended(int(ended.value.code or 0), out, err)

    return run


def _text(argument: object) -> Any:
    return argument if isinstance(argument, str | Path) else str(argument)
