"""An agent in a process of its own, of which something hangs."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, cast
from urllib.request import urlopen

WAIT_S = 60.0
# The promise is for two cores of their own, where it is asserted (OTTLA_QUIET=1); others may use them here.
PROMISE_S = 5
BOUND_S = PROMISE_S * (1 if os.environ.get("OTTLA_QUIET") == "1" else 3)


@contextmanager
def running(folder: Path, config: str, alerts: str, **environ: str) -> Iterator[subprocess.Popen[str]]:
    """An agent with these rules, and what it says on stderr; `folder`/state is its state."""
    (folder / "rules").mkdir()
    (folder / "data").mkdir()
    (folder / "rules" / "alerts.yml").write_text(alerts)
    file = folder / "ottla.yml"
    file.write_text(config)
    command = [sys.executable, "-m", "agent", "run", "--config", str(file)]
    with (
        (folder / "said").open("w") as said,
        subprocess.Popen(command, stderr=said, text=True, env=os.environ | environ) as agent,
    ):
        try:
            yield agent
        finally:
            agent.kill()


def until(what: str, holds: Callable[[], object], seconds: float = WAIT_S) -> None:
    """Wait for a condition."""
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end, f"waited {seconds:g} s for: {what}"
        time.sleep(0.1)


def serves(folder: Path) -> bool:
    """Whether its address is known."""
    return (folder / "state" / "http.address").exists()


def firing(folder: Path) -> set[str]:
    """What fires; nothing before it serves."""
    if not serves(folder):
        return set()
    alerts = asked(folder, "alerts")["data"]["alerts"]
    return {each["labels"]["alertname"] for each in alerts if each["state"] == "firing"}


def asked(folder: Path, what: str) -> dict[str, Any]:
    """What the agent answers."""
    return cast(dict[str, Any], json.loads(answered(folder, f"/api/v1/{what}")))


def answered(folder: Path, path: str) -> str:
    """As it is."""
    address = (folder / "state" / "http.address").read_text().strip().removeprefix("http://")
    with urlopen(f"http://{address}{path}", timeout=WAIT_S) as answer:
        return cast(str, answer.read().decode())
