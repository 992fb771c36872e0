"""Processes are found by their tag, and a signal hits exactly the one that was meant."""

from __future__ import annotations

import dataclasses
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from agent.lab import processes
from agent.lab.errors import LabError
from agent.lab.processes import Command, Process


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    """A folder whose processes are ended with the test."""
    yield tmp_path
    processes.end(processes.find_below(tmp_path), signal.SIGKILL, 5)


def sleeper(folder: Path, name: str = "node") -> Process:
    """A process under the tag of this folder."""
    processes.start(Command(["sleep", "60"], str(folder / name), folder / "output.txt", folder))
    found = processes.find(str(folder / name))
    assert found is not None
    return found


def until(holds: Callable[[], bool], what: str) -> None:
    """Wait for a condition, at most five seconds."""
    end = time.monotonic() + 5
    while not holds():
        assert time.monotonic() < end, f"waited 5 s until {what}"
        time.sleep(0.01)


def test_it_is_found_by_its_tag_and_by_its_folder(folder: Path) -> None:
    """Without any file that remembers it."""
    one, other = sleeper(folder, "a"), sleeper(folder, "b")
    found = processes.find(str(folder / "a"))
    assert found is not None
    assert (found.pid, found.started) == (one.pid, one.started)
    assert {process.pid for process in processes.find_below(folder)} == {one.pid, other.pid}
    assert processes.find_below(folder / "a" / "deeper") == []


def test_a_child_that_outlives_it_is_not_it(folder: Path) -> None:
    """An agent's probing process may take a moment more to end; the next agent starts beside it."""
    command = ["sh", "-c", "sleep 61 & exec sleep 60"]
    processes.start(Command(command, process_tag(folder), folder / "output.txt", folder))
    until(lambda: len(processes.find_below(folder)) == 2, "its child runs")
    process = processes.find(process_tag(folder))
    assert process is not None
    assert processes.end([process], signal.SIGKILL, 5) == []
    assert processes.find(process_tag(folder)) is None
    assert len(processes.find_below(folder)) == 1


def test_it_outlives_nobody_waiting_and_ends_when_told(folder: Path) -> None:
    """`end` comes back when it is gone, not when it was asked to go."""
    process = sleeper(folder)
    assert processes.end([process], signal.SIGTERM, 5) == []
    assert processes.find(process_tag(folder)) is None


def test_one_that_does_not_end_is_named(folder: Path) -> None:
    """A stopped process takes SIGTERM when it goes on, not before."""
    process = sleeper(folder)
    stop(process, folder)
    assert processes.end([process], signal.SIGTERM, 0.2) == [process]


def test_a_recycled_pid_is_never_hit(folder: Path) -> None:
    """The same pid with another start time is another process."""
    process = sleeper(folder)
    former = dataclasses.replace(process, started=process.started - 1)
    assert not processes.send(former, signal.SIGKILL)
    assert processes.end([former], signal.SIGKILL, 5) == []
    assert processes.find(process_tag(folder)) is not None


def test_a_stopped_process_shows_it(folder: Path) -> None:
    """`status` tells a paused broker from a running one by that."""
    stop(sleeper(folder), folder)


def test_a_command_that_fails_says_why(folder: Path) -> None:
    """Its last line, and where the rest is."""
    command = Command(["sh", "-c", "echo no such luck; exit 3"], "x", folder / "output.txt", folder)
    with pytest.raises(LabError, match="no such luck") as caught:
        processes.run(command)
    assert str(folder / "output.txt") in caught.value.hint


def stop(process: Process, folder: Path) -> None:
    """SIGSTOP, and wait until it is in force: a later SIGTERM would overtake it."""
    processes.send(process, signal.SIGSTOP)
    until(lambda: (now := processes.find(process_tag(folder))) is not None and now.state == "T", "it stops")


def process_tag(folder: Path) -> str:
    """Of the sleeper that has no other name."""
    return str(folder / "node")
