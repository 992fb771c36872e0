"""Where an exposition is cut, without a look at each line: between families, and in each line of a block."""

from __future__ import annotations

TYPE = b"# TYPE "
_TRIES = 1_000


def next_type(data: bytes, at: int, end: int) -> int | None:
    """Where the next TYPE line begins. One byte, where it is rare, is found four times as fast as eight."""
    for _ in range(_TRIES):
        at = data.find(b"#", at, end)
        if at < 0:
            return None
        if data.startswith(TYPE, at) and (at == 0 or data[at - 1 : at] == b"\n"):
            return at
        at += 1
    found = data.find(b"\n" + TYPE, at - 1, end)
    return None if found < 0 else found + 1


def halves(block: bytes) -> list[bytes] | None:
    """By turns what each line has up to the brace that ends its labels, and what it has behind; None where
    not every line has one such brace. An end of line is put behind each of these for that."""
    return _apart(block, b"}", b"}\n") or _apart(block, b"} ", b"}\n ")


def _apart(block: bytes, brace: bytes, ended: bytes) -> list[bytes] | None:
    apart = block.replace(brace, ended)
    parts = apart.split(b"\n")
    return parts if len(parts) == 2 * (len(apart) - len(block)) else None
