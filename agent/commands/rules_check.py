"""`ottla rules check`: everything that is wrong with rule files."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path

import click

from agent import actions
from agent.promql import compile  # noqa: A004  what it does, as in re.compile
from agent.rulebook import BadRules, Complaint, Rulebook, load
from agent.sources import cluster, host, jmx_names, jolokia, logs, schedule
from agent.sources.log_patterns import metric_of
from agent.yaml_marks import as_github, as_json, as_text, closest

RULES = Path("/etc/ottla/rules")
_FORMATS: Mapping[str, Callable[[Iterable[Complaint]], str]] = {
    "text": as_text,
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
def check(paths: tuple[Path, ...], form: str) -> None:
    """Say everything that is wrong with the rules in PATH, folders or files [default: /etc/ottla/rules].

    Remedies may only name alerts that are among the paths. Metrics that no source here collects are noted.
    Exit code 0: nothing is wrong, 1: something is, 2: the command was.
    """
    specs = {name: actions.spec(cls) for name, cls in actions.load().items()}
    try:
        book = load(paths or (RULES,), specs)
    except BadRules as bad:
        click.echo(_FORMATS[form](bad.complaints))
        if form == "text":
            click.echo(_count(len(bad.complaints), "problem"), err=True)
        sys.exit(1)
    if form == "text":
        for note in _uncollected(book):
            click.echo(f"note: {note}", err=True)
    click.echo(_summary(book) if form == "text" else _FORMATS[form](()))


def _uncollected(book: Rulebook) -> Iterator[Complaint]:
    """Metrics that no source collects. No mistake: the file may be meant for a central Prometheus too."""
    sources = (host.METRICS, cluster.METRICS, logs.METRICS, jolokia.METRICS, schedule.METRICS)
    known = {metric.name for metrics in sources for metric in metrics} | jmx_names.load().keys()
    known |= {metric_of(pattern) for pattern in book.logs}
    for alert in book.alerts:
        for name in sorted(compile(alert.expr).names - known):
            message = f"nothing here collects {name!r}, which {alert.name} reads: it will stay blind"
            yield Complaint(alert.place, message, closest(name, known))


def _summary(book: Rulebook) -> str:
    acting = sum(remedy.mode == "act" for remedy in book.remedies.values())
    counts = ", ".join(
        (
            _count(len(book.alerts), "alert"),
            f"{_count(len(book.remedies), 'remedy', 'remedies')} ({acting} may act)",
            _count(len(book.logs), "log pattern"),
        )
    )
    return f"{counts}: nothing is wrong"


def _count(number: int, one: str, many: str | None = None) -> str:
    return f"{number} {one if number == 1 else many or one + 's'}"
