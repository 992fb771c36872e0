"""The text of a backtest: a screen for fifty rules, and nothing in it that speaks to the terminal."""

from __future__ import annotations

from pathlib import Path

from past import MINUTE, Values, book, run
from rule_files import ALERTS, REMEDIES

from agent.backtest.timeline import text

D1 = 'host_log_dir_used_ratio{path="/d1"}'
DAY: Values = [0.5] * (MINUTE * 300) + [0.9] * (MINUTE * 600) + [0.5] * (MINUTE * 540)


def test_one_line_a_rule_says_when_it_fired_and_what_would_have_been_done(tmp_path: Path) -> None:
    """In as many columns as the terminal has."""
    found = run(book(tmp_path, alerts=ALERTS, remedies=REMEDIES), {D1: DAY})
    lines = text(found, 100, every=False).splitlines()
    assert (
        lines[0]
        == "2026-08-01 00:00:00 to 2026-08-01 23:59:45 UTC, judged each 15s: 5,760 samples of 1 series"
    )
    (line,) = [each for each in lines if each.startswith("LogDirFillingUp ")]
    bar = "·" * 6 + "▲" + "█" * 14 + "·" * 11
    assert line == f"{'LogDirFillingUp':30} {bar} fired 1×, 9h59m, 1 action, 1 call"
    assert "  2026-08-01 05:01:00 LogDirFillingUp: would do drain_disk on /d1" in lines
    assert "assumed:" in lines


def test_fifty_rules_fit_on_a_screen(tmp_path: Path) -> None:
    """With what their remedies did."""
    rules = "".join(f"      - {{alert: R{n}, expr: host_log_dir_used_ratio > 0.8}}\n" for n in range(50))
    remedies = "".join(
        f"  R{n}: {{mode: observe, target: path, steps: [{{do: escalate}}]}}\n" for n in range(50)
    )
    alerts = "groups:\n  - name: g\n    rules:\n" + rules
    found = run(book(tmp_path, alerts=alerts, remedies="owner: sre\nremedies:\n" + remedies), {D1: DAY})
    shown = text(found, 100, every=False).splitlines()
    assert len(shown) < 75
    assert any("more (--every, --html and -o json have all)" in line for line in shown)
    assert len(text(found, 100, every=True).splitlines()) > 150


def test_a_rule_that_could_not_be_judged_says_so(tmp_path: Path) -> None:
    """With the reason where all is told."""
    found = run(book(tmp_path, alerts=ALERTS), {"host_uptime": [1.0] * MINUTE * 60, D1: [None, 0.5]})
    line = next(each for each in text(found, 100, every=False).splitlines() if each.startswith("LogDir"))
    assert "?" in line
    assert line.endswith("blind for 54m30s")
    assert "nothing matches host_log_dir_used_ratio" in text(found, 100, every=True)


def test_labels_cannot_speak_to_the_terminal(tmp_path: Path) -> None:
    """Whatever a recording holds."""
    found = run(book(tmp_path, alerts=ALERTS), {'host_log_dir_used_ratio{path="\x1b[2J"}': DAY})
    shown = text(found, 80, every=True)
    assert "\x1b" not in shown
    assert "�[2J" in shown


def test_narrow_and_wide(tmp_path: Path) -> None:
    """No line of a rule is wider than the terminal; one too narrow is not obeyed."""
    found = run(book(tmp_path, alerts=ALERTS, remedies=REMEDIES), {D1: DAY})
    for width in (20, 80, 200):
        lines = [each for each in text(found, width, every=False).splitlines() if each.startswith("LogDir")]
        assert all(len(line) <= max(width, 80) for line in lines)
