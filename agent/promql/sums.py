"""Sums and means that lose no digits and overflow as Prometheus's do."""

from __future__ import annotations

import math

import numpy as np

from agent.promql.vectors import Floats


def total(values: Floats) -> float:
    """The sum, as exact as Neumaier's or more; infinities and NaN as IEEE 754 adds them."""
    try:
        return math.fsum(values.tolist())
    except (OverflowError, ValueError):  # too large in between, or +Inf and -Inf together
        return float(values.sum())


def mean(values: Floats) -> float:
    """The average of at least one value; a sum too large for a float does not spoil it."""
    whole = total(values)
    if math.isfinite(whole) or not np.isfinite(values).all():
        return whole / len(values)
    return total(values / len(values))
