"""`ottla rules backtest` and `ottla rules diff`: rules over recorded history."""

from __future__ import annotations

import shutil
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import click
from msgspec.structs import replace

from agent import actions
from agent.backtest.difference import difference
from agent.backtest.history import Asked, Past, read
from agent.backtest.needs import needs
from agent.backtest.page import page
from agent.backtest.run import Backtest
from agent.backtest.run import backtest as run
from agent.backtest.timeline import text
from agent.backtest.words import plain
from agent.commands.options import output, tell
from agent.commands.progress import Progress
from agent.commands.spans import DURATION, INSTANT
from agent.model import ActionSpec, Mode
from agent.recording.limits import Allowance, BadHistory
from agent.rulebook import BadRules, Rulebook, load
from agent.yaml_marks import as_text

_RULES = click.Path(path_type=Path)


def _history(command: Callable[..., Any]) -> Callable[..., Any]:
    """The options that say which history, and which part of it."""
    for option in (
        click.option(
            "--timeout", type=DURATION, default="10m", show_default=True, help="Give up after this."
        ),
        click.option("--where", multiple=True, metavar="LABEL=VALUE", help="Only series with this label."),
        click.option(
            "--log-zone", metavar="ZONE", help="Of log lines that name none [default: this machine's]."
        ),
        click.option(
            "--logs",
            multiple=True,
            type=click.Path(path_type=Path),
            help="A log file, rotated or packed ones too, for the patterns of logs.yml.",
        ),
        click.option(
            "--interval", type=DURATION, default="15s", show_default=True, help="Between judgements."
        ),
        click.option("--last", type=DURATION, help="Only so long before the end [default of a server: 24h]."),
        click.option("--end", type=INSTANT, help="Judge until then [default: the end of the history]."),
        click.option("--start", type=INSTANT, help="Judge from then on [default: its beginning]."),
        click.option(
            "--from",
            "places",
            multiple=True,
            metavar="URL|FILE",
            help="A server with Prometheus's API, an OpenMetrics file, a recording; several are one.",
        ),
    ):
        command = option(command)
    return command


@click.command()
@click.argument("rules", nargs=-1, required=True, type=_RULES)
@_history
@click.option("--as-if-act", is_flag=True, help="Take remedies that only observe or propose for acting ones.")
@click.option("--html", type=click.Path(dir_okay=False, path_type=Path), help="Write a page with plots too.")
@click.option("--every", is_flag=True, help="Tell each alert and each decision.")
@output
def backtest(rules: tuple[Path, ...], **options: Any) -> None:
    """Run RULES (folders or files) over recorded history: what would have fired, and been done or refused.

    History does not react: an action that would have begun is taken for done, and verified on what was
    recorded. What history does not tell is assumed and named. Exit code 0: it ran; 1: history or rules
    cannot be read.
    """
    book = _acting(_book(rules), options["as_if_act"])
    with Progress() as progress:
        (found,) = _run([book], options, progress)
        if options["html"] is not None:
            _write(options["html"], page(found))
    tell(options["output"], plain(found), text(found, _width(), every=options["every"]))


@click.command()
@click.argument("old", type=_RULES)
@click.argument("new", type=_RULES)
@_history
@click.option("--as-if-act", is_flag=True, help="Take remedies that only observe or propose for acting ones.")
@output
def diff(old: Path, new: Path, **options: Any) -> None:
    """Say what the rules in NEW would have done differently from those in OLD, on the same history.

    Exit code 0: nothing, 1: something, or history or rules cannot be read.
    """
    books = [_acting(_book((each,)), options["as_if_act"]) for each in (old, new)]
    with Progress() as progress:
        before, after = _run(books, options, progress)
    found = difference(before, after)
    tell(options["output"], found.plain(), found.text())
    sys.exit(1 if found.changes else 0)


def _run(books: Sequence[Rulebook], options: Mapping[str, Any], progress: Progress) -> list[Backtest]:
    """All on the same past."""
    asked, specs = _asked(options), _specs()
    allowance = Allowance(deadline=time.monotonic() + options["timeout"] / 1000)
    patterns = {pattern.name: pattern for book in books for pattern in book.logs}
    try:
        wanted = needs(books, options["where"])
        past: Past = read(asked, wanted, tuple(patterns.values()), allowance, progress.tell)
        return [run(book, specs, past, allowance, progress.tell) for book in books]
    except (BadHistory, ValueError) as error:
        raise click.ClickException(str(error)) from error


def _asked(options: Mapping[str, Any]) -> Asked:
    if not options["places"] and not options["logs"]:
        raise click.UsageError(
            "no history: say --from http://prometheus:9090, --from FILE or --logs server.log"
        )
    if options["interval"] < 1000:
        raise click.UsageError("--interval is at least 1s")
    try:
        zone = ZoneInfo(options["log_zone"]) if options["log_zone"] else None
    except (ZoneInfoNotFoundError, ValueError) as error:
        raise click.UsageError(
            f"no time zone {options['log_zone']!r}: write it like Europe/Berlin or UTC"
        ) from error
    return Asked(
        options["places"],
        options["logs"],
        zone,
        options["start"],
        options["end"],
        options["last"],
        options["interval"],
    )


def _book(paths: Sequence[Path]) -> Rulebook:
    try:
        return load(paths, _specs())
    except BadRules as bad:
        raise click.ClickException(f"the rules cannot be used:\n{as_text(bad.complaints)}") from bad


def _specs() -> dict[str, ActionSpec]:
    return {name: actions.spec(cls) for name, cls in actions.load().items()}


def _acting(book: Rulebook, wanted: bool) -> Rulebook:
    if not wanted:
        return book
    remedies = {name: replace(remedy, mode=Mode.ACT) for name, remedy in book.remedies.items()}
    return replace(book, remedies=remedies)


def _write(path: Path, text: str) -> None:
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise click.ClickException(f"{path} cannot be written: {error.strerror}") from error


def _width() -> int:
    return shutil.get_terminal_size((100, 24)).columns
