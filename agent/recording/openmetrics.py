"""Lines of OpenMetrics with timestamps: one series, one sample; and how a series' end is written there.

OpenMetrics cannot hold Prometheus's stale marker (a NaN is a value). So the end of a series is a sample of
`ottla_recording_series_end` whose label `series` holds the series as text: promtool reads it as one metric
more, a backtest as the end. Times are seconds.
"""

from __future__ import annotations

from agent.promql.numbers import NO_NUMBERS
from agent.sources.series_text import series_text

END_OF_FILE = b"# EOF"
SERIES_END = "ottla_recording_series_end"


def sample_line(series: str, at: int, value: float) -> str:
    """One line; `at` is ms."""
    return f"{series} {_number(value)} {at // 1000}.{at % 1000:03d}\n"


def end_line(series: str, at: int) -> str:
    """The line that says that the series has ended at `at`."""
    return sample_line(series_text(SERIES_END, (("series", series),)), at, 1)


def _number(value: float) -> str:
    text = repr(float(value))
    return NO_NUMBERS.get(text, text)
