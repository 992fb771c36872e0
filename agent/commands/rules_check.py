"""`ottla rules check`: everything that is wrong with rule files, and what is probably a mistake."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path

import click

from agent.commands import options
from agent.commands.rule_facts import facts, specs
from agent.commands.rules_live import missing
from agent.commands.streams import remark
from agent.config.rule_files import names_of
from agent.lints import judge
from agent.rulebook import Complaint, Reading, Rulebook, read
from agent.yaml_marks import Complaints, Severity, as_github, as_json, as_text

RULES = Path("/etc/ottla/rules")
_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)
_FORMATS: Mapping[str, Callable[[Sequence[Complaint]], str]] = {
    "text": partial(as_text, colours=True),  # taken off again where there is no terminal
    "json": as_json,
    "github": as_github,
}


@click.command()
@click.argument("paths", metavar="[PATH...]", nargs=-1, type=click.Path(exists=True, path_type=Path))
@click.option(
    "--format",
    "-o",
    "form",
    type=click.Choice(list(_FORMATS)),
    default="text",
    show_default=True,
    help="text for people, json for programs, github for a workflow's annotations.",
)
@click.option("--strict", is_flag=True, help="Warnings fail as well.")
@click.option("--agent", "url", metavar="URL", help="Also ask this agent what its selectors match now.")
@click.option("--socket", type=click.Path(path_type=Path), help="The same, over an agent's unix socket.")
@click.option("--names", type=_FILE, help="The host's file of metric names: `names` of its configuration.")
def check(
    paths: tuple[Path, ...], form: str, strict: bool, url: str | None, socket: Path | None, names: Path | None
) -> None:
    """Say everything that is wrong with the rules in PATH, folders or files [default: /etc/ottla/rules].

    Remedies may only name alerts that are among the paths. What can be used but is probably a mistake is a
    warning, or a note, with the id of a page in docs/rules/; `# ottla: allow <id>: <reason>` on a rule
    switches it off there. Exit code 0: no errors, 1: errors (--strict: or warnings), 2: a wrong command.
    """
    reading = read(paths or (RULES,), specs())
    address = socket or url
    said = missing(address, reading.book) if address else frozenset()
    known = facts(reading.book, said, names_of(names, reading.complaints))
    for complaint in judge(reading.book, reading.marks, known):
        reading.complaints.take(complaint)
    _tell(reading, form)
    failing = (Severity.ERROR, Severity.WARNING) if strict else (Severity.ERROR,)
    sys.exit(1 if any(map(reading.complaints.count, failing)) else 0)


def _tell(reading: Reading, form: str) -> None:
    complaints = reading.complaints.sorted()
    if complaints or form != "text":
        options.echo(_FORMATS[form](complaints))
    if form != "text":
        return
    if complaints:
        remark(_counted(reading.complaints))
    if not reading.complaints:
        click.echo(_summary(reading.book))


def _counted(complaints: Complaints) -> str:
    words = {Severity.ERROR: "problem", Severity.WARNING: "warning", Severity.NOTE: "note"}
    counts = ((complaints.count(severity), word) for severity, word in words.items())
    return ", ".join(_count(count, word) for count, word in counts if count)


def _summary(book: Rulebook) -> str:
    acting = sum(remedy.mode == "act" for remedy in book.remedies.values())
    counts = [
        _count(len(book.alerts), "alert"),
        f"{_count(len(book.remedies), 'remedy', 'remedies')} ({acting} may act)",
        _count(len(book.logs), "log pattern"),
    ]
    if book.records:
        counts.insert(1, _count(len(book.records), "recording rule"))
    return f"{', '.join(counts)}: nothing is wrong"


def _count(number: int, one: str, many: str | None = None) -> str:
    return f"{number} {one if number == 1 else many or one + 's'}"
