"""Answers in Prometheus's JSON: its numbers, and large results piece by piece."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from decimal import Decimal
from itertools import chain
from typing import Any

import msgspec

from agent.promql import Answer, Line
from agent.promql.numbers import NO_NUMBERS

PIECE = 64 * 1024  # bytes, about: what is written to a connection at once
MAX_ANSWER = 16 * 1024 * 1024  # bytes
MAX_REMARKS = 10  # warnings, and as many infos, as Prometheus tells
ITEMS = 200  # of a list, made at once
TRUNCATED = "results truncated due to limit"


class TooLarge(Exception):
    """The answer has more than MAX_ANSWER bytes."""

    def __init__(self) -> None:
        super().__init__(
            f"the answer has more than {MAX_ANSWER >> 20} MiB: "
            "select fewer series, aggregate, or take a longer step"
        )


def number(value: float) -> str:
    """As Prometheus writes a sample's value: as short as it can be read back, without needless exponents."""
    text = repr(value)
    if text.endswith(".0"):
        return text[:-2]
    if "e" in text:
        return text if abs(value) < 1e-6 or abs(value) >= 1e21 else f"{Decimal(text):f}"
    return NO_NUMBERS.get(text, text)


def seconds(at: int) -> str:
    """Milliseconds as seconds; a fraction has three digits."""
    whole, fraction = divmod(abs(at), 1000)
    return f"{'-' if at < 0 else ''}{whole}" + (f".{fraction:03d}" if fraction else "")


def plain(data: Any) -> list[bytes]:
    """Plain data in Prometheus's envelope. Raises TooLarge."""
    return _cut((msgspec.json.encode(data),), ())


def listed(items: Sequence[Any], limit: int = 0) -> list[bytes]:
    """A list, of which at most `limit` (0: all) are told, in Prometheus's envelope. Raises TooLarge."""
    cut = 0 < limit < len(items)
    return _cut(_items(items[:limit] if cut else items), (TRUNCATED,) if cut else ())


def failure(kind: str, words: str) -> bytes:
    """An error in Prometheus's envelope."""
    return msgspec.json.encode({"status": "error", "errorType": kind, "error": words})


def answered(answer: Answer, at: int, limit: int = 0) -> list[bytes]:
    """The answer of a query at `at` (ms) in pieces, of at most `limit` series (0: all). Raises TooLarge."""
    cut = 0 < limit < len(answer.lines) and answer.kind in ("vector", "matrix")
    lines = answer.lines[:limit] if cut else answer.lines
    data = chain((f'{{"resultType":"{answer.kind}","result":'.encode(),), _result(answer, lines, at), (b"}",))
    return _cut(data, (*answer.warnings, TRUNCATED) if cut else answer.warnings, answer.infos)


def _cut(data: Iterable[bytes], warnings: Sequence[str], infos: Sequence[str] = ()) -> list[bytes]:
    """The envelope around the data, in pieces."""
    pieces, piece, size = [], bytearray(b'{"status":"success","data":'), 0
    for text in data:
        size += len(text)
        if size > MAX_ANSWER:
            raise TooLarge
        piece += text
        if len(piece) >= PIECE:
            pieces.append(bytes(piece))
            piece.clear()
    piece += _remarks("warnings", "warning", warnings) + _remarks("infos", "info", infos) + b"}"
    return [*pieces, bytes(piece)]


def _items(items: Sequence[Any]) -> Iterator[bytes]:
    """A list's text, a few items at a time: one long call would keep all other threads waiting."""
    yield b"["
    for start in range(0, len(items), ITEMS):
        text = msgspec.json.encode(items[start : start + ITEMS])[1:-1]
        yield b"," + text if start else text
    yield b"]"


def _result(answer: Answer, lines: Sequence[Line], at: int) -> Iterator[bytes]:
    if answer.kind in ("scalar", "string"):
        text = answer.text if answer.kind == "string" else number(float(lines[0].values[0]))
        yield f"[{seconds(at)},".encode() + msgspec.json.encode(text) + b"]"
        return
    many = answer.kind == "matrix"
    key = b'},"values":' if many else b'},"value":'
    stamps: dict[int, str] = {}  # the lines of a range share their instants
    yield b"["
    for place, line in enumerate(lines):
        opening = b',{"metric":' if place else b'{"metric":'
        points = _points(line, stamps)
        metric = msgspec.json.encode(dict(line.labels)).removesuffix(b"}")
        yield b"".join((opening, metric, key, points if many else points[1:-1], b"}"))
    yield b"]"


def _points(line: Line, stamps: dict[int, str]) -> bytes:
    cells = []
    for at, value in zip(line.times.tolist(), line.values.tolist(), strict=True):
        stamp = stamps.get(at)
        if stamp is None:
            stamp = stamps[at] = seconds(at)
        cells.append(f'[{stamp},"{number(value)}"]')
    return f"[{','.join(cells)}]".encode()


def _remarks(key: str, word: str, texts: Sequence[str]) -> bytes:
    """A key with the first of the texts, as Prometheus cuts them; nothing where there are none."""
    if not texts:
        return b""
    more = len(texts) - MAX_REMARKS
    told = [*texts[:MAX_REMARKS], *([f"{more} more {word} annotations omitted"] if more > 0 else ())]
    return f',"{key}":'.encode() + msgspec.json.encode(told)
