"""`ottla demo`: exit code 0 only if every step was asserted, and nothing is left behind."""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest

from agent.lab import processes

pytestmark = pytest.mark.e2e
ROOT = Path(__file__).parent.parent.parent


def test_the_demo_shows_the_whole_story_and_leaves_nothing() -> None:
    """Under three minutes; no process, mount or folder of it afterwards."""
    folder = Path(tempfile.mkdtemp(prefix="test-of-ottla-demo-"))
    folder.chmod(0o755)
    began = time.monotonic()

    shown = subprocess.run(
        [sys.executable, "-m", "agent", "demo", "--state", str(folder / "lab")],
        capture_output=True,
        text=True,
        cwd=ROOT,
        timeout=300,
        check=False,
    )

    assert shown.returncode == 0, shown.stdout + shown.stderr
    assert time.monotonic() - began < 180
    assert "✗" not in shown.stdout
    assert shown.stdout.count("✓") >= 9, shown.stdout
    assert processes.find_below(folder) == []
    assert str(folder) not in Path("/proc/mounts").read_text()
    assert list(folder.iterdir()) == []
    folder.rmdir()
