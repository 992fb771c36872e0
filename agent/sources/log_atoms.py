"""What one atom of a pattern matches, asked of RE2 itself, and how its copies write that.

RE2 works on the characters of one line, Python's `re` and the copies on bytes.
"""

from __future__ import annotations

import re
from functools import lru_cache

import re2
from msgspec import Struct

from agent.regex_parts import Atom

_HIGH = frozenset(range(0x80, 0x100))
BREAK = 0x0A
ENDS = {"^": b"^", r"\A": b"^", "$": b"$", r"\z": b"$", r"\b": rb"\b", r"\B": rb"\B"}
# Narrow classes hold ASCII only: all else may hold any character beyond it.
_NARROW = re.compile(
    r"\\[dws]|\\[^\w\s]|\[(?!\^)(?:[A-Za-z0-9 _.,:;/+*?$()|{}@#!<>='\"~%&-]|\\[dws]|\\[^\w\s])+\]"
)
_UNLIKE = re.compile(r"\\[0-9pPCQ]|\(\?")


class Unlike(Exception):
    """The pattern uses what has no copy: flags inside, octal escapes, Unicode classes."""


class Characters(Struct, frozen=True):
    """What one atom matches: these of ASCII, and where `wide` perhaps any beyond it."""

    ascii: frozenset[int]
    wide: bool

    @property
    def bytes(self) -> frozenset[int]:
        """Which bytes a match may consist of, never a line's end."""
        return (self.ascii | _HIGH if self.wide else self.ascii) - {BREAK}


@lru_cache(maxsize=512)
def characters(text: str, caseless: bool) -> Characters:
    """What a single character, an escape or a class matches."""
    if len(text) == 1 and text.isascii() and text != "." and not (caseless and text.isalpha()):
        return Characters(frozenset(text.encode()), wide=False)
    if _UNLIKE.match(text):
        raise Unlike
    options = re2.Options()
    options.log_errors = False
    regex = re2.compile(("(?is)" if caseless else "(?s)") + text, options)
    found = frozenset(n for n in range(0x80) if regex.fullmatch(bytes([n])))
    return Characters(found, wide=caseless or not _NARROW.fullmatch(text))


def once(atom: Atom) -> None:
    """Unlike where an end of a line or a word is repeated."""
    if (atom.least, atom.most) != (1, 1):
        raise Unlike


def plain_bracket(atom: Atom) -> None:
    """Unlike where a group sets flags: it means something else inside."""
    if atom.text.startswith("(?") and not atom.text.startswith(("(?:", "(?P<", "(?<")):
        raise Unlike


def times(least: int, most: int | None) -> bytes:
    """So many times, as all three engines read it."""
    if (least, most) == (1, 1):
        return b""
    signs = {(0, None): b"*", (1, None): b"+", (0, 1): b"?"}
    if (least, most) in signs:
        return signs[least, most]
    return b"{%d,%b}" % (least, b"" if most is None else b"%d" % most)


def class_of(those: frozenset[int]) -> bytes:
    """A class of exactly these bytes, as all three engines read it."""
    if not those:
        raise Unlike
    if len(those) == 1:
        return re.escape(bytes(those)) if bytes(those).isalnum() else b"\\x%02x" % min(those)
    ranges, last = b"", -2
    for n in sorted(those):
        if n != last + 1:
            ranges += (b"-\\x%02x" % last if last >= 0 else b"") + b"\\x%02x" % n
        last = n
    return b"[" + ranges + b"-\\x%02x]" % last
