"""How the elements of two vectors find each other (VectorBinop), worked out once for a pair of row sets."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from msgspec import Struct

from agent.model import Labels
from agent.promql.errors import EvaluationError
from agent.promql.labels import METADATA, NAME, keep, render, value_of, without
from agent.promql.nodes import Matching
from agent.promql.vectors import Flags, Indices, Rows


class Pairs(Struct, frozen=True):
    """Which row of the many side goes with which of the one side, and the labels of what they make.

    `twins`: rows of the one side with the same signature; `clashes`: pairs that may not both have a result.
    """

    rows: Rows
    many: Indices
    one: Indices
    twins: tuple[Indices, ...]
    clashes: tuple[Indices, ...]


def pairs(many: Rows, one: Rows, matching: Matching, *, unnamed: bool) -> Pairs:
    """All pairs of rows with the same signature, whatever step they are present at."""
    return many.derived((one, matching, unnamed), lambda: _paired(many, one, matching, unnamed))


def signatures(rows: Rows, matching: Matching) -> Sequence[Labels]:
    """What each row is matched by."""
    return rows.derived(("signature", matching.on, matching.labels), lambda: _signatures(rows, matching))


def _signatures(rows: Rows, matching: Matching) -> tuple[Labels, ...]:
    if matching.on:
        return tuple(keep(labels, matching.labels) for labels in rows.labels)
    ignored = matching.labels | {NAME}  # but types and units are matched, as in Prometheus
    return tuple(without(labels, ignored) for labels in rows.labels)


def by_signature(rows: Rows, matching: Matching) -> dict[Labels, list[int]]:
    """The rows of each signature."""
    found: dict[Labels, list[int]] = {}
    for row, signature in enumerate(signatures(rows, matching)):
        found.setdefault(signature, []).append(row)
    return found


def _paired(many: Rows, one: Rows, matching: Matching, unnamed: bool) -> Pairs:
    partners = by_signature(one, matching)
    joined = [
        (row, partner, signature)
        for row, signature in enumerate(signatures(many, matching))
        for partner in partners.get(signature, ())
    ]
    labels = [
        result_labels(many.labels[row], one.labels[partner], matching, unnamed=unnamed)
        for row, partner, _ in joined
    ]
    # One to one: a signature has one result. Many to one: a signature and the result's labels have.
    marks = [
        (signature, made if matching.many else ())
        for (_, _, signature), made in zip(joined, labels, strict=True)
    ]
    return Pairs(
        Rows(labels),
        np.array([row for row, _, _ in joined], np.intp),
        np.array([partner for _, partner, _ in joined], np.intp),
        tuple(np.array(rows, np.intp) for rows in partners.values() if len(rows) > 1),
        _repeated(marks),
    )


def _repeated(marks: Sequence[tuple[Labels, Labels]]) -> tuple[Indices, ...]:
    if len(set(marks)) == len(marks):
        return ()
    places: dict[tuple[Labels, Labels], list[int]] = {}
    for place, mark in enumerate(marks):
        places.setdefault(mark, []).append(place)
    return tuple(np.array(each, np.intp) for each in places.values() if len(each) > 1)


def result_labels(many: Labels, one: Labels, matching: Matching, *, unnamed: bool) -> Labels:
    """The labels of a result (resultMetric): arithmetic drops the name at once."""
    labels = without(many, METADATA) if unnamed else many
    if not matching.many:
        return keep(labels, matching.labels) if matching.on else without(labels, matching.labels)
    if not matching.include:
        return labels
    taken = tuple((name, value) for name in matching.include if (value := value_of(one, name)))
    return tuple(sorted((*without(labels, frozenset(matching.include)), *taken)))


def refuse_twins(found: Pairs, one: Rows, present: Flags, active: Flags, matching: Matching) -> None:
    """EvaluationError where two elements of the one side have the same signature at an active step."""
    for rows in found.twins:
        step = np.flatnonzero((present[rows].sum(axis=0) > 1) & active)
        if not len(step):
            continue
        first = rows[present[rows, step[0]]][:2]
        shown = ", ".join(sorted(render(one.labels[row]) for row in first.tolist()))
        signature = render(signatures(one, matching)[int(first[0])])
        side = "left" if matching.many == "right" else "right"
        raise EvaluationError(
            f"found duplicate series for the match group {signature} on the {side} hand-side of the "
            f"operation: [{shown}];many-to-many matching not allowed: "
            "matching labels must be unique on one side"
        )


def refuse_clashes(clashes: Sequence[Indices], present: Flags, matching: Matching) -> None:
    """EvaluationError where two elements of the many side have one result at the same step."""
    for places in clashes:
        if (present[places].sum(axis=0) > 1).any():
            raise EvaluationError(
                "multiple matches for labels: grouping labels must ensure unique matches"
                if matching.many
                else "multiple matches for labels: many-to-one matching must be explicit "
                "(group_left/group_right)"
            )
