"""One rule's plot as SVG: its series, threshold, when it was pending and fired, what would have been done."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from html import escape

from agent.backtest.behind import POINTS, Behind, Curve
from agent.backtest.lives import Lives
from agent.backtest.run import Backtest
from agent.backtest.words import decided, end_of, fired, named, told, when
from agent.model import Decision, Entry, Kind

WIDTH, HEIGHT, LEFT, TOP, BOTTOM = 960, 190, 70, 8, 24
_MARKS = 300  # of decisions in one plot; a refusal each second would hide all others
_STRIP = 14
_SHAPES: Mapping[Kind, tuple[str, str]] = {  # a triangle, a cross, a triangle on its head
    Kind.STARTED: ("act", "l-6 11h12z"),
    Kind.REFUSED: ("no", "m-4 0l8 8m-8 0l8 -8"),
    Kind.ESCALATED: ("call", "m-6 0h12l-6 11z"),
}


@dataclass(frozen=True, slots=True)
class Frame:
    """Where times and values stand in the plot."""

    start: int
    end: int
    low: float
    high: float

    def x(self, at: int) -> float:
        """The column of a time."""
        return round(LEFT + (WIDTH - LEFT) * (at - self.start) / max(1, self.end - self.start), 1)

    def y(self, value: float) -> float:
        """The line of a value."""
        share = (value - self.low) / (self.high - self.low)
        return round(TOP + (HEIGHT - TOP - BOTTOM) * (1 - share), 1)


def plot(lives: Lives, series: Behind, found: Backtest, name: str) -> str:
    """The figure; `name` is unique on the page, for those who hear it."""
    frame = Frame(found.grid.start, found.grid.end, *_range(series))
    own = [(entry, what) for entry, what in decided(found.entries) if what.alert == lives.rule.name]
    parts = [
        f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-labelledby="{name}-t {name}-d">',
        f'<title id="{name}-t">{escape(lives.rule.name)}</title>',
        f'<desc id="{name}-d">{escape(_description(lives, series))}</desc>',
        *_axes(frame),
        *_spans(lives, found, frame),
        *(_line(curve, number, frame) for number, curve in enumerate(series.curves)),
        *_threshold(series, frame),
        *_decisions(own, frame),
        "</svg>",
    ]
    return "\n".join(parts)


def strip(lives: Lives, found: Backtest) -> str:
    """The rule's time as one line of the overview."""
    length = max(1, found.grid.end - found.grid.start)

    def box(kind: str, start: int, end: int) -> str:
        x, wide = (start - found.grid.start) / length * 600, max(1.5, (end - start) / length * 600)
        return f'<rect class="{kind}" x="{x:.1f}" y="0" width="{wide:.1f}" height="{_STRIP}"/>'

    boxes = [box(f"n {s.health}", s.start, s.end) for s in lives.stretches()]
    boxes += [box("p", life.pending_at, life.fired_at or end_of(life, found)) for life in lives.lives]
    boxes += [box("f", life.fired_at or 0, end_of(life, found)) for life in fired(lives)]
    return (
        f'<svg class="strip" viewBox="0 0 600 {_STRIP}" preserveAspectRatio="none" aria-hidden="true">'
        f'<rect class="q" x="0" y="0" width="600" height="{_STRIP}"/>{"".join(boxes)}</svg>'
    )


def _range(series: Behind) -> tuple[float, float]:
    """The lowest and the highest value, with room around; the threshold is among them."""
    values = [value for curve in series.curves for _, low, high in curve.points for value in (low, high)]
    values += [] if series.threshold is None else [series.threshold]
    low, high = min(values, default=0.0), max(values, default=1.0)
    room = (high - low) * 0.06 or abs(high) * 0.1 or 1.0
    return low - room, high + room


def _description(lives: Lives, series: Behind) -> str:
    lines = len(series.curves)
    words = f"{lives.rule.expr}: {lines} series drawn" + (
        f", {series.more} more left out" if series.more else ""
    )
    return f"{words}; fired {len(fired(lives))} times. The table below says when."


def _axes(frame: Frame) -> Iterator[str]:
    bottom = HEIGHT - BOTTOM
    yield f'<line class="axis" x1="{LEFT}" y1="{bottom}" x2="{WIDTH}" y2="{bottom}"/>'
    for number in range(3):
        value = frame.low + (frame.high - frame.low) * (0.05 + 0.45 * number)
        yield f'<text class="y" x="{LEFT - 6}" y="{frame.y(value) + 4}">{value:.4g}</text>'
    for number in range(6):
        at = frame.start + (frame.end - frame.start) * number // 6
        yield f'<text class="x" x="{frame.x(at)}" y="{HEIGHT - 6}">{when(at)[5:16]}</text>'


def _spans(lives: Lives, found: Backtest, frame: Frame) -> Iterator[str]:
    for stretch in lives.stretches():
        words = f"{stretch.health}: {stretch.why}"
        yield _rect(f"n {stretch.health}", stretch.start, stretch.end, frame, words)
    for life in lives.lives:
        who = f"{lives.rule.name}{named(life.labels)}"
        until = life.fired_at or end_of(life, found)
        if until > life.pending_at:
            yield _rect("p", life.pending_at, until, frame, f"{who} pending from {when(life.pending_at)}")
        if life.fired_at is not None:
            words = f"{who} firing from {when(life.fired_at)} to {when(end_of(life, found))}"
            yield _rect("f", life.fired_at, end_of(life, found), frame, words)


def _rect(kind: str, start: int, end: int, frame: Frame, words: str) -> str:
    x, wide = frame.x(start), max(1.0, round(frame.x(end) - frame.x(start), 1))
    where = f'x="{x}" y="{TOP}" width="{wide}" height="{HEIGHT - TOP - BOTTOM}"'
    return f'<rect class="{kind}" {where}><title>{escape(words)}</title></rect>'


def _line(curve: Curve, number: int, frame: Frame) -> str:
    """Down each column from the highest to the lowest value; broken where there was nothing."""
    gap = 2.5 * (frame.end - frame.start) / POINTS
    steps, last = [], None
    for at, low, high in curve.points:
        begin = "M" if last is None or at - last > gap else "L"
        steps.append(
            f"{begin}{frame.x(at)} {frame.y(high)}" + (f"V{frame.y(low)}" if low != high else "h0.1")
        )
        last = at
    words = escape(named(curve.labels) or "the result")
    return f'<path class="s s{number}" d="{"".join(steps)}"><title>{words}</title></path>'


def _threshold(series: Behind, frame: Frame) -> Iterator[str]:
    if series.threshold is not None:
        y = frame.y(series.threshold)
        words = f"<title>threshold {series.threshold:g}</title>"
        yield f'<line class="t" x1="{LEFT}" y1="{y}" x2="{WIDTH}" y2="{y}">{words}</line>'


def _decisions(entries: Sequence[tuple[Entry, Decision]], frame: Frame) -> Iterator[str]:
    marked = [pair for pair in entries if pair[0].kind in _SHAPES]
    for entry, decision in marked[:_MARKS]:
        kind, shape = _SHAPES[entry.kind]
        words = escape(f"{when(entry.at)} {told(entry, decision)}")
        yield f'<path class="{kind}" d="M{frame.x(entry.at)} {TOP + 2}{shape}"><title>{words}</title></path>'
