"""The house: one direction of import, and a command line that loads nothing heavy before it must."""

import subprocess
import sys

import pytest

from app.settings import ROOT

HEAVY = (
    "alembic aiosqlite bm25s bs4 cedarpy cel chromadb fastapi httpx jinja2 langchain_core langchain_openai langgraph "
    "matplotlib numpy onnxruntime openai pandas psycopg pypdf scipy sklearn sqlalchemy sqlmodel tokenizers uvicorn"
)


def test_the_arrows_of_import_point_one_way() -> None:
    program = "from importlinter.cli import lint_imports; raise SystemExit(lint_imports(no_cache=True))"
    ended = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stdout


@pytest.mark.parametrize(
    "arguments", [["--help"], ["eval", "--help"], ["nonsense"], ["token", "--customer", "cus_001"]]
)
def test_the_command_line_answers_without_loading_anything_heavy(arguments: list[str]) -> None:
    program = (
        "import sys\n"
        "from app.cli import main\n"
        f"sys.argv = ['handrail', *{arguments!r}]\n"
        "try:\n"
        "    main()\n"
        "except SystemExit as ended:\n"
        f"    loaded = sorted(set({HEAVY.split()!r}) & set(sys.modules))\n"
        "    print('loaded:', loaded, 'code:', ended.code)\n"
    )
    environment = {"PATH": "/usr/bin", "HANDRAIL_SECRET_KEY": "k" * 40}
    ended = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True, env=environment
    )
    code = 2 if arguments == ["nonsense"] else 0
    assert ended.stdout.splitlines()[-1] == f"loaded: [] code: {code}"
