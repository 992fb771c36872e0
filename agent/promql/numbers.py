"""How Go writes floats where Prometheus shows them: in labels, annotations, templates and its HTTP API."""

from __future__ import annotations

import math
from decimal import Decimal

NO_NUMBERS = {"nan": "NaN", "inf": "+Inf", "-inf": "-Inf"}  # by what Python writes


def written(value: float) -> str:
    """strconv.FormatFloat(value, 'f', -1, 64): the shortest digits that read back, never an exponent."""
    text = repr(float(value))
    if not math.isfinite(value):
        return NO_NUMBERS[text]
    return f"{Decimal(text):f}".removesuffix(".0")


def general(value: float) -> str:
    """fmt's %v and %g: the fewest digits that are this value, an exponent below 1e-4 and from 1e6 on."""
    if not math.isfinite(value):
        return NO_NUMBERS[repr(float(value))]
    digits = Decimal(repr(float(value)))
    if value and not -4 <= digits.adjusted() < 6:
        mantissa, _, power = f"{digits.normalize():e}".partition("e")
        return f"{mantissa}e{int(power):+03d}"
    return f"{digits:f}".removesuffix(".0")
