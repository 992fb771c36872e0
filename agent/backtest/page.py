"""A backtest as one HTML page: no scripts, nothing fetched, readable by light, by dark and by ear."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterable, Iterator
from html import escape
from importlib import resources

from agent.backtest.behind import Behind, behind
from agent.backtest.lives import Life, Lives
from agent.backtest.plot import plot, strip
from agent.backtest.run import Backtest
from agent.backtest.words import end_of, fired, firing_ms, long, named, shown, told, when
from agent.model import RuleHealth
from agent.recording.limits import Allowance

_ROWS = 500  # of one table; what is left out is told


def page(found: Backtest, allowance: Allowance | None = None) -> str:
    """The whole document. Raises BadHistory where a limit is passed."""
    allowed = allowance or Allowance()
    told_of = [each for each in found.rules if _is_worth_a_plot(each)]
    style = resources.files("agent.backtest").joinpath("page.css").read_text()
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    policy = f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"
    parts = [
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">',
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">',
        '<meta name="viewport" content="width=device-width, initial-scale=1">',
        f"<title>Backtest, {when(found.grid.start)}</title><style>{style}</style></head><body><main>",
        *_head(found),
        *_overview(found, told_of),
        *(
            part
            for number, each in enumerate(told_of)
            for part in _section(each, found, f"r{number}", allowed)
        ),
        "</main></body></html>\n",
    ]
    return "\n".join(parts)


def _is_worth_a_plot(each: Lives) -> bool:
    return bool(each.lives) or any(s.health is not RuleHealth.COLD for s in each.stretches())


def _head(found: Backtest) -> Iterator[str]:
    grid = found.grid
    yield f"<h1>Rules over {when(grid.start)} to {when(grid.end)} UTC</h1>"
    yield (
        f"<p>Judged each {long(grid.step)} on {found.store.samples:,} samples"
        f" of {found.store.count:,} series."
        ' <span class="key f"></span>firing<span class="key p"></span>pending<span class="key n"></span>'
        "not judged (cold, blind, failing, storm). In the plots a triangle is an action that would have"
        " begun, a cross a refusal, a triangle on its head a call for a person; the broken line is the"
        " threshold.</p>"
    )
    yield f"<ul>{''.join(f'<li>{escape(note)}</li>' for note in found.notes)}</ul>" if found.notes else ""
    yield f"<p>Assumed:</p><ul>{''.join(f'<li>{escape(words)}</li>' for words in found.assumed)}</ul>"


def _overview(found: Backtest, told_of: list[Lives]) -> Iterator[str]:
    heads = "".join(f"<th>{words}</th>" for words in ("rule", "time", "fired", "for"))
    yield f'<table class="overview"><thead><tr>{heads}</tr></thead><tbody>'
    for each in found.rules:
        name = escape(each.rule.name)
        link = f'<a href="#r{told_of.index(each)}">{name}</a>' if each in told_of else name
        times, count = long(firing_ms(each, found)), len(fired(each))
        yield f"<tr><td>{link}</td><td>{strip(each, found)}</td><td>{count}</td><td>{times}</td></tr>"
    yield "</tbody></table>"


def _section(each: Lives, found: Backtest, name: str, allowance: Allowance) -> Iterator[str]:
    yield f'<section id="{name}"><h2>{escape(each.rule.name)}</h2>'
    yield f"<p><code>{escape(each.rule.expr)}</code></p>"
    series = behind(each, found, allowance)
    if series.curves or each.lives:
        yield plot(each, series, found, name)
        yield f'<p class="dim">{"".join(_keys(series))}</p>'
    rows = [
        (when(life.pending_at), f"{_told(life)} {named(life.labels)}", f"until {when(end_of(life, found))}")
        for life in each.lives
    ]
    rows += [(when(s.start), f"{s.health}: {s.why}", f"until {when(s.end)}") for s in each.stretches()]
    for entry, decision in shown(found.entries):
        if decision.alert == each.rule.name:
            rows.append((when(entry.at), told(entry, decision), ""))
    yield f"<details><summary>{len(rows)} facts</summary>{_table(sorted(rows))}</details></section>"


def _keys(series: Behind) -> Iterator[str]:
    """Which line is which."""
    for number, curve in enumerate(series.curves):
        yield f'<span class="key k{number}"></span><code>{escape(named(curve.labels) or "the result")}</code>'
    if series.more:
        yield f" and {series.more} more"


def _told(life: Life) -> str:
    return "pending" if life.fired_at is None else f"pending, fired {when(life.fired_at)} at {life.value:.6g}"


def _table(rows: Iterable[tuple[str, str, str]]) -> str:
    kept = list(rows)
    lines = "".join(f"<tr>{''.join(f'<td>{escape(cell)}</td>' for cell in row)}</tr>" for row in kept[:_ROWS])
    more = f"<p>and {len(kept) - _ROWS} more</p>" if len(kept) > _ROWS else ""
    heads = "<thead><tr><th>when (UTC)</th><th>what</th><th></th></tr></thead>"
    return f"<table>{heads}<tbody>{lines}</tbody></table>{more}"
