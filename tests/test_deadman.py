"""The deadman on the real kernel: coordination.md section 4, rule 4."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time

import pytest

from agent import deadman
from agent.model import Boot

ARMS = "from agent.deadman import Deadman, now; import time, sys\ndisarm = Deadman().arm(now() + {ms})\n"
TIME_UP = 20.0  # a loaded machine schedules late; the kernel's timer itself is exact


def child(script: str) -> subprocess.Popen[str]:
    """A process that runs it."""
    return subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True)


def test_a_stopped_process_is_killed_in_time() -> None:
    """It could act again when somebody continues it."""
    process = child(ARMS.format(ms=1_000) + "print('armed', flush=True); time.sleep(600)")
    assert process.stdout is not None
    assert process.stdout.readline() == "armed\n"
    process.send_signal(signal.SIGSTOP)
    began = time.monotonic()

    assert process.wait(TIME_UP) == -signal.SIGKILL
    assert time.monotonic() - began < TIME_UP
    process.stdout.close()


def test_an_instant_that_has_passed_kills_at_once() -> None:
    """The process slept between reading the clock and arming."""
    process = child(ARMS.format(ms=-1_000) + "time.sleep(600)")

    assert process.wait(TIME_UP) == -signal.SIGKILL
    assert process.stdout is not None
    process.stdout.close()


def test_a_disarmed_process_lives() -> None:
    """Ten times as long as it was given, and through several timers at once."""
    script = ARMS.format(ms=100) + "second = Deadman().arm(now() + 100); disarm(); second(); time.sleep(1)"
    process = child(script + "; print('alive')")

    assert process.communicate(timeout=TIME_UP)[0] == "alive\n"
    assert process.returncode == 0


@pytest.mark.skipif(
    shutil.which("unshare") is None or os.geteuid() != 0, reason="a PID namespace needs unshare and root"
)
def test_process_1_of_a_namespace_is_refused_in_words() -> None:
    """The kernel lets no signal of its own namespace kill it."""
    script = "from agent.deadman import Deadman\ntry:\n    Deadman()\nexcept OSError as e:\n    print(e)"
    command = ["unshare", "--pid", "--fork", sys.executable, "-c", script]
    told = subprocess.run(command, capture_output=True, text=True, timeout=TIME_UP, check=False)
    if told.returncode:
        pytest.skip(f"no PID namespace can be made here: {told.stderr}")

    assert "process 1 of a container is not killed by its own timer" in told.stdout


def test_an_instant_is_of_this_boot_of_the_machine() -> None:
    earlier, later = deadman.boot(), deadman.boot()
    passed = earlier.passed(later)
    assert passed is not None
    assert 0 <= passed < 60_000
    assert Boot().passed(Boot()) is None
