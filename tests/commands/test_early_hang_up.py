"""SIGHUP asks an agent to read its rules; it does not kill one that starts."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

from hung_agent import WAIT_S, answered, serves, until

_HUNG_UP_WHILE_LOADED = """
import os, signal, sys
from agent.cli import main
class Finder:
    def find_spec(self, name, *_):
        if name == "agent.commands.run":
            os.kill(os.getpid(), signal.SIGHUP)
sys.meta_path.insert(0, Finder())
main()
"""
_CONFIG = """
bootstrap_servers: ["127.0.0.1:1"]
jolokia: {url: "http://127.0.0.1:1/jolokia"}
rules: rules
rules_watch: false
broker: {node_id: 1, log_dirs: [data]}
state: state
socket: ottla.sock
http: {listen: "127.0.0.1:0"}
"""
_TAKEN = 'ottla_rules_reloads_total{result="taken"} 1'


def test_an_agent_outlives_it_while_its_modules_are_loaded() -> None:
    command = [sys.executable, "-c", _HUNG_UP_WHILE_LOADED, "run", "--help"]
    ran = subprocess.run(command, capture_output=True, text=True, timeout=WAIT_S, check=False)
    assert (ran.returncode, "Run the agent" in ran.stdout) == (0, True)


def test_what_it_asks_of_an_agent_that_starts_is_done_once_it_serves(tmp_path: Path) -> None:
    """It may come after the rules were read: nobody else looks at them where `rules_watch` is false."""
    (tmp_path / "rules").mkdir()
    (tmp_path / "rules" / "alerts.yml").write_text(
        "groups: [{name: g, rules: [{alert: A, expr: vector(1)}]}]"
    )
    (tmp_path / "data").mkdir()
    config = tmp_path / "ottla.yml"
    os.mkfifo(config)
    command = [sys.executable, "-m", "agent", "run", "--config", str(config)]
    with subprocess.Popen(command) as agent:
        try:
            with config.open("w") as written:  # as soon as it is read
                agent.send_signal(signal.SIGHUP)
                written.write(_CONFIG)
            until("it to serve, or to die", lambda: agent.poll() is not None or serves(tmp_path))
            assert agent.poll() is None
            until("a reload", lambda: _TAKEN in answered(tmp_path, "/metrics"))
        finally:
            agent.kill()


def test_another_command_ends_by_it() -> None:
    """As by a terminal that is closed."""
    code = _HUNG_UP_WHILE_LOADED.replace("agent.commands.run", "agent.commands.record")
    ran = subprocess.run([sys.executable, "-c", code, "record", "--help"], timeout=WAIT_S, check=False)
    assert ran.returncode == -signal.SIGHUP
