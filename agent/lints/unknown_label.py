"""unknown-label: a remedy names a label that no series has which its alert reads."""

from __future__ import annotations

from collections.abc import Iterator

from agent.lints.case import Case, Finding
from agent.model import Remedy
from agent.rulebook.filling import LABEL, placed
from agent.rulebook.labels import any_labels
from agent.yaml_marks import Scalar, Severity, closest


def unknown_label(case: Case) -> Iterator[Finding]:
    """`target` and `$label`s that are not among the labels of what the alert reads, where these are known.
    Where an expression alone leaves no such label, that was an error already."""
    for remedy in case.book.remedies.values():
        rules = case.alerts_of(remedy)
        labels = any_labels([case.labels_of(each) for each in rules]) if rules else None
        if labels is None:
            continue
        for scalar, index, name in _named(case, remedy):
            if name not in labels | {"alertname"}:
                yield _finding(remedy, (scalar, index, name), labels)


def _named(case: Case, remedy: Remedy) -> Iterator[tuple[Scalar, int, str]]:
    """Each label, behind where in which text it stands."""
    target = case.marks.scalar(remedy.place, "target")
    if target is not None:
        yield target, 0, remedy.target
    for step in remedy.steps:
        for key, value in step.args:
            scalar = case.marks.scalar(step.place, "with", key)
            if scalar is not None and isinstance(value, str) and (match := LABEL.fullmatch(value)):
                yield scalar, 0, match[1]
    for each in case.written:
        if each.rule is remedy and each.scalar is not None:
            scalar = each.scalar
            yield from ((scalar, match.start(), match[1]) for match in placed(scalar.text))


def _finding(remedy: Remedy, named: tuple[Scalar, int, str], labels: frozenset[str]) -> Finding:
    """A note where the name is like no other: it may be one of the host's target labels. As the target that
    would be wrong, too, since it is the same on every series."""
    scalar, index, name = named
    near, is_target = closest(name, labels), not scalar.text[index:].startswith("$")
    message = f"nothing that {remedy.alert} reads has a label {name!r}: what needs it is refused"
    hint = near or f"its labels: {', '.join(sorted(labels | {'alertname'}))}"
    severity = Severity.WARNING if near or is_target else Severity.NOTE
    return Finding(scalar.place_of(index), message, hint, len(name) + (not is_target), severity)
