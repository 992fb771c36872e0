"""Matrices of times and values, some rows at a time."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from agent.promql.vectors import NEVER, Floats, Indices, Times

AT_ONCE = 256  # rows read under the lock: no longer than that does who adds a sample wait; they fit a cache


def parts(count: int) -> Iterator[slice]:
    """Slices of so many rows, AT_ONCE in each."""
    return (slice(start, start + AT_ONCE) for start in range(0, count, AT_ONCE))


def stacked(found: list[tuple[Times, Floats, Indices]]) -> tuple[Times, Floats, Indices]:
    """The parts of a window, one above the other; the narrower ones are padded."""
    counts = np.concatenate([part[2] for part in found])
    shape = (len(counts), max(times.shape[1] for times, _, _ in found))
    times, values = np.full(shape, NEVER), np.full(shape, np.nan)
    for part, (when, packed, _) in zip(parts(len(counts)), found, strict=True):
        times[part, : when.shape[1]] = when
        values[part, : when.shape[1]] = packed
    return times, values, counts


def padded(matrix: npt.NDArray, more: tuple[int, int], fill: float) -> npt.NDArray:  # type: ignore[type-arg]  # of either dtype
    """The matrix with so many more rows and columns. By hand: np.pad takes ten times as long."""
    rows, columns = matrix.shape
    wider = np.full((rows + more[0], columns + more[1]), fill, matrix.dtype)
    wider[:rows, :columns] = matrix
    return wider
