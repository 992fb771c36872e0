"""The parameters of Prometheus's HTTP API: times, durations and limits as its clients write them."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from urllib.parse import parse_qsl

from aiohttp import web

from agent.promql import BadExpression, selector
from agent.promql.nodes import Selector
from agent.quantities import parse_duration
from agent.web.bodies import read_body

MAX_FIELDS = 1_000
_FORM = "application/x-www-form-urlencoded"
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?", re.ASCII)
_RFC3339 = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)", re.ASCII)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
# Clients say "ever" with years that no calendar has; nothing that is kept lies outside these.
_LAST_MS = 253_402_300_799_999  # the end of the year 9999
_LONGEST_MS = 100 * 365 * 86_400_000


class BadParameter(Exception):
    """A parameter that cannot be used; the text names it, in Prometheus's words where it has some."""

    def __init__(self, name: str, why: str) -> None:
        super().__init__(f'invalid parameter "{name}": {why}')


class Form:
    """The parameters of one request. As in Prometheus the body's come before those of the URL."""

    def __init__(self, pairs: list[tuple[str, str]]) -> None:
        self._pairs = pairs

    def text(self, name: str) -> str:
        """The first value; absent is the empty string."""
        return next((value for key, value in self._pairs if key == name), "")

    def many(self, name: str) -> list[str]:
        """All values."""
        return [value for key, value in self._pairs if key == name]

    def instant(self, name: str, default: int | None = None) -> int:
        """Milliseconds since the epoch, from seconds or RFC 3339; without a default it must be there."""
        text = self.text(name)
        if default is not None and not text:
            return default
        at = _instant(text)
        if at is None:
            raise BadParameter(name, f'cannot parse "{text}" to a valid timestamp')
        return max(-_LAST_MS, min(_LAST_MS, at))

    def since_until(self) -> tuple[int, int]:
        """`start` and `end`, each of them optional."""
        return self.instant("start", -_LAST_MS), self.instant("end", _LAST_MS)

    def duration(self, name: str) -> int:
        """Milliseconds, from seconds or Prometheus's syntax such as 1m30s."""
        text = self.text(name)
        try:
            ms = round(float(text) * 1000) if _NUMBER.fullmatch(text) else parse_duration(text)
        except (ValueError, OverflowError):
            ms = None
        if ms is None or abs(ms) > _LONGEST_MS:
            raise BadParameter(name, f'cannot parse "{text}" to a valid duration')
        return ms

    def limit(self, name: str = "limit") -> int:
        """How many at most; 0 and absent: all."""
        text = self.text(name)
        if not text:
            return 0
        if not (text.isascii() and text.removeprefix("-").isdigit() and len(text) < 19):
            raise BadParameter(name, f'"{text}" is not a whole number')
        if text.startswith("-"):
            raise BadParameter(name, f"{name} must be non-negative")
        return int(text)

    def flag(self, name: str) -> bool:
        """true or false, 1 or 0; absent is false."""
        text = self.text(name).lower()
        if text in ("", "0", "f", "false"):
            return False
        if text in ("1", "t", "true"):
            return True
        raise BadParameter(name, f'"{text}" is neither true nor false')

    def selectors(self) -> list[Selector]:
        """The selectors of `match[]`."""
        return [_selector(text) for text in self.many("match[]")]


async def read_form(request: web.Request) -> Form:
    """The parameters in a request's body and URL. Raises BadParameter."""
    pairs = list(request.query.items())
    if request.method != "POST" or request.content_type != _FORM:
        return Form(pairs)
    try:
        body = await read_body(request)
        inside = parse_qsl(body.decode(), keep_blank_values=True, max_num_fields=MAX_FIELDS, errors="strict")
    except (ValueError, web.RequestPayloadError) as error:
        raise BadParameter("body", f"error parsing form values: {error}") from error
    return Form(inside + pairs)


def _instant(text: str) -> int | None:
    try:
        if _NUMBER.fullmatch(text):
            return round(float(text) * 1000)
        if _RFC3339.fullmatch(text):
            return round((datetime.fromisoformat(text) - _EPOCH).total_seconds() * 1000)
    except (ValueError, OverflowError):  # a day that no month has, or more than any clock
        return None
    return None


def _selector(text: str) -> Selector:
    try:
        found = selector(text)
    except BadExpression as error:
        raise BadParameter("match[]", f"{error.message} in {text}") from error
    if all(matcher.matches("") for matcher in found.matchers) and found.name is None:
        raise BadParameter("match[]", "match[] must contain at least one non-empty matcher")
    return found
