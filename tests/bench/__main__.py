"""`make bench`: the figures of the README, measured here. `make bench BENCH="commands backtest"`: some."""

from __future__ import annotations

import sys
from importlib import import_module
from pathlib import Path

BENCHES = {  # name → module here: `main` measures, and prints a line a figure
    "commands": "commands",
    "rules": "rules_20000_series",
    "logs": "log_scan",
    "latency": "log_to_alert",
    "burst": "log_burst",
    "exposition": "exposition_scrape",
    "backtest": "backtest_day",
    "cluster": "cluster",
    "cluster-reading": "cluster_reading",
    "agent": "agent_cost",
    "claims": "claim_latency",
    "joining": "joining",
}


def main(names: list[str]) -> None:
    """Run the benches with these names, all of them where none is given; each alone, one after the other."""
    if unknown := [name for name in names if name not in BENCHES]:
        sys.exit(f"no bench is called {unknown[0]}; there are: {', '.join(BENCHES)}")
    for name in names or BENCHES:
        print(f"== {name}", flush=True)
        import_module(BENCHES[name]).main()


if __name__ == "__main__":
    sys.path += [
        str(Path(__file__).parent),
        str(Path(__file__).parents[1]),
    ]  # as pytest finds what tests share
    main(sys.argv[1:])
