"""What Prometheus's API answers: each question is read here at once, and worked out later, in a thread."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence

from agent.model import Labels
from agent.promql import (
    Answer,
    BadExpression,
    Expression,
    Limits,
    TooMuch,
    compile,  # noqa: A004  the engine's word
    query,
    query_range,
)
from agent.promql.nodes import LOOKBACK_MS, Selector
from agent.series import Series
from agent.surface import Surface
from agent.web import rule_groups
from agent.web.prometheus_forms import BadParameter, Form
from agent.web.prometheus_json import answered, listed, plain
from agent.web.query_threads import GaveUp, Leash
from agent.web.rule_filters import page, wanted

MAX_SAMPLES = 10_000_000  # some 300 MB at the worst
MAX_POINTS = 11_000  # of one series, as in Prometheus
API_VERSION = "3.5.0"  # the Prometheus whose API this is: its clients choose by it what they ask

Work = Callable[[Leash], list[bytes]]
Question = Callable[[Form, Surface], Work]


def instant_query(form: Form, surface: Surface) -> Work:
    """/api/v1/query."""
    at, limit, text = form.instant("time", surface.now()), form.limit(), form.text("query")
    series = surface.series
    _check_lookback(form)

    def work(leash: Leash) -> list[bytes]:
        expression = _compiled(text)
        return answered(_in_time(leash, lambda limits: query(expression, series, at, limits)), at, limit)

    return work


def range_query(form: Form, surface: Surface) -> Work:
    """/api/v1/query_range."""
    start, end, step = form.instant("start"), form.instant("end"), form.duration("step")
    if end < start:
        raise BadParameter("end", "end timestamp must not be before start time")
    if step <= 0:
        why = "zero or negative query resolution step widths are not accepted. Try a positive integer"
        raise BadParameter("step", why)
    if (end - start) // step > MAX_POINTS:
        why = f"exceeded maximum resolution of {MAX_POINTS:,} points per timeseries."
        raise BadParameter("step", f"{why} Try decreasing the query resolution (?step=XX)")
    limit, text, series = form.limit(), form.text("query"), surface.series
    _check_lookback(form)

    def work(leash: Leash) -> list[bytes]:
        expression = _compiled(text, step, end - start)
        if expression.kind not in ("scalar", "vector"):
            kind = {"matrix": "range vector"}.get(expression.kind, expression.kind)
            why = f'invalid expression type "{kind}" for range query, must be Scalar or instant Vector'
            raise BadParameter("query", why)
        found = _in_time(leash, lambda limits: query_range(expression, series, start, end, step, limits))
        return answered(found, end, limit)

    return work


def exemplars(form: Form, _: Surface) -> Work:
    """/api/v1/query_exemplars: there are none."""
    text = form.text("query")

    def work(_: Leash) -> list[bytes]:
        _compiled(text)
        return plain([])

    return work


def series(form: Form, surface: Surface) -> Work:
    """/api/v1/series."""
    if not form.many("match[]"):
        raise BadParameter("match[]", "no match[] parameter provided")
    return _of_series(form, surface, lambda found: [dict(labels) for labels in found])


def label_names(form: Form, surface: Surface) -> Work:
    """/api/v1/labels."""
    return _of_series(form, surface, lambda found: sorted({name for labels in found for name, _ in labels}))


def label_values(name: str) -> Question:
    """/api/v1/label/<name>/values."""
    label = unescaped(name)

    def question(form: Form, surface: Surface) -> Work:
        return _of_series(
            form,
            surface,
            lambda found: sorted({value for labels in found for key, value in labels if key == label}),
        )

    return question


def rules(form: Form, surface: Surface) -> Work:
    """/api/v1/rules."""
    asked, groups = wanted(form), surface.groups()
    return lambda _: plain(page(groups, asked))


def alerts(_: Form, surface: Surface) -> Work:
    """/api/v1/alerts."""
    groups = surface.groups()
    return lambda _: plain({"alerts": list(rule_groups.active(groups))})


def metadata(form: Form, surface: Surface) -> Work:
    """/api/v1/metadata. One metric has one meaning here, so limit_per_metric cuts nothing."""
    limit, metric = form.limit(), form.text("metric")
    known = [m for m in surface.metadata() if metric in ("", m["metric"])]
    told = {m["metric"]: [{key: m[key] for key in ("type", "help", "unit")}] for m in known}
    cut = dict(list(told.items())[:limit]) if limit else told
    return lambda _: plain(cut)


def build_info(_: Form, surface: Surface) -> Work:
    """/api/v1/status/buildinfo: the API's version, and ours as the revision."""
    told = {"version": API_VERSION, "revision": surface.version, "branch": "ottla"}
    return lambda _: plain(told | {"buildUser": "", "buildDate": "", "goVersion": ""})


def unescaped(name: str) -> str:
    """A label's name as clients put it into a path: after `U__`, what no old name may hold as _hex_."""
    if not name.startswith("U__"):
        return name
    escapes = re.compile(r"__|_([0-9a-fA-F]{1,6})_|_")
    try:
        return escapes.sub(lambda m: "_" if m[0] == "__" else chr(int(m[1], 16)), name.removeprefix("U__"))
    except (TypeError, ValueError):  # a lone underscore, or no character's number: then it is not escaped
        return name


def _of_series(form: Form, surface: Surface, told: Callable[[Iterable[Labels]], Sequence[object]]) -> Work:
    (start, end), selectors, limit = form.since_until(), form.selectors(), form.limit()
    store = surface.series

    return lambda _: listed(told(_found(store, selectors, start, end)), limit)


def _found(store: Series, selectors: Iterable[Selector], start: int, end: int) -> Iterable[Labels]:
    """The series that any of the selectors finds with a sample from `start` to `end`; without any, all."""
    asked = [(s.name, s.matchers) for s in selectors] or [(None, ())]
    return {
        labels: None for name, matchers in asked for labels in store.labels_of(name, matchers, start - 1, end)
    }


def _compiled(text: str, step: int = 0, length: int = 0) -> Expression:
    try:
        return compile(text, step_ms=step, range_ms=length)
    except BadExpression as error:
        place = f"1:{error.column}: " if error.column else ""
        raise BadParameter("query", f"{place}parse error: {error.message}") from error


def _check_lookback(form: Form) -> None:
    if form.text("lookback_delta") and form.duration("lookback_delta") != LOOKBACK_MS:
        raise BadParameter("lookback_delta", "the lookback is 5m here, as the rules have it")


def _in_time(leash: Leash, ask: Callable[[Limits], Answer]) -> Answer:
    """The answer. GaveUp where it is time that ran out, TooMuch where it needs too many samples."""
    try:
        return ask(Limits(MAX_SAMPLES, leash.over))
    except TooMuch as error:
        if leash.over():
            raise GaveUp("query timed out in expression evaluation") from error
        raise
