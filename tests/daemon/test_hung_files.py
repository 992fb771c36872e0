"""An agent whose certificate and stop file lie on a disk that hangs."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, cast
from urllib.request import urlopen

from hung_files import hung

WAIT_S = 60.0
# The promise is for two cores of their own, where it is asserted (OTTLA_QUIET=1); others may use them here.
PROMISE_S = 5
BOUND_S = PROMISE_S * (1 if os.environ.get("OTTLA_QUIET") == "1" else 3)
CONFIG = """
bootstrap_servers: ["127.0.0.1:1"]
jolokia: {url: "http://127.0.0.1:1/jolokia"}
rules: rules
broker: {node_id: 1, log_dirs: [data]}
host: {listener: "127.0.0.1:1", certificates: {listeners: ["127.0.0.1:1"]}}
security: {protocol: SSL, cert_file: own.pem, key_file: own.key}
state: state
socket: ottla.sock
stop_file: stop
http: {listen: "127.0.0.1:0"}
interval: 100ms
"""
ALERTS = """
groups:
  - name: hung
    rules:
      - {alert: Unread, expr: host_certificate_unread_total >= 1}
      - {alert: Silent, expr: sum(kafka_probe_failures_total) >= 40}
"""


def test_it_goes_on_says_so_and_ends_at_once(tmp_path: Path) -> None:
    """After 40 looks, more than it has threads to lose, it shows and judges; SIGTERM ends it in seconds."""
    (tmp_path / "rules").mkdir()
    (tmp_path / "data").mkdir()
    (tmp_path / "rules" / "alerts.yml").write_text(ALERTS)
    config = tmp_path / "ottla.yml"
    config.write_text(CONFIG)
    command = [sys.executable, "-m", "agent", "run", "--config", str(config)]
    with hung(tmp_path / "own.pem"), hung(tmp_path / "stop"), subprocess.Popen(command) as agent:
        try:
            until("both alerts", lambda: firing(tmp_path) == {"Unread", "Silent"})
            stopped = asked(tmp_path, "status")["modes"]["stopped"]
            began = time.monotonic()
            agent.terminate()
            code = agent.wait(WAIT_S)
            took = time.monotonic() - began
        finally:
            agent.kill()

    assert stopped.startswith("it is taken to stand, as it cannot be read: ")
    assert code == 0
    print(f"ended within {took:.1f} s of {PROMISE_S} s, asserted: {BOUND_S} s")
    assert took < BOUND_S


def until(what: str, holds: Any) -> None:
    """Wait for a condition."""
    end = time.monotonic() + WAIT_S
    while not holds():
        assert time.monotonic() < end, f"waited {WAIT_S:g} s for: {what}"
        time.sleep(0.1)


def firing(folder: Path) -> set[str]:
    """What fires; nothing before it serves."""
    if not (folder / "state" / "http.address").exists():
        return set()
    alerts = asked(folder, "alerts")["data"]["alerts"]
    return {each["labels"]["alertname"] for each in alerts if each["state"] == "firing"}


def asked(folder: Path, what: str) -> dict[str, Any]:
    """What the agent answers."""
    address = (folder / "state" / "http.address").read_text().strip().removeprefix("http://")
    with urlopen(f"http://{address}/api/v1/{what}", timeout=WAIT_S) as answer:
        return cast(dict[str, Any], json.load(answer))
