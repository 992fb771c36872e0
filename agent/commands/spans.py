"""Durations and instants on the command line."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import click

from agent.quantities import parse_duration


class _Duration(click.ParamType[int]):
    """30s, 5m or 1h30m, to milliseconds."""

    name = "duration"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """Fails with the sentence that says how to write it."""
        if isinstance(value, int):
            return value
        try:
            return parse_duration(value)
        except ValueError as error:
            self.fail(str(error), param, ctx)


class _Instant(click.ParamType[int]):
    """2026-08-01T10:00:00Z, 2026-08-01 10:00 (local time) or seconds since the epoch, to milliseconds."""

    name = "time"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """Fails with the sentence that says how to write it."""
        if isinstance(value, int):
            return value
        try:
            return round(float(value) * 1000)
        except ValueError:
            pass
        try:
            return round(datetime.fromisoformat(value).timestamp() * 1000)
        except (ValueError, OverflowError):
            self.fail(f"bad time {value!r}: write it like 2026-08-01T10:00:00Z", param, ctx)


DURATION, INSTANT = _Duration(), _Instant()
