"""What a change of rules would do differently, fact by fact."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from past import MINUTE, Values, book, run
from rule_files import ALERTS, REMEDIES

from agent.backtest.difference import difference

D1, D2 = (f'host_log_dir_used_ratio{{path="/d{n}"}}' for n in (1, 2))
SPAN = "from 2026-08-01 00:06:00 to 2026-08-01 00:55:00"
RISE: Values = [0.5] * MINUTE * 5 + [0.87] * MINUTE * 20 + [0.95] * MINUTE * 30 + [0.5] * MINUTE * 10


def told(tmp_path: Path, old: dict[str, str], new: dict[str, str], **series: Values) -> list[str]:
    """The lines of the difference without the head."""
    rules = []
    for name, files in (("old", old), ("new", new)):
        (tmp_path / name).mkdir()
        rules.append(book(tmp_path / name, **files))
    before, after = (run(each, {D1: RISE, **series}) for each in rules)
    found = difference(before, after)
    assert bool(found.changes) == (len(found.text().splitlines()) > 1)
    assert len(found.plain()["changes"]) == len(found.changes)
    return found.text().splitlines()[1:]


def test_the_same_rules_make_no_difference(tmp_path: Path) -> None:
    """Wherever they stand."""
    both = {"alerts": ALERTS, "remedies": REMEDIES}
    assert told(tmp_path, both, both) == []


@pytest.mark.parametrize(
    ("change", "lines"),
    [
        (("> 0.85", "> 0.9"), ['~ LogDirFillingUp: {path="/d1"} fires 20m later, at 2026-08-01 00:26:00']),
        (
            ("> 0.85", "> 0.97"),
            ['- LogDirFillingUp: {path="/d1"} does not fire from 2026-08-01 00:06:00 to 2026-08-01 00:55:00'],
        ),
        (("for: 1m", "for: 3m"), ['~ LogDirFillingUp: {path="/d1"} fires 2m later, at 2026-08-01 00:08:00']),
        (
            ("for: 1m", "for: 1m\n        keep_firing_for: 5m"),
            ['~ LogDirFillingUp: {path="/d1"} fires until 2026-08-01 01:00:00, 5m longer'],
        ),
        (
            ("LogDirFillingUp", "DirFilling"),
            [
                f'+ DirFilling: {{path="/d1"}} fires {SPAN}',
                "~ DirFilling: is a new rule",
                "~ LogDirFillingUp: is no rule any more",
                f'- LogDirFillingUp: {{path="/d1"}} does not fire {SPAN}',
            ],
        ),
        (("host_log_dir_used_ratio >", "max_over_time(host_log_dir_used_ratio[10m]) >"), None),
    ],
)
def test_alerts(tmp_path: Path, change: tuple[str, str], lines: list[str] | None) -> None:
    """More, less, earlier, later, longer, shorter; new rules and old ones; how long they could be judged."""
    found = told(tmp_path, {"alerts": ALERTS}, {"alerts": ALERTS.replace(*change)})
    if lines is None:
        assert "~ LogDirFillingUp: cold for 10m in all, before for 0s" in found
        assert any("longer" in line for line in found)
    else:
        assert sorted(found) == sorted(lines)


def test_decisions(tmp_path: Path) -> None:
    """Actions and refusals that come or go."""
    old = {"alerts": ALERTS, "remedies": REMEDIES.replace("mode: act", "mode: observe")}
    new = {"alerts": ALERTS, "remedies": REMEDIES.replace("within: 2h", "within: 10m")}
    found = told(tmp_path, old, new)
    short = [re.sub(r" LogDirFillingUp: 2026-08-01| on /d1.*", "", line) for line in found]
    assert short == [
        "+ 00:06:00 would do drain_disk",
        "- 00:06:00 would refuse drain_disk",
        "+ 00:16:00 no better: drain_disk",
        "+ 00:16:15 undone: drain_disk",
        "+ 00:16:15 would call a person for /d1: the rule's last step: a person is needed",
    ]
