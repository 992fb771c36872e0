"""A gigabyte written to a log at once: when it is counted, the memory, how late a rule of metrics is."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from threading import Thread
from urllib.parse import quote
from urllib.request import urlopen

from log_lines_like_kafka import write
from log_to_alert import ALERT, CONFIG, KINDS, PATTERN, WAIT_S, address_in

QUIET = b"[2026-11-28 12:00:00,000] INFO a line of about a hundred bytes, as a broker writes\n" * 200_000
PIECES = 64
LAST = b"[2026-11-28 12:00:00,000] ERROR LINE a 7 of a log\n"
HOT = 0.3  # of the records, each found by one of the shipped patterns
INTERVAL_S = 1.0
MOST_MB = 50
# Judged at each reading, and what it records is the time of the sample that it judged.
RULE = "      - {record: host_judged, expr: 'timestamp(ottla_source_up{source=\"host\"})'}"
_SHIPPED = Path(__file__).parents[2] / "rules"


def main() -> None:
    """Print them; exit 1 where a rule is later than an interval, or the memory grows by more than 50 MB."""
    with tempfile.TemporaryDirectory() as name:
        storm = Path(name) / "storm.log"
        write(storm, len(QUIET), HOT)
        bursts = {
            "no line found, patterns of our own": (QUIET, ()),
            f"{HOT:.0%} of the records found, the shipped patterns": (
                storm.read_bytes(),
                tuple(sorted(_SHIPPED.glob("*/logs.yml"))),
            ),
        }
        missed = [
            what
            for number, (what, (piece, patterns)) in enumerate(bursts.items())
            if not _is_met(what, piece, patterns, Path(name) / str(number))
        ]
    if missed:
        sys.exit(f"later than {INTERVAL_S:g} s, or more than {MOST_MB} MB: {'; '.join(missed)}")


def _is_met(what: str, piece: bytes, patterns: tuple[Path, ...], folder: Path) -> bool:
    """One burst on an agent of its own."""
    for each in ("rules", "data"):
        (folder / each).mkdir(parents=True)
    (folder / "ottla.yml").write_text(CONFIG + f"interval: {INTERVAL_S:g}s\n")
    (folder / "rules" / "logs.yml").write_text("\n".join(["patterns:", *map(PATTERN.format, KINDS)]))
    for file in patterns:
        shutil.copy(file, folder / "rules" / f"{file.parent.name}.yml")
    alerts = ["groups:", "  - name: lines", "    rules:", *map(ALERT.format, KINDS), RULE]
    (folder / "rules" / "alerts.yml").write_text("\n".join(alerts))
    (folder / "server.log").touch()
    command = [sys.executable, "-m", "agent", "run", "--config", str(folder / "ottla.yml")]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as agent:
        try:
            address = address_in(folder / "state" / "http.address").removeprefix("http://")
            time.sleep(4)
            late, more = _burst(what, piece, folder / "server.log", address, agent.pid)
        finally:
            agent.kill()
    return late <= INTERVAL_S and more <= MOST_MB


def _burst(what: str, piece: bytes, log: Path, address: str, pid: int) -> tuple[float, float]:
    """Seconds that the rule was late at most, from the first byte on, and MB more."""
    Path(f"/proc/{pid}/clear_refs").write_text("5")  # its peak is from now on, and not that of its start
    before, began = _peak_mb(pid), time.monotonic()
    writing = Thread(target=_write, args=(log, piece))
    writing.start()
    written, ages = began, []
    while writing.is_alive() or not _asked(address, 'log_a_total{code="7"}'):
        (judged,) = _asked(address, "host_judged")
        ages.append(time.time() - judged)  # the wait for the answer is part of it
        written = time.monotonic() if writing.is_alive() else written
        assert time.monotonic() - written < WAIT_S, f"not counted within {WAIT_S:g} s"
        time.sleep(0.05)
    late, more = max(0.0, max(ages) - INTERVAL_S), _peak_mb(pid) - before
    print(
        f"{what}: {log.stat().st_size / 1e9:.2f} GB written in {written - began:.1f} s, counted "
        f"{time.monotonic() - written:.1f} s later, {more:.0f} MB more, a rule of metrics later than its "
        f"interval by {late:.2f} s at most of {len(ages)} looks",
        flush=True,
    )
    return late, more


def _write(log: Path, piece: bytes) -> None:
    with log.open("ab", buffering=0) as file:
        for _ in range(PIECES):
            file.write(piece)
        file.write(LAST)


def _asked(address: str, query: str) -> list[float]:
    with urlopen(f"http://{address}/api/v1/query?query={quote(query)}") as answer:
        return [float(each["value"][1]) for each in json.load(answer)["data"]["result"]]


def _peak_mb(pid: int) -> float:
    status = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in status if line.startswith("VmHWM")) / 1024


if __name__ == "__main__":
    main()
