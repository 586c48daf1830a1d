"""Where the demo plays: in HOME itself where that is free, so that the service and the audit find what it left.

HOME is free where nobody has written to it, or only an earlier demo. Anything else in it is left alone, and the demo
takes a home of its own below its output folder.
"""

import json
import shutil
import sqlite3
from pathlib import Path

from app.settings import Settings
from records.clock import system_clock

MARK = "demo.json"
STATE = ("handrail.db", "sandbox.db", "checkpoints.db", "chroma")
CACHES = ("artefacts", "embeddings.db")
"""By content hash: they change no result, so a home of its own takes them over from HOME and gives them back."""


def home_for(settings: Settings, out: Path) -> Path:
    """A home without any state, made ready."""
    out.mkdir(parents=True, exist_ok=True)
    if _left_by_demo(settings.home) or _unused(settings.home):
        _clear(settings.home)
        return settings.home
    home = out / "home"
    shutil.rmtree(home, ignore_errors=True)
    home.mkdir(parents=True)
    _copy(settings.home, home)
    return home


def leave(home: Path, settings: Settings, out: Path, conversations: int) -> None:
    """Note that the demo was here, with how many conversations it left."""
    if home == settings.home:
        (home / MARK).write_text(json.dumps({"conversations": conversations}), encoding="utf-8")
    else:
        _copy(home, settings.home)


def _left_by_demo(home: Path) -> bool:
    return (home / MARK).exists()


def _unused(home: Path) -> bool:
    return not (home / "chroma").exists() and _conversations(home) == 0


def _conversations(home: Path) -> int:
    path = home / "handrail.db"
    if not path.exists():
        return 0
    try:
        with sqlite3.connect(f"file:{path}?mode=ro", uri=True) as connection:
            return int(connection.execute("SELECT count(*) FROM conversations").fetchone()[0])
    except sqlite3.Error:
        return 1  # not ours to clear


def _clear(home: Path) -> None:
    """Take the earlier demo's state away; what somebody added to it since is put aside, not deleted."""
    mark = home / MARK
    known = json.loads(mark.read_text(encoding="utf-8"))["conversations"] if mark.exists() else 0
    aside = home / f"earlier-{system_clock():%Y%m%d-%H%M%S}" if _conversations(home) > known else None
    for path in [found for name in STATE for found in home.glob(f"{name}*")]:
        if aside is not None:
            aside.mkdir(exist_ok=True)
            path.rename(aside / path.name)
        elif path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink()
    mark.unlink(missing_ok=True)


def _copy(source: Path, target: Path) -> None:
    for name in CACHES:
        if (source / name).is_dir():
            shutil.copytree(source / name, target / name, dirs_exist_ok=True)
        elif (source / name).exists():
            shutil.copyfile(source / name, target / name)
