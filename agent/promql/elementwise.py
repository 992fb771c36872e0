"""Functions of one value at a time: mathematics, trigonometry, rounding, calendar."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
import numpy.typing as npt

from agent.promql.vectors import Floats

Elementwise = Callable[..., Floats]  # the values [row, step], then the scalar arguments [step]

MATHEMATICS: Mapping[str, Elementwise] = {
    "abs": np.abs,
    "ceil": np.ceil,
    "floor": np.floor,
    "sqrt": np.sqrt,
    "exp": np.exp,
    "ln": np.log,
    "log2": np.log2,
    "log10": np.log10,
    "sgn": np.sign,
    "sin": np.sin,
    "cos": np.cos,
    "tan": np.tan,
    "asin": np.arcsin,
    "acos": np.arccos,
    "atan": np.arctan,
    "sinh": np.sinh,
    "cosh": np.cosh,
    "tanh": np.tanh,
    "asinh": np.arcsinh,
    "acosh": np.arccosh,
    "atanh": np.arctanh,
    "rad": lambda values: values * np.pi / 180,
    "deg": lambda values: values * 180 / np.pi,
}


def rounded(values: Floats, to: Floats | float = 1.0) -> Floats:
    """To the nearest multiple, ties upwards."""
    inverse = 1.0 / np.asarray(to, np.float64)
    result: Floats = np.floor(values * inverse + 0.5) / inverse
    return result


def clamped(values: Floats, low: Floats | float = -np.inf, high: Floats | float = np.inf) -> Floats:
    """Between both limits; NaN where one of the three is, unless an infinity decides (Go's Min and Max)."""
    least = np.where((values == -np.inf) | (np.asarray(high) == -np.inf), -np.inf, np.minimum(high, values))
    return np.where((least == np.inf) | (np.asarray(low) == np.inf), np.inf, np.maximum(low, least))


def _days(values: Floats) -> Floats:
    """Whole days since the epoch, of seconds."""
    days: Floats = np.floor(_seconds(values) / 86_400, dtype=np.float64)
    return days


def _seconds(values: Floats) -> Floats:
    """Whole seconds, toward zero, as Go converts; NaN and infinities as 0 here and NaN in the end."""
    finite: Floats = np.where(np.isfinite(values), values, 0.0)
    near: Floats = np.minimum(np.maximum(finite, -1e11), 1e11)
    return np.trunc(near)


def _dates(values: Floats) -> npt.NDArray[np.datetime64]:
    dates: npt.NDArray[np.datetime64] = _days(values).astype("datetime64[D]")
    return dates


def _month(values: Floats) -> Floats:
    months: Floats = (_dates(values).astype("datetime64[M]").astype(np.int64) % 12 + 1).astype(np.float64)
    return months


def _since(values: Floats, unit: str) -> Floats:
    """Days since the beginning of the month or year."""
    dates = _dates(values)
    begin = dates.astype(f"datetime64[{unit}]").astype("datetime64[D]")
    days: Floats = (dates - begin).astype(np.float64)
    return days


def _days_in_month(values: Floats) -> Floats:
    month = _dates(values).astype("datetime64[M]")
    days = (month + 1).astype("datetime64[D]") - month.astype("datetime64[D]")
    count: Floats = days.astype(np.float64)
    return count


def _calendar(of: Callable[[Floats], Floats]) -> Elementwise:
    return lambda values: np.where(np.isfinite(values), of(values), np.nan)


CALENDAR: Mapping[str, Elementwise] = {  # of seconds since the epoch, in UTC; without argument: of now
    name: _calendar(of)
    for name, of in (
        ("minute", lambda values: np.floor(_seconds(values) / 60) % 60),
        ("hour", lambda values: np.floor(_seconds(values) / 3600) % 24),
        ("day_of_week", lambda values: (_days(values) + 4) % 7),  # the epoch was a Thursday, Sunday is 0
        ("day_of_month", lambda values: _since(values, "M") + 1),
        ("day_of_year", lambda values: _since(values, "Y") + 1),
        ("days_in_month", _days_in_month),
        ("month", _month),
        ("year", lambda values: _dates(values).astype("datetime64[Y]").astype(np.float64) + 1970),
    )
}
