"""An agent whose state and socket lie on a disk that hangs: a frozen one, as root."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import time
from pathlib import Path

import pytest
from hung_agent import BOUND_S, PROMISE_S, WAIT_S, answered, asked, firing, running, serves, until
from hung_files import assert_threads_are_free
from loop_disks import frozen, mounted
from stories import entry

from agent import journal
from agent.daemon.ledger import Ledger
from agent.history import Phase
from agent.journal import Journal, JournalFailed
from agent.model import Entry, Kind

CONFIG = """
bootstrap_servers: ["127.0.0.1:1"]
jolokia: {url: "http://127.0.0.1:1/jolokia"}
rules: rules
broker: {node_id: 1, log_dirs: [data]}
host: {listener: "127.0.0.1:1"}
state: disk/state
socket: disk/ottla.sock
http: {listen: "127.0.0.1:0"}
interval: 100ms
"""
ALERTS = """
groups:
  - name: hung
    rules:
      - {alert: Before, expr: sum(kafka_probe_failures_total) >= 1}
      - {alert: Later, expr: sum(kafka_probe_failures_total) >= 100}
"""
END_S = 30.0  # the disk answers after 60
HANGS = "journal.db: its disk does not answer"


@pytest.mark.parametrize("by", ["SIGTERM", "ottla stop"])
def test_it_says_so_and_goes_on_and_ends_at_once(tmp_path: Path, by: str) -> None:
    """What is ordered is refused, as it cannot be written down. All that the kernel does not hold ends in
    seconds; its thread in the disk does when that answers, and the exit code is that of any other end."""
    with mounted(tmp_path) as disk, running(tmp_path, CONFIG, ALERTS) as agent:
        (tmp_path / "state").symlink_to(disk / "state")
        until("it to serve", lambda: serves(tmp_path) and "Before" in firing(tmp_path))
        with frozen(disk):
            refused = ottla(tmp_path, "pause", "a test")
            degraded = asked(tmp_path, "status")["modes"]["degraded"]
            metrics = answered(tmp_path, "/metrics")
            until("rules to be judged on", lambda: "Later" in firing(tmp_path))
            began = time.monotonic()
            if by == "SIGTERM":
                agent.terminate()
            else:
                assert ottla(tmp_path, "stop").returncode == 0
            until("its end", lambda: state_of(agent.pid) == "Z", END_S)
            took = time.monotonic() - began
        code = agent.wait(WAIT_S)
        ordered = [each.question for each in asyncio.run(entries(disk / "state"))]
    said = (tmp_path / "said").read_text()

    assert refused.returncode == 1
    assert "not done, as it cannot be written down: " in refused.stderr
    for words in (refused.stderr, degraded, said):
        assert HANGS in words
    assert "\nottla_journal_failed 1.0\n" in metrics
    assert "nothing new is begun: " in said
    assert "that it stops is not written down, what stands: nothing; " in said
    assert "its lock goes with this process: " in said
    assert "ottla.sock is left behind: " in said
    assert code == 0
    assert "stop" not in ordered, "nothing that was asked for later was given to the disk"
    print(f"ended within {took:.1f} s of {PROMISE_S} s, asserted: {BOUND_S} s")
    assert took < BOUND_S


def test_a_hang_that_only_the_end_meets(tmp_path: Path) -> None:
    """Each of its last words to the disk has seconds, and all together no more than it may take."""
    with mounted(tmp_path) as disk, running(tmp_path, CONFIG, ALERTS) as agent:
        (tmp_path / "state").symlink_to(disk / "state")
        until("it to serve", lambda: serves(tmp_path) and "Before" in firing(tmp_path))
        with frozen(disk):
            began = time.monotonic()
            agent.terminate()
            until("its end", lambda: state_of(agent.pid) == "Z", END_S)
            took = time.monotonic() - began
        assert agent.wait(WAIT_S) == 0
    print(f"ended within {took:.1f} s of {PROMISE_S} s, asserted: {BOUND_S} s")
    assert took < BOUND_S


def ottla(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """A command to the agent."""
    command = [sys.executable, "-m", "agent", *words, "--socket", str(folder / "disk" / "ottla.sock")]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=WAIT_S)


async def entries(folder: Path) -> tuple[Entry, ...]:
    """As the next agent finds them."""
    own = Journal(folder)
    await own.open()
    found = await own.entries()
    await own.close()
    return found


def state_of(pid: int) -> str:
    """Of its main thread."""
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]


async def test_a_start_that_hung_is_known_when_the_disk_answers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It was not written when it was to be done, and so not done; it is looked at before anything else is
    begun, since it may be on disk all the same."""
    monkeypatch.setattr(journal, "WRITE_S", 0.3)
    started = entry(1, Kind.STARTED)
    with mounted(tmp_path) as disk:
        own = Journal(disk)
        ledger = Ledger(own, lambda _: None)
        await ledger.open()
        with frozen(disk):
            for _ in range(3):
                with pytest.raises(JournalFailed, match="its disk does not answer"):
                    await ledger.record(started)
            assert own.hangs
            assert ledger.failed is not None
            assert ledger.history.incidents == {}
            await assert_threads_are_free()
            with pytest.raises(JournalFailed):
                await own.close()
        words = await until_told(ledger)
        assert "written all the same: look again" in words[-1]
        assert [one.phase for one in ledger.history.incidents.values()] == [Phase.ACTING]
        assert ledger.failed is None
        await own.close()


async def until_told(ledger: Ledger) -> list[str]:
    """Why nothing could be recorded, until what hung is known."""
    told = list[str]()
    async with asyncio.timeout(WAIT_S):
        while not ledger.history.incidents:
            with pytest.raises(JournalFailed) as failed:
                await ledger.record(Entry(2, Kind.AGENT, "goes on"))
            told.append(str(failed.value))
            await asyncio.sleep(0.01)
    return told
