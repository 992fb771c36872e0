"""Every file on the configuration's page loads, and every key that the loader knows is on it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from agent.config import load
from agent.control.times import BUDGETS, LAB, PRODUCTION
from agent.daemon.rule_watch import POLL_S, QUIET_S
from agent.sources.catalogue import others
from agent.sources.name_files import read_names, shipped
from agent.yaml_marks import Complaints

ROOT = Path(__file__).parent.parent
PAGE = (ROOT / "docs" / "configuration.md").read_text()
YAML = re.findall(r"^```yaml\n(.*?)^```", PAGE + (ROOT / "README.md").read_text(), re.DOTALL | re.MULTILINE)
NAMES = next(block for block in YAML if block.startswith("# names.yml\n"))
BLOCKS = [block for block in YAML if block != NAMES]
PROPERTIES = "node.id=2\nlog.dirs=/data/d1,/data/d2\nlisteners=PLAINTEXT://127.0.0.1:9092\n"


@pytest.mark.parametrize("block", BLOCKS, ids=range(len(BLOCKS)))
def test_each_file_on_the_page_loads(block: str, tmp_path: Path) -> None:
    """As it stands there, with the files that it names beside it."""
    names = ("jolokia.password", "kafka.password", "exporter.password", "keystore.password", "ca.pem")
    secrets = dict.fromkeys(names, "x")
    for name, text in {"server.properties": PROPERTIES, **secrets}.items():
        (tmp_path / name).write_text(text)
    (tmp_path / "names.yml").write_text(NAMES)
    (tmp_path / "rules").mkdir()
    file = tmp_path / "ottla.yml"
    file.write_text(block.replace("/etc/kafka/server.properties", "server.properties"))

    assert load(file, {}).broker.node_id == 2


def test_the_file_of_names_on_the_page_is_without_fault() -> None:
    """And says what the text below it says."""
    complaints = Complaints()

    names = read_names("names.yml", NAMES.encode(), others(), complaints)

    assert complaints.sorted() == ()
    assert "kafka_server_delayeddeleterecordsmetrics_expires_total" in names.metrics
    assert not [name for name in shipped().metrics if name.endswith("persec")]


def test_the_seconds_of_the_watch_are_those_of_the_code() -> None:
    """Looked at every two seconds, read when they rested for two."""
    assert (POLL_S, QUIET_S) == (2, 2)


def test_every_key_is_on_the_page() -> None:
    """The keys are those that the loader asks its forms for."""
    source = "".join(path.read_text() for path in (ROOT / "agent" / "config").glob("*.py"))
    keys = set(re.findall(r'(?:get|form|each)\("([a-z_]+)"', source))

    assert len(keys) > 20
    assert {key for key in keys if f"`{key}`" not in PAGE} <= {
        "path",
        "capacity",
        "listeners",
    }  # the last is the broker's own


def test_times_and_budgets_are_those_of_the_code() -> None:
    """Numbers in prose go stale; these have a test."""
    cells = {
        row.split("|")[1].strip(): tuple(cell.strip() for cell in row.split("|")[2:4])
        for row in PAGE.splitlines()
        if row.startswith("| ")
    }
    told = {
        "an agent with a claim": [f"{t.beat_busy // 1000} s" for t in (PRODUCTION, LAB)],
        "degraded": [f"{t.degraded // 1000} s" for t in (PRODUCTION, LAB)],
        "a shorter log": [f"{t.short // 1000} s" for t in (PRODUCTION, LAB)],
        "effects may start": [f"{t.h // 1000} s" for t in (PRODUCTION, LAB)],
        "silence after which an agent with claims": [f"{t.w // 1000} s" for t in (PRODUCTION, LAB)],
        "any other agent": [f"{t.w_idle // 1000} s" for t in (PRODUCTION, LAB)],
        "an agent that has just joined": [f"{t.probation // 1000} s" for t in (PRODUCTION, LAB)],
        "nothing is granted": [f"{t.settle // 1000} s" for t in (PRODUCTION, LAB)],
        "a waiting claim": [f"{t.age // 60_000} min" for t in (PRODUCTION, LAB)],
        "a handled problem": [f"{PRODUCTION.cooldown // 60_000} min", f"{LAB.cooldown // 1000} s"],
    }
    for beginning, values in told.items():
        (found,) = (cell for name, cell in cells.items() if name.startswith(beginning))
        assert list(found) == values
    assert [name for name in BUDGETS if f"`{name}`" not in PAGE] == []
