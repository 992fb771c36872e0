"""An agent beneath whose log the disk is full from its first line on."""

from __future__ import annotations

from pathlib import Path

from hung_agent import WAIT_S, asked, firing, running, until

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
