"""How long a backtest of a day takes: 500 series at 15 s, 50 rules, five remedies."""

from __future__ import annotations

import math
import resource
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from agent import actions
from agent.backtest.history import Asked, read
from agent.backtest.needs import needs
from agent.backtest.run import backtest
from agent.recording.limits import Allowance, silent
from agent.rulebook import load

SERIES, RULES, STEP_S = 500, 50, 15
STEPS = 86_400 // STEP_S
START_S = 1_780_000_000
_METRICS = 25  # of twenty series each
_FORMS = (
    "used_ratio_{m} > 0.85",
    "rate(requests_{m}_total[5m]) > 90",
    "sum by (topic) (rate(requests_{m}_total[5m])) > 300 and on () max(used_ratio_{m}) > 0.9",
    "avg_over_time(used_ratio_{m}[10m]) > 0.8",
    "increase(requests_{m}_total[1h]) / 3600 > 80 unless on () absent(used_ratio_{m})",
)


def main() -> None:
    """Write the day, run it, print seconds of CPU and memory."""
    with tempfile.TemporaryDirectory() as folder:
        recording = Path(folder) / "day.om"
        _write_day(recording)
        (Path(folder) / "rules").mkdir()
        _write_rules(Path(folder) / "rules")
        for name, value in measure(recording, Path(folder) / "rules").items():
            print(f"{name:44}{value:8.2f}")


def measure(recording: Path, rules: Path) -> dict[str, float]:
    """Seconds of CPU of each part, and of both; MiB at the most."""
    specs = {name: actions.spec(cls) for name, cls in actions.load().items()}
    book = load([rules], specs)
    began = time.process_time()
    past = read(Asked((str(recording),)), needs([book]), (), Allowance(), silent)
    loaded = time.process_time()
    found = backtest(book, specs, past, Allowance(), silent)
    ended = time.process_time()
    assert len(found.rules) == RULES
    assert past.store.samples == SERIES * STEPS
    assert any(life.fired_at for each in found.rules for life in each.lives)
    assert found.entries
    return {
        "backtest of a day: reading, CPU s": loaded - began,
        "backtest of a day: judging, CPU s": ended - loaded,
        "backtest of a day: CPU s": ended - began,
        "backtest of a day: memory, MiB": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    }


def _write_day(path: Path) -> None:
    """Half gauges that swing between 0 and 1, half counters that restart; hour by hour, as recorded."""
    with path.open("w") as file:
        for first in range(0, STEPS, 240):
            for number in range(SERIES):
                file.writelines(_lines(number, range(first, first + 240)))
        file.write("# EOF\n")


def _lines(number: int, steps: range) -> Iterator[str]:
    metric, of_it = number % _METRICS, number // _METRICS
    labels = f'{{broker="1",topic="orders-{of_it}"}}'
    for step in steps:
        at = f"{START_S + step * STEP_S}.000"
        if of_it % 2:
            yield f"requests_{metric}_total{labels} {step % 2880 * (900 + 60 * of_it)}.0 {at}\n"
        else:
            yield f"used_ratio_{metric}{labels} {0.5 + 0.45 * math.sin(step / 300 + number):.6f} {at}\n"


def _write_rules(folder: Path) -> None:
    exprs = [_FORMS[(n + n // _METRICS) % len(_FORMS)].format(m=n % _METRICS) for n in range(RULES)]
    alerts = [f"      - {{alert: Rule{n}, expr: '{expr}', for: 1m}}\n" for n, expr in enumerate(exprs)]
    (folder / "alerts.yml").write_text("groups:\n  - name: day\n    rules:\n" + "".join(alerts))
    step = "{do: clear_leftover_throttle, verify: {expr: 'used_ratio_0 < 0.5', within: 30m}}"
    remedies = [f"  Rule{n}: {{mode: act, steps: [{step}], limits: {{max_targets: 50}}}}\n" for n in range(5)]
    (folder / "remedies.yml").write_text("owner: bench\nremedies:\n" + "".join(remedies))
