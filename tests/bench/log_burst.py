"""A gigabyte written to a log at once: when it is counted, the memory, how old other samples get."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from urllib.parse import quote
from urllib.request import urlopen

from log_to_alert import ALERT, CONFIG, KINDS, PATTERN, WAIT_S, address_in

PIECE = b"[2026-11-28 12:00:00,000] INFO a line of about a hundred bytes, as a broker writes\n" * 200_000
PIECES = 64
LAST = b"[2026-11-28 12:00:00,000] ERROR LINE a 7 of a log\n"
AGE = 'time() - timestamp(ottla_source_up{source="host"})'


def main() -> None:
    """Print them. Targets: no other source later than an interval of 1 s, and 50 MB more at most."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for each in ("rules", "data"):
            (folder / each).mkdir()
        (folder / "ottla.yml").write_text(CONFIG + "interval: 1s\n")
        (folder / "rules" / "logs.yml").write_text("\n".join(["patterns:", *map(PATTERN.format, KINDS)]))
        alerts = ["groups:", "  - name: lines", "    rules:", *map(ALERT.format, KINDS)]
        alerts.append("      - {alert: HostGone, expr: 'ottla_source_up{source=\"host\"} == 0'}")
        (folder / "rules" / "alerts.yml").write_text("\n".join(alerts))
        (folder / "server.log").touch()
        command = [sys.executable, "-m", "agent", "run", "--config", str(folder / "ottla.yml")]
        with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as agent:
            try:
                address = address_in(folder / "state" / "http.address").removeprefix("http://")
                time.sleep(4)
                _burst(folder / "server.log", address, agent.pid)
            finally:
                agent.kill()


def _burst(log: Path, address: str, pid: int) -> None:
    before, began = _peak_mb(pid), time.monotonic()
    with log.open("ab", buffering=0) as file:
        for _ in range(PIECES):
            file.write(PIECE)
        file.write(LAST)
    written, ages = time.monotonic(), [0.0]
    while not _asked(address, 'log_a_total{code="7"}'):
        ages += _asked(address, AGE)
        assert time.monotonic() - written < WAIT_S, f"not counted within {WAIT_S:g} s"
        time.sleep(0.05)
    print(
        f"{log.stat().st_size / 1e9:.2f} GB written in {written - began:.1f} s, counted "
        f"{time.monotonic() - written:.1f} s later, {_peak_mb(pid) - before:.0f} MB more, "
        f"oldest sample of the host {max(ages):.2f} s"
    )


def _asked(address: str, query: str) -> list[float]:
    with urlopen(f"http://{address}/api/v1/query?query={quote(query)}") as answer:
        return [float(each["value"][1]) for each in json.load(answer)["data"]["result"]]


def _peak_mb(pid: int) -> float:
    status = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in status if line.startswith("VmHWM")) / 1024


if __name__ == "__main__":
    main()
