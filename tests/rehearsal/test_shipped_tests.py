"""The shipped rules pass their own tests, and these cover every remedy: done, refused, undone, and killed."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

import pytest
import yaml
from rule_files import SPECS
from test_promtool import promtool_passes

from agent.rehearsal.cases import UnitFile
from agent.rehearsal.rehearse import Rehearsal

RULES = Path(__file__).parents[2] / "rules"
REMEDIES = {
    step["do"]
    for path in RULES.glob("*/remedies.yml")
    for remedy in yaml.safe_load(path.read_text())["remedies"].values()
    for step in remedy["steps"]
} - {"escalate"}


@cache
def rehearsal() -> Rehearsal:
    """All files of tests that are shipped."""
    return Rehearsal([RULES], SPECS)


@pytest.mark.parametrize(
    ("number", "name"), [(n, t.name) for n, (_, t) in enumerate(rehearsal().chosen(re.compile("")))]
)
def test_it_passes(number: int, name: str) -> None:
    unit, test = rehearsal().chosen(re.compile(""))[number]
    verdict = rehearsal().run(unit, test)
    assert not verdict.failures, verdict


def test_nothing_is_wrong_with_the_files() -> None:
    """Not even a warning; and every folder of rules has one."""
    assert rehearsal().complaints == ()
    assert {unit.path.parent for unit in rehearsal().units} == {p.parent for p in RULES.glob("*/alerts.yml")}


@pytest.mark.parametrize("action", sorted(REMEDIES))
@pytest.mark.parametrize("end", ["healed", "refused", "undone"])
def test_every_remedy_is_told_to_each_end(action: str, end: str) -> None:
    """A story of it must say so."""
    stories = [
        "\n".join(entry.words for entry in story.journal or ())
        for unit in rehearsal().units
        for story in unit.remedy_tests
        if action in unit.path.with_name("remedies.yml").read_text()
    ]
    assert any(re.search(rf"^{end}", story, re.MULTILINE) for story in stories)


def acts(unit: UnitFile) -> bool:
    """Whether the folder has remedies."""
    return (unit.path.parent / "remedies.yml").exists()


def test_there_are_folders_that_act() -> None:
    assert sum(map(acts, rehearsal().units)) >= 2


@pytest.mark.parametrize("unit", [*filter(acts, rehearsal().units)], ids=lambda unit: unit.path.parent.name)
def test_every_folder_that_acts_has_stories_of_a_crash_and_of_a_broker_that_is_down(unit: UnitFile) -> None:
    events = [event for story in unit.remedy_tests for _, event in story.events]
    assert any(event.crash is not None for event in events)
    assert any(event.given.down for event in events)


@pytest.mark.parametrize("unit", rehearsal().units, ids=lambda unit: unit.path.parent.name)
def test_promtool_passes_their_upper_half(unit: UnitFile, tmp_path: Path) -> None:
    """All but `remedy_tests` is promtool's own format."""
    (tmp_path / "alerts.yml").write_text((unit.path.parent / "alerts.yml").read_text())
    pure = unit.path.read_text().partition("\nremedy_tests:")[0]
    every = re.findall(r"(?m)^evaluation_interval: (\w+)$", pure)[0]
    pure = re.sub(r"(?m)^  - name:", f"  - interval: {every}\n    name:", pure)  # 2.42 has no default for it
    (tmp_path / "tests.yml").write_text(pure)
    assert promtool_passes(tmp_path, "tests.yml")
