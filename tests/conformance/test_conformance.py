"""Prometheus's own test scripts: all that is supported passes, and nothing slips out of support."""

from __future__ import annotations

import pytest
from engine import SCRIPTS, Engine, load_runner

EXPECTED = {  # file: (passed, unsupported); only ever move numbers to the left
    "aggregators.test": (123, 37),
    "functions.test": (292, 139),
    "literals.test": (25, 0),
    "name_label_dropping.test": (30, 0),
    "operators.test": (142, 72),
    "range_queries.test": (16, 2),
    "selectors.test": (31, 0),
    "subquery.test": (32, 2),
}
REASONS = (  # why a case may be unsupported; nothing else is an excuse
    "native histogram",
    "custom-bucket native histogram",
    "is experimental in Prometheus and not supported",
)


@pytest.mark.parametrize("pinned", [False, True], ids=["plain", "at"])
@pytest.mark.parametrize("file", sorted(EXPECTED))
def test_prometheus_answers_are_ours(file: str, pinned: bool) -> None:
    """Annotations and errors' texts included; and again with `@` on every selector, at other times."""
    if not (SCRIPTS / file).exists():
        pytest.skip(f"Prometheus's test scripts and their runner are not at {SCRIPTS}")
    runner = load_runner()
    options = {"pin": runner.pin_at} if pinned else {"fail_messages": True}
    report = runner.run(str(SCRIPTS / file), Engine(), **options)
    failed = [f"{file}:{c.line}: {c.expr}: {c.detail}" for c in report.cases if c.status == "fail"]
    assert not failed, "\n".join(failed)
    odd = [
        c.detail
        for c in report.cases
        if c.status == "unsupported" and not any(r in c.detail for r in REASONS)
    ]
    assert not odd, odd
    assert not [c for c in report.cases if "annotations" in c.unchecked]
    counts = report.counts()
    assert (counts["pass"], counts["unsupported"]) == EXPECTED[file]
