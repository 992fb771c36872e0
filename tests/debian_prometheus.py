"""The real prometheus and promtool, which tests compare with, as tools/prometheus finds or fetches them."""

from __future__ import annotations

import subprocess
from functools import cache
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parent.parent / "tools" / "prometheus"


@cache
def find() -> tuple[Path | None, str]:
    """The folder of both programs, else None and why not."""
    done = subprocess.run([SCRIPT], capture_output=True, text=True, check=False)
    if done.returncode:
        return None, (done.stderr.strip().splitlines() or ["tools/prometheus failed"])[-1]
    return Path(done.stdout.strip()), ""


def program(name: str) -> str:
    """The path of `prometheus` or `promtool`; the test is skipped where it cannot be had."""
    folder, why = find()
    if folder is None:
        pytest.skip(why)
    return str(folder / name)
