"""From a line's write() to its alert firing in a running agent: no broker, one log, an alert a line."""

from __future__ import annotations

import json
import random
import subprocess
import sys
import tempfile
import time
from datetime import datetime
from pathlib import Path
from urllib.request import urlopen

KINDS = "abcd"
EACH = 60  # series of a pattern: its limit is a hundred
WAIT_S = 30.0
CONFIG = """\
bootstrap_servers: ["127.0.0.1:1"]
jolokia: {url: "http://127.0.0.1:1/jolokia"}
rules: rules
broker: {node_id: 1, log_dirs: [data], logs: [server.log]}
state: state
socket: ottla.sock
stop_file: stop
http: {listen: "127.0.0.1:0"}
"""
PATTERN = '- {{name: {0}, file: server.log, regex: "LINE {0} (?P<code>[0-9]+)"}}'
ALERT = "      - {{alert: Line{0}, expr: 'log_{0}_total{{code!=\"\"}} > 0'}}"


def main() -> None:
    """Print p50 and p99 in milliseconds. The target is 50 ms for the 99th of a hundred."""
    with tempfile.TemporaryDirectory() as name:
        took = sorted(measured(Path(name)))
    p50, p99 = (took[int(len(took) * share)] for share in (0.5, 0.99))
    print(
        f"line to firing alert, {len(took)} lines: p50 {p50:.1f} ms, p99 {p99:.1f} ms (target 50),"
        f" max {took[-1]:.1f} ms"
    )


def measured(folder: Path) -> list[float]:
    """Milliseconds of each line, as the alert's own activeAt tells: whole ones."""
    (folder / "rules").mkdir()
    (folder / "data").mkdir()
    (folder / "ottla.yml").write_text(CONFIG)
    (folder / "rules" / "logs.yml").write_text("\n".join(["patterns:", *map(PATTERN.format, KINDS)]))
    alerts = ["groups:", "  - name: lines", "    rules:", *map(ALERT.format, KINDS)]
    (folder / "rules" / "alerts.yml").write_text("\n".join(alerts))
    log = folder / "server.log"
    log.touch()
    command = [sys.executable, "-m", "agent", "run", "--config", str(folder / "ottla.yml")]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as agent:
        try:
            address = address_in(folder / "state" / "http.address")
            time.sleep(3)  # what the start itself costs is another bench
            written = _write(log)
            return [(at - written[key]) * 1000 for key, at in _active(address, len(written)).items()]
        finally:
            agent.kill()


def address_in(file: Path) -> str:
    until = time.monotonic() + WAIT_S
    while not file.exists():
        assert time.monotonic() < until, f"the agent did not start within {WAIT_S:g} s"
        time.sleep(0.1)
    return file.read_text().strip()


def _write(log: Path) -> dict[str, float]:
    written = {}
    with log.open("ab", buffering=0) as file:
        for code in range(EACH):
            for kind in KINDS:
                time.sleep(random.uniform(0.05, 0.15))
                written[f"{kind}{code}"] = time.time()
                file.write(f"[2026-11-28 12:00:00,000] ERROR LINE {kind} {code} of a log\n".encode())
    return written


def _active(address: str, count: int) -> dict[str, float]:
    """When each alert became active."""
    until = time.monotonic() + WAIT_S
    while True:
        with urlopen(f"http://{address.removeprefix('http://')}/api/v1/alerts") as answer:
            alerts = json.load(answer)["data"]["alerts"]
        if len(alerts) == count:
            break
        assert time.monotonic() < until, f"{len(alerts)} alerts of {count} after {WAIT_S:g} s"
        time.sleep(0.5)
    assert all(alert["state"] == "firing" for alert in alerts)
    labels = [(a["labels"]["alertname"].removeprefix("Line") + a["labels"]["code"], a) for a in alerts]
    return {key: datetime.fromisoformat(a["activeAt"]).timestamp() for key, a in labels}


if __name__ == "__main__":
    main()
