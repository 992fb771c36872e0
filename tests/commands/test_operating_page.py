"""The operators' page shows every route that is served; commands are checked on all pages by test_pages."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

from debian_prometheus import program
from fake_surface import FakeSurface
from rule_files import SPECS

from agent.rulebook import load
from agent.sources.hindrances import PAUSED
from agent.web.prometheus import Prometheus
from agent.web.query_threads import QueryThreads
from agent.web.routes import Ordering, Reading

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "operating.md").read_text()
RULES = load([ROOT / "rules"], SPECS)
PAUSED_BROKER = """
rule_files: [ottla.yml]
tests:
  - interval: 15s
    input_series:
      - {series: 'ottla_alerts{alertname="BrokerFenced", state="firing", instance="a"}', values: 1x10}
      - {series: 'ottla_paused{instance="a"}', values: 1x10}
    promql_expr_test:
      - expr: ALERTS
        eval_time: 1m
        exp_samples:
          - labels: ALERTS{alertname="OttlaPaused", alertstate="firing", instance="a", severity="none"}
            value: 1
          - labels: >-
              ALERTS{alertname="OttlaFires", alertstate="firing",
              instance="a", of="BrokerFenced", state="firing"}
            value: 1
"""


def test_every_route_is_on_the_page() -> None:
    surface, threads = FakeSurface(), QueryThreads()
    reads = [*Reading(surface, threads.metrics).routes(), *Prometheus(surface, threads).routes()]
    threads.close()
    routes = [*reads, *Ordering(surface).routes()]
    assert [r.path for r in routes if f"`{r.path}" not in PAGE] == []


def test_a_pause_inhibits_alerts_that_there_are_and_none_that_tells_of_harm() -> None:
    (inhibiting,) = re.findall(r"```yaml\n(inhibit_rules:\n[^`]*)```", PAGE)
    named = {name for names in re.findall(r'of=~"([^"]+)"', inhibiting) for name in names.split("|")}
    assert named <= {rule.name for rule in RULES.alerts}
    assert not named & {"UnderMinIsr", "OfflinePartitions"}


def test_the_rules_that_an_inhibition_needs_are_rules(tmp_path: Path) -> None:
    """As promtool takes them: of the alerts' own name and the agent's series."""
    (rules,) = re.findall(r"```yaml\n(groups:\n.*?)```", PAGE, re.DOTALL)
    assert f"expr: {PAUSED.name} == 1" in rules
    (tmp_path / "ottla.yml").write_text(rules)
    (tmp_path / "tests.yml").write_text(PAUSED_BROKER)
    asked = [program("promtool"), "test", "rules", "tests.yml"]
    done = subprocess.run(asked, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
