"""An agent whose standard error takes nothing: its disk is full, nobody reads it, or it is closed."""

from __future__ import annotations

import fcntl
import os
import select
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from hung_agent import WAIT_S, answered, asked, firing, running, until

from agent.daemon.own_log import DROPPED

CONFIG = """
bootstrap_servers: ["127.0.0.1:1"]
jolokia: {url: "http://127.0.0.1:1/jolokia"}
rules: rules
broker: {node_id: 1, log_dirs: [data]}
host: {listener: "127.0.0.1:1"}
state: state
socket: ottla.sock
http: {listen: "127.0.0.1:0"}
interval: 100ms
"""
ALERTS = """
groups:
  - name: full
    rules:
      - {alert: Probed, expr: sum(kafka_probe_failures_total) >= 1}
"""


def test_it_serves_and_ends_as_any_other(tmp_path: Path) -> None:
    """The line with its address ended it; and at an end the interpreter would have made 120 of its code."""
    (tmp_path / "said").symlink_to("/dev/full")
    with running(tmp_path, CONFIG, ALERTS) as agent:
        until("a rule to fire", lambda: agent.poll() is not None or "Probed" in firing(tmp_path))
        assert agent.poll() is None
        assert asked(tmp_path, "status")["live"]
        agent.terminate()
        assert agent.wait(WAIT_S) == 0


def test_who_does_not_read_it_stops_nothing(tmp_path: Path) -> None:
    """One line was enough to stop the loop for good: no answer, and no end by SIGTERM."""
    said = tmp_path / "said"
    os.mkfifo(said)
    reader = os.open(said, os.O_RDONLY | os.O_NONBLOCK)
    fcntl.fcntl(reader, fcntl.F_SETPIPE_SZ, 4096)
    with running(tmp_path, CONFIG, ALERTS) as agent:
        until("a rule to fire", lambda: agent.poll() is not None or "Probed" in firing(tmp_path))
        _fill(said)
        host, _, port = (tmp_path / "state" / "http.address").read_text().strip().rpartition(":")
        with socket.create_connection((host, int(port)), WAIT_S) as stranger:
            stranger.sendall(b"\x16\x03\x01\x02\x00\x01" + bytes(50))  # a line of the log
            assert stranger.recv(100).startswith(b"HTTP/1.0 400")
        assert asked(tmp_path, "status")["live"]
        assert f"\n{DROPPED} 0" in answered(tmp_path, "/metrics")  # it waits
        agent.terminate()
        assert agent.wait(WAIT_S) == 0
    os.close(reader)


def _fill(pipe: Path) -> None:
    writer = os.open(pipe, os.O_WRONLY | os.O_NONBLOCK)
    try:
        while os.write(writer, b"x"):
            pass
    except BlockingIOError:
        os.close(writer)


def test_what_is_closed_is_no_number_for_a_file_of_its_own(tmp_path: Path) -> None:
    """The journal would have it, and what a library prints would be written into the journal."""
    with running(tmp_path, CONFIG, ALERTS) as agent:
        until("a rule to fire", lambda: "Probed" in firing(tmp_path))
        agent.terminate()
        assert agent.wait(WAIT_S) == 0
    line = f"exec {sys.executable} -m agent run --config {tmp_path / 'ottla.yml'} <&- >&- 2>&-"
    (tmp_path / "state" / "http.address").unlink()
    with subprocess.Popen(line, shell=True) as bare:
        until("a rule to fire", lambda: bare.poll() is not None or "Probed" in firing(tmp_path))
        held = [str(Path(f"/proc/{bare.pid}/fd/{number}").readlink()) for number in range(3)]
        bare.terminate()
        assert (held, bare.wait(WAIT_S)) == (["/dev/null"] * 3, 0)


@pytest.mark.parametrize(
    ("raised", "told"),
    [("BadFiles(['why'])", "Error: why\n"), ("KeyError('why')", "\nKeyError: 'why'\n")],
    ids=["in a sentence", "by a traceback"],
)
def test_why_it_died_is_told_where_a_socket_has_room_and_does_not_say_so(raised: str, told: str) -> None:
    """journald's says so only when three quarters are read: after a burst of lines no reason was told."""
    lines = [
        "from agent.cli import main",
        "from agent.commands import run",
        "from agent.yaml_marks import BadFiles",
        f"def load(_): raise {raised}",
        "run.load = load",
        "main()",
    ]
    reader, writer = socket.socketpair()
    with reader:
        with writer:
            poll = select.poll()
            poll.register(writer, select.POLLOUT)
            while poll.poll(0):
                writer.sendall(b"a line of a burst\n")
            command = [sys.executable, "-c", "\n".join(lines), "run"]
            assert (
                subprocess.run(command, stderr=writer.fileno(), timeout=WAIT_S, check=False).returncode == 1
            )
        said = "".join(iter(lambda: reader.recv(65_536).decode(), ""))
    assert said.count(told) == 1
    assert said.endswith(told)
