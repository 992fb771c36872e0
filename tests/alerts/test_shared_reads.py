"""Rules of one turn share what they read, and see what they would see alone."""

from __future__ import annotations

from pathlib import Path

import pytest

from agent.alerts import Alerts
from agent.model import AlertState, Sample, labels_of
from agent.promql import expression
from agent.promql.nodes import Matcher
from agent.promql.vectors import Newest
from agent.rulebook import load
from agent.series import Series

NOW = 1_800_000_000_000


class Counted(Series):
    """Counts how often it is asked for the newest samples."""

    asked = 0

    def latest(self, name: str | None, matchers: tuple[Matcher, ...], start: int, end: int) -> Newest:
        self.asked += 1
        return super().latest(name, matchers, start, end)


def rules(tmp_path: Path, *written: str) -> Alerts:
    """The alerts of these rules, each a line of YAML."""
    (tmp_path / "alerts.yml").write_text(
        "groups:\n  - name: g\n    rules:\n" + "".join(f"      - {{{rule}}}\n" for rule in written)
    )
    return Alerts(load([tmp_path], {}).rules)


def firing(alerts: Alerts) -> set[str]:
    """The names of what fires."""
    return {alert.rule for alert in alerts.active() if alert.state is AlertState.FIRING}


def test_a_selector_is_read_once_a_turn_and_anew_in_the_next(tmp_path: Path) -> None:
    store = Counted(3_600_000)
    alerts = rules(tmp_path, *(f"alert: A{n}, expr: used > 0.{n}" for n in range(1, 9)))
    store.add([Sample("used", labels_of({"path": "/d"}), NOW, 0.45)])
    alerts.evaluate(store, NOW, since=NOW)
    assert (firing(alerts), store.asked) == ({"A1", "A2", "A3", "A4"}, 1)
    store.add([Sample("used", labels_of({"path": "/d"}), NOW + 1, 0.15)])
    alerts.evaluate(store, NOW + 1, since=NOW)
    assert (firing(alerts), store.asked) == ({"A1"}, 2)


def test_what_patterns_match_of_the_recorded_names_is_worked_out_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Anew for each rule whenever it is due it would stop the loop of a large rule book."""
    compared = 0
    real = expression._take

    def counted(matchers: tuple[Matcher, ...], name: str) -> bool:
        nonlocal compared
        compared += 1
        return real(matchers, name)

    monkeypatch.setattr(expression, "_take", counted)
    written = [f"record: r{n}, expr: used * {n}" for n in range(50)]
    written += [f"""alert: A{n}, expr: 'count({{__name__=~"app{n}_.*"}}) > 3'""" for n in range(4)]
    alerts, before = rules(tmp_path, *written), compared
    assert before == 50 * 4
    turn = alerts.begin(NOW, None)
    while alerts.next(turn) is not None:
        pass
    assert compared == before


def test_what_a_rule_of_the_turn_records_is_read_as_it_is_now(tmp_path: Path) -> None:
    """Also where another has read it before in the same turn."""
    store = Series(3_600_000)
    alerts = rules(
        tmp_path,
        "alert: Early, expr: path:used:max > 0.5",
        "record: path:used:max, expr: max by (path) (used)",
        "alert: Late, expr: path:used:max > 0.5",
    )
    for at, value, expected in ((NOW, 0.9, {"Late"}), (NOW + 1, 0.1, {"Early"}), (NOW + 2, 0.1, set())):
        store.add([Sample("used", labels_of({"path": "/d"}), at, value)])
        alerts.evaluate(store, at, since=NOW - 3_600_000, record=store.add)
        assert firing(alerts) == expected, at
