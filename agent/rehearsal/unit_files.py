"""Reads files of unit tests: promtool's, strictly, and beside its keys our own `remedy_tests`."""

from __future__ import annotations

import glob
import os
from collections.abc import Iterator, Sequence
from pathlib import Path

from agent.model import Place
from agent.rehearsal.case_forms import read_alert_cases, read_expr_cases, read_series
from agent.rehearsal.cases import AlertTest, UnitFile
from agent.rehearsal.readers import any_text, start_timestamp
from agent.rehearsal.story_files import read_story
from agent.yaml_marks import Complaint, Complaints, Form, Severity, compose
from agent.yaml_marks.compose import MAX_BYTES
from agent.yaml_marks.readers import duration, flag, pairs, texts

MINUTE_MS = 60_000
MOST_TICKS = 1_000_000  # evaluations of all rules in one test
REMEDIES = "remedies.yml"


def read_file(path: Path, complaints: Complaints) -> UnitFile | None:
    """The tests of one file, None where it holds none; `complaints` gets what is wrong. Raises OSError."""
    with path.open("rb") as file:
        root = compose(str(path), file.read(MAX_BYTES + 1), complaints)
    if root is None:
        return None
    unit = read_tests(Form(root, "a file of tests", complaints), path, complaints)
    _check(unit, complaints)
    return unit


def read_tests(form: Form, path: Path, complaints: Complaints) -> UnitFile:
    """The tests of one form; files that they name are looked for beside `path`."""
    interval = form.get("evaluation_interval", duration, 0) or MINUTE_MS
    rule_files = tuple(dict.fromkeys(_globbed(form, "rule_files", path.parent, complaints)))
    order = form.get("group_eval_order", texts, ())
    if len(set(order)) < len(order):
        form.complain("a group is named twice", key="group_eval_order")
    unit = UnitFile(
        path=path,
        rule_files=rule_files,
        remedy_files=tuple(_globbed(form, "remedy_files", path.parent, complaints)) or _beside(rule_files),
        evaluation_interval=interval,
        order=order,
        fuzzy=form.get("fuzzy_compare", flag, False),
        tests=tuple(_test(f, n, interval) for n, f in enumerate(form.forms("tests", "a test"))),
        remedy_tests=tuple(read_story(story, interval) for story in form.forms("remedy_tests", "a story")),
    )
    form.close()
    return unit


def _test(form: Form, number: int, evaluation_interval: int) -> AlertTest:
    test = AlertTest(
        name=form.get("name", any_text, "") or f"unnamed#{number}",
        place=form.place,
        interval=form.get("interval", duration, 0) or evaluation_interval,
        series=read_series(form),
        alerts=read_alert_cases(form),
        exprs=read_expr_cases(form),
        external_labels=form.get("external_labels", pairs, ()),
        external_url=form.get("external_url", any_text, ""),
        start=form.get("start_timestamp", start_timestamp, 0),
    )
    if test.lasts > MOST_TICKS * evaluation_interval:
        form.complain(f"more than {MOST_TICKS} evaluations: take a longer evaluation_interval")
    form.close()
    return test


def _check(unit: UnitFile, complaints: Complaints) -> None:
    """What promtool lets pass is a warning, since its files are to run; in our own part it is an error."""
    names: set[str] = set()
    for test in unit.tests:
        if not test.alerts and not test.exprs:
            _warn(complaints, test, f"{test.name} expects nothing")
        if test.name in names:
            _warn(complaints, test, f"a test called {test.name!r} stands above already")
        names.add(test.name)
    for story in unit.remedy_tests:
        if story.name in names:
            complaints.add(story.place, f"a test called {story.name!r} stands above already")
        names.add(story.name)
        if not complaints and story.journal is None and story.left is None and not story.alerts:
            hint = "add `journal: |`, `left:` or `alert_rule_test:`"
            complaints.add(story.place, f"{story.name} expects nothing", hint)
    if not names:
        where, hint = Place(str(unit.path), 1, 1), "add `tests:` or `remedy_tests:`"
        complaints.add(where, "there is no test in it", hint)


def _warn(complaints: Complaints, test: AlertTest, message: str) -> None:
    complaints.take(Complaint(test.place, message, severity=Severity.WARNING))


def _globbed(form: Form, key: str, folder: Path, complaints: Complaints) -> Iterator[Path]:
    """Patterns as Go's filepath.Glob takes them, relative to the file of tests."""
    for pattern in form.get(key, texts, ()):
        found = sorted(glob.glob(pattern, root_dir=folder, include_hidden=True))  # noqa: PTH207  knows no `..`
        if not found:
            message = f"{key}: {pattern!r} matches no file in {folder}"
            complaints.take(Complaint(form.place, message, severity=Severity.WARNING))
        yield from (Path(os.path.normpath(folder / name)) for name in found)


def _beside(rule_files: Sequence[Path]) -> tuple[Path, ...]:
    found = dict.fromkeys(path.parent / REMEDIES for path in rule_files)
    return tuple(path for path in found if path.is_file())
