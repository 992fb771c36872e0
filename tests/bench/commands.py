"""How long a command takes. Targets: help 0.15 s, status 0.25 s, check of 500 rules 2 s."""

from __future__ import annotations

import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

RUNS = 11
_RULES = 500
_COMMANDS = (
    ("--help",),
    ("status", "--help"),
    ("status", "--state", "/nonexistent"),
    ("undo", "--help"),
)


def seconds(*words: str) -> float:
    """The median wall time of `ottla` with these words."""
    taken = []
    for _ in range(RUNS):
        begun = time.perf_counter()
        subprocess.run([sys.executable, "-m", "agent", *words], capture_output=True, check=False)
        taken.append(time.perf_counter() - begun)
    return statistics.median(taken)


def main() -> None:
    """The commands that people wait for most, and how long each takes."""
    for words in _COMMANDS:
        print(f"ottla {' '.join(words):38}{seconds(*words):8.3f} s")
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "alerts.yml").write_text(_many_rules())
        print(f"ottla {f'rules check ({_RULES} rules)':38}{seconds('rules', 'check', folder):8.3f} s")


def _many_rules() -> str:
    rule = (
        "      - alert: A{n}\n"
        "        expr: sum by (topic) (rate(kafka_server_brokertopicmetrics_bytesin_total[5m])) > {n}\n"
        "        annotations: {{summary: '{{{{ $value | humanize }}}}', runbook_url: x}}\n"
    )
    return "groups:\n  - name: g\n    rules:\n" + "".join(rule.format(n=n) for n in range(_RULES))
