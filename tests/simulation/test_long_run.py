"""A long run goes on where it was stopped, and its exit code tells what came of it."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from agent.actions import throttles
from simulation import __main__ as command
from simulation import figures, long_run
from simulation.figures import NOT_BY_DAEMONS, Figures
from simulation.long_run import Run


def _asked(monkeypatch: pytest.MonkeyPatch, folder: Path, *words: str) -> int:
    monkeypatch.chdir(folder)
    monkeypatch.setattr("sys.argv", ["sim", "--processes", "1", *words])
    return command.main()


def test_a_run_goes_on_where_it_was_stopped(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(long_run, "CHUNK", 1)
    first = Run(0, 3, tmp_path)
    first.done, first.figures = {0, 2}, Figures()
    first.figures.schedules = 2
    first._keep()
    second = Run(0, 3, tmp_path)
    assert "going on after 2 schedules" in capsys.readouterr().out
    second.play(1)
    told = capsys.readouterr().out
    assert "3 of 3 schedules, 0 violations" in told
    assert sum(second.figures.sets.values()) == 1, "only the one that was left is played"
    second.forget()
    assert not list(tmp_path.iterdir())


def test_other_code_begins_anew(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Of whatever is simulated: actions, too."""
    Run(0, 3, tmp_path)._keep()
    changed = tmp_path / "changed.py"
    changed.write_text("another = 1")
    monkeypatch.setattr(throttles, "__file__", str(changed))
    assert Run(0, 3, tmp_path)._file.name not in [path.name for path in tmp_path.iterdir()]
    assert throttles.__name__ in sys.modules


def test_the_exit_code_tells_a_violation_and_what_never_happened(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert _asked(monkeypatch, tmp_path, "--seed", "3", "--schedules", "1") == 0
    assert "fewer than 300 schedules" in capsys.readouterr().out
    monkeypatch.setattr(figures, "MANY", 1)
    assert _asked(monkeypatch, tmp_path, "--seed", "3", "--schedules", "1") == 2
    assert "never happened: " in capsys.readouterr().out
    monkeypatch.setattr("simulation.play.PATIENCE", -1.0)
    assert _asked(monkeypatch, tmp_path, "--seed", "3", "--schedules", "1") == 1
    assert "make sim SEED=3 TRACE=1   # I" in capsys.readouterr().out


def test_daemons_are_not_asked_for_what_they_cannot_show() -> None:
    """Once one schedule is played by the other driver, all is asked."""
    many = Figures()
    many.schedules = figures.ENOUGH
    many.sets["daemon-base"] = figures.ENOUGH
    assert not set(NOT_BY_DAEMONS).intersection(many.missing())
    many.sets["base"] = 1
    assert set(NOT_BY_DAEMONS) <= set(many.missing())


def test_a_run_is_asked_for_the_faults_of_its_own_sets() -> None:
    """What only other sets bring is no gap in it; once such a set is played, it is."""
    many = Figures()
    many.schedules = figures.ENOUGH
    many.sets["votes"] = figures.ENOUGH
    assert "fault: votes late" in many.missing()
    assert not {"raises", "fault: raise"}.intersection(many.missing())
    many.sets["upgrade"] = 1
    assert {"raises", "fault: raise"} <= set(many.missing())
