"""`ottla rules test`: the unit tests of rules and remedies."""

from __future__ import annotations

import re
import sys
import time
from pathlib import Path

import click

from agent.commands import options, verdicts
from agent.commands.progress import Progress
from agent.commands.rule_facts import specs
from agent.commands.rules_check import RULES
from agent.commands.streams import remark
from agent.commands.unlogged import unlogged
from agent.rehearsal.rehearse import Rehearsal
from agent.rehearsal.verdicts import Verdict
from agent.yaml_marks import Severity, as_json, as_text


def _pattern(_: click.Context, __: click.Parameter, value: str) -> re.Pattern[str]:
    try:
        return re.compile(value)
    except re.error as error:
        raise click.BadParameter(f"not a regular expression: {error}") from None


@click.command()
@click.argument("paths", metavar="[PATH...]", nargs=-1, type=click.Path(exists=True, path_type=Path))
@click.option("--run", "pattern", metavar="REGEX", default="", callback=_pattern, help="Only tests so named.")
@click.option("--junit", metavar="FILE", type=click.Path(path_type=Path), help="Also write JUnit's XML.")
@options.output
def test(paths: tuple[Path, ...], pattern: re.Pattern[str], junit: Path | None, output: str) -> None:
    """Run the unit tests in PATH: files, or folders with files called tests.yml or *_test.yml
    [default: /etc/ottla/rules].

    Files of `promtool test rules` are run as they are, with the results of Prometheus 3; `remedy_tests` in
    them play stories through the agent's own loop. Exit code 0: all passed, 1: a test failed, 2: a file or
    the command is wrong.
    """
    rehearsal = _read(paths or (RULES,), output)
    chosen = rehearsal.chosen(pattern)
    if not chosen:
        raise click.UsageError(
            "there is no test of that name here" if pattern.pattern else "there are no tests here"
        )
    began, found = time.perf_counter(), list[Verdict]()
    with unlogged("agent"), Progress() as progress:
        for number, (unit, one) in enumerate(chosen):
            progress.tell(f"{number} of {len(chosen)} tests: {unit.path}: {one.name}")
            found.append(rehearsal.run(unit, one))
    seconds = time.perf_counter() - began
    options.tell(output, verdicts.as_plain(found, seconds), verdicts.as_text(found, seconds))
    if junit is not None:
        _write(junit, verdicts.as_junit(found, seconds))
    sys.exit(1 if any(verdict.failures for verdict in found) else 0)


def _read(paths: tuple[Path, ...], output: str) -> Rehearsal:
    """What was found; the process ends here where a file is wrong."""
    try:
        rehearsal = Rehearsal(paths, specs())
    except OSError as error:
        raise click.UsageError(f"{error.filename} cannot be read: {error.strerror}") from None
    complaints = rehearsal.complaints
    wrong = any(complaint.severity is Severity.ERROR for complaint in complaints)
    if wrong and output == "json":
        click.echo(as_json(complaints))
    elif complaints:
        remark(as_text(complaints))
    if wrong:
        sys.exit(2)
    return rehearsal


def _write(path: Path, text: str) -> None:
    try:
        path.write_text(text)
    except OSError as error:
        raise click.UsageError(f"{path} cannot be written: {error.strerror}") from None
