"""`# ottla: allow <id>: <reason>`: what it covers, and what is said of it."""

from __future__ import annotations

from pathlib import Path

import pytest
from lint_cases import ids, lint, remedy

ALLOW = "# ottla: allow blind-here: a central Prometheus has it"
RULES = """\
groups:
  - name: g # group
    rules:
      # top
      - alert: A # name
        # inside
        expr: foo > 1 # expr
      # between

      # above B
      - record: b
        expr: |
          foo + 1
        # tail
# end
"""


@pytest.mark.parametrize(
    ("at", "found"),
    [
        ("# group", ["allow?", "blind-here?", "blind-here?"]),
        ("# top", ["blind-here?"]),
        ("# name", ["blind-here?"]),
        ("# inside", ["blind-here?"]),
        ("# expr", ["blind-here?"]),
        ("# above B", ["blind-here?"]),
        ("# between", ["allow?", "blind-here?", "blind-here?"]),  # a blank line ends what is above
        ("# tail", ["allow?", "blind-here?", "blind-here?"]),
        ("# end", ["allow?", "blind-here?", "blind-here?"]),
    ],
)
def test_it_covers_the_rule_that_it_stands_on_or_right_above(
    tmp_path: Path, at: str, found: list[str]
) -> None:
    """And no other; one that covers nothing is a note."""
    assert sorted(ids(tmp_path, alerts=RULES.replace(at, ALLOW))) == found


def test_several_lines_above_count_together(tmp_path: Path) -> None:
    """Two allows, and a word on the rule itself."""
    two = f"{ALLOW}\n      # what the rule is for\n      # ottla: allow no-comparison: it is meant"
    assert ids(tmp_path, alerts=RULES.replace("# top", two).replace("foo > 1", "foo")) == ["blind-here?"]


@pytest.mark.parametrize(
    ("comment", "said"),
    [
        (
            "# ottla: allow blind-here",
            "an allow needs a reason; write it like `# ottla: allow blind-here: <why>` [allow]",
        ),
        (
            "#ottla: allow blind-here:  ",
            "an allow needs a reason; write it like `# ottla: allow blind-here: <why>` [allow]",
        ),
        (
            "# ottla: allow blind-her: why",
            "there is no lint 'blind-her'; did you mean 'blind-here'? [allow]",
        ),
        (
            "# ottla: disable blind-here: why",
            "this says nothing to ottla; write it like `# ottla: allow blind-here: <why>` [allow]",
        ),
    ],
)
def test_one_that_is_wrong_is_an_error_at_its_place(tmp_path: Path, comment: str, said: str) -> None:
    """It would look as if something were switched off."""
    wrong = [c for c in lint(tmp_path, {"alerts": RULES.replace("# top", comment)}) if c.lint == "allow"]
    assert [c.words for c in wrong] == [f"error: {said}"]
    assert (wrong[0].place.line, wrong[0].place.column) == (4, 7)


def test_one_that_finds_nothing_is_a_note(tmp_path: Path) -> None:
    """The mistake was mended, and its excuse still stands."""
    (said,) = lint(
        tmp_path, {"alerts": RULES.replace("foo", "host_log_dir_used_ratio").replace("# top", ALLOW)}
    )
    assert said.words == ("note: this allows blind-here, and nothing here is found by it; remove it [allow]")


@pytest.mark.parametrize("text", ["'{}'", '"{}"', "|\n            {}", ">-\n            {}"])
def test_a_text_that_looks_like_one_is_none(tmp_path: Path, text: str) -> None:
    """As in an annotation about how to allow things."""
    rest = f"        annotations:\n          summary: {text.format(ALLOW)}\n"
    assert ids(tmp_path, alerts=RULES.replace("      # between\n", rest)) == ["blind-here?", "blind-here?"]


def test_remedies_and_patterns_have_them_too(tmp_path: Path) -> None:
    """Above the remedy's name, or on the pattern."""
    drain = "drain_disk {log_dir: /d, until_used_ratio: 0.75, rate: 50MiB/s}"
    text = remedy(drain, "host_log_dir_used_ratio").replace(
        "  A:\n", "  # ottla: allow no-comparison: x\n  # ottla: allow no-runbook: x\n  A:\n"
    )
    logs = "patterns:\n  - {name: x, file: f, regex: 'a.*b'} # ottla: allow regex-greedy: x\n"
    alerts = (
        "groups:\n  - name: g\n    rules:\n      # ottla: allow no-runbook: x\n"
        "      - {alert: A, expr: host_log_dir_used_ratio > 1}\n"
    )
    assert ids(tmp_path, alerts=alerts, remedies=text, logs=logs) == ["allow?"]  # the runbook is the alert's
