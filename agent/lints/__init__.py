"""Lints: what can be used and is probably a mistake. One file a lint, one page a lint in docs/rules/."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from agent.lints.allows import allowed
from agent.lints.blind_here import blind_here
from agent.lints.case import Case, Facts, Finding, Metric
from agent.lints.cluster_wide import cluster_wide
from agent.lints.counter_without_rate import counter_without_rate
from agent.lints.label_lost import label_lost
from agent.lints.logs_only import logs_only
from agent.lints.nameless_selector import nameless_selector
from agent.lints.nan_compare import nan_compare
from agent.lints.no_comparison import no_comparison
from agent.lints.no_runbook import no_runbook
from agent.lints.rate_of_gauge import rate_of_gauge
from agent.lints.regex_greedy import regex_greedy
from agent.lints.regex_super_linear import regex_super_linear
from agent.lints.self_fulfilling_verify import self_fulfilling_verify
from agent.lints.short_range import short_range
from agent.lints.single_signal import single_signal
from agent.lints.template_unsupported import template_unsupported
from agent.lints.unknown_label import unknown_label
from agent.lints.window_too_long import window_too_long
from agent.rulebook import Marks, Rulebook
from agent.yaml_marks import Complaint

__all__ = ["LINTS", "Facts", "Metric", "judge"]

Lint = Callable[[Case], Iterator[Finding]]
LINTS: tuple[tuple[str, Lint], ...] = (
    ("blind-here", blind_here),
    ("cluster-wide", cluster_wide),
    ("window-too-long", window_too_long),
    ("short-range", short_range),
    ("counter-without-rate", counter_without_rate),
    ("rate-of-gauge", rate_of_gauge),
    ("no-comparison", no_comparison),
    ("nan-compare", nan_compare),
    ("nameless-selector", nameless_selector),
    ("label-lost", label_lost),
    ("unknown-label", unknown_label),
    ("template-unsupported", template_unsupported),
    ("single-signal", single_signal),
    ("logs-only", logs_only),
    ("self-fulfilling-verify", self_fulfilling_verify),
    ("no-runbook", no_runbook),
    ("regex-greedy", regex_greedy),
    ("regex-super-linear", regex_super_linear),
)


def judge(book: Rulebook, marks: Marks, facts: Facts) -> Iterator[Complaint]:
    """What all lints find in the rules, without what comments in the files allow."""
    yield from allowed(book, marks, _found(Case(book, marks, facts)), [id_ for id_, _ in LINTS])


def _found(case: Case) -> Iterator[Complaint]:
    for id_, lint in LINTS:
        for found in lint(case):
            yield Complaint(found.place, found.message, found.hint, "", found.width, found.severity, id_)
