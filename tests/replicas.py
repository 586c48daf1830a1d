"""Services in processes of their own, which can be killed and started again. See `integration/crash/launcher.py`."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
from served import Served

LAUNCHER = Path(__file__).parent / "integration" / "crash" / "launcher.py"
START_SECONDS = 60.0


class Launcher:
    """The process that forks services."""

    def __init__(self, prepared: Path, bytecode: Path) -> None:
        """`prepared`: a home with a fitted classifier. `bytecode`: where compiled modules are kept."""
        environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith(("HANDRAIL_", "OPENAI_"))},
            "PYTHONPYCACHEPREFIX": os.environ.get("PYTHONPYCACHEPREFIX", str(bytecode)),
            "OMP_NUM_THREADS": "1",
            "OPENBLAS_NUM_THREADS": "1",  # a fork takes no threads along
        }
        environment.pop("PYTHONDONTWRITEBYTECODE", None)
        self._process = subprocess.Popen(
            [sys.executable, str(LAUNCHER), str(prepared)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=environment,
        )
        self._answer()

    def order(self, **order: Any) -> dict[str, Any]:
        """Send an order and return the answer."""
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(order) + "\n")
        self._process.stdin.flush()
        return self._answer()

    def close(self) -> None:
        """End the process."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait(timeout=10)

    def _answer(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        return json.loads(self._process.stdout.readline())


def free_port() -> int:
    """A port on which nobody listens."""
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        return bound.getsockname()[1]


@dataclass
class Replica:
    """One service process."""

    launcher: Launcher
    settings: dict[str, Any]
    lease: float | None = None
    pid: int = 0
    served: Served = field(init=False)

    def __post_init__(self) -> None:
        self.served = Served(f"http://127.0.0.1:{self.settings['port']}", self.settings["secret_key"])

    @property
    def home(self) -> Path:
        """Where it keeps its files."""
        return Path(self.settings["home"])

    def start(self, **die: Any) -> "Replica":
        """Start the process; with `step`, `when`, `count` and `signal` one that will kill itself there."""
        self.pid = self.launcher.order(start={"settings": self.settings, "lease": self.lease, "die": die})["pid"]
        return self

    def ready(self) -> "Replica":
        """Wait until it answers."""
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline:
            try:
                if httpx.get(f"{self.served.url}/readyz", timeout=5).status_code == 200:
                    return self
            except httpx.TransportError:
                time.sleep(0.02)
        raise TimeoutError(f"the service in {self.settings['home']} did not start: see log.txt there")

    def kill(self) -> None:
        """`kill -9`, and wait until the process is gone."""
        self.send(signal.SIGKILL)
        self.died()

    def send(self, number: int) -> None:
        """Send the process a signal."""
        os.kill(self.pid, number)

    def died(self) -> int | None:
        """Wait for the end of the process: the signal that ended it, or None where it goes on."""
        pid, self.pid = self.pid, 0
        return self.launcher.order(**{"await": pid})["signal"]

    def stopped(self) -> int | None:
        """Wait until the process stands still: the signal that stopped it."""
        return self.launcher.order(**{"await": self.pid})["signal"]
