"""What stands in for a pattern while chunks are searched: expressions that find its lines, and more.

A chunk is searched with the `scan` copy, which may find lines that the pattern does not: RE2 works on the
characters of one line, the copy on bytes of many lines. `twin` finds in a line of ASCII exactly what the
pattern finds, with the same groups, and is for Python's `re`, which does many lines in one call. Whether a
character belongs to a class is asked of RE2 itself, so none of the three can differ on it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache

import re2
from msgspec.structs import replace

from agent.regex_parts import Atom, parts
from agent.sources.log_twins import longest_line

_HIGH = frozenset(range(0x80, 0x100))
_BREAK = 0x0A
_RUNE = 4  # bytes at most
_MANY = 250  # repetitions; a copy with more of them only costs automata
_LITERAL = 3  # bytes that a text needs to be worth searching for
_ENDS = {"^": b"^", r"\A": b"^", "$": b"$", r"\z": b"$", r"\b": rb"\b", r"\B": rb"\B"}
_HOLE = rb"\x00*"  # before a line's beginning
_FLAGS = re.compile(r"\(\?([is]+)\)")
# Narrow classes hold ASCII only: all else may hold any character beyond it.
_NARROW = re.compile(
    r"\\[dws]|\\[^\w\s]|\[(?!\^)(?:[A-Za-z0-9 _.,:;/+*?$()|{}@#!<>='\"~%&-]|\\[dws]|\\[^\w\s])+\]"
)
_UNLIKE = re.compile(r"\\[0-9pPCQ]|\(\?")


class Unlike(Exception):
    """The pattern uses what has no copy: flags inside, octal escapes, Unicode classes."""


MANY = 1 << 17  # hits in one chunk: a few megabytes
SHORT = 1 << 17  # bytes of a chunk for the slow ways: a hit may be two bytes


class TooMany(Exception):
    """A chunk of several lines has more than MANY hits: search it in pieces."""


@dataclass(frozen=True, slots=True)
class ScanCopy:
    """`scan` None: there is no copy, or it would find every line; the same for `twin`.

    `literals`: every line that the pattern finds holds one of them; empty where none is known.
    `runs`: by branch, all texts that a line holds where that branch matches.
    `longest`: bytes of a line that `twin` may be given.
    """

    scan: bytes | None = None
    literals: tuple[bytes, ...] = ()
    twin: bytes | None = None
    longest: int = 0
    runs: tuple[tuple[bytes, ...], ...] = ()


@dataclass(frozen=True, slots=True)
class Characters:
    """What one atom matches: these of ASCII, and where `wide` perhaps any beyond it."""

    ascii: frozenset[int]
    wide: bool

    @property
    def bytes(self) -> frozenset[int]:
        """Which bytes a match may consist of, never a line's end."""
        return (self.ascii | _HIGH if self.wide else self.ascii) - {_BREAK}


@lru_cache(maxsize=1024)
def copy_of(regex: str) -> ScanCopy:
    """The copies of a pattern that RE2 has compiled."""
    flags = _FLAGS.match(regex)
    caseless = flags is not None and "i" in flags[1]
    try:
        branches = parts(regex[flags.end() :] if flags else regex)
        trimmed = [_trimmed(branch) for branch in branches]
        scan = _scan_of(trimmed, caseless)
        runs = tuple(tuple(_runs(branch, caseless)) for branch in branches)
        literals = tuple(max(texts, key=len) for texts in runs)
    except Unlike:
        return ScanCopy()
    known = literals if all(len(text) >= _LITERAL for text in literals) else ()
    try:
        twin = _twin_of(branches, caseless)
    except Unlike:
        return ScanCopy(scan, known, runs=runs)
    longest = longest_line(branches, lambda atom: characters(atom.text, caseless).ascii)
    return ScanCopy(scan, known, twin, longest, runs)


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


def _trimmed(branch: Sequence[Atom]) -> tuple[Atom, ...]:
    """Without what its ends do not need: a repetition there finds no other lines."""
    atoms = list(branch)
    while atoms and atoms[-1].least == 0:
        atoms.pop()
    while atoms and atoms[0].least == 0:
        atoms.pop(0)
    for end in (0, -1):
        if atoms and atoms[end].text not in _ENDS:
            atoms[end] = replace(atoms[end], most=atoms[end].least)
    if atoms and atoms[-1].branches and atoms[-1].most == 1:
        atoms[-1] = replace(atoms[-1], branches=tuple(_trimmed_end(inner) for inner in atoms[-1].branches))
    return tuple(atoms)


def _trimmed_end(branch: Sequence[Atom]) -> tuple[Atom, ...]:
    atoms = list(branch)
    while atoms and atoms[-1].least == 0:
        atoms.pop()
    if atoms and atoms[-1].text not in _ENDS:
        atoms[-1] = replace(atoms[-1], most=atoms[-1].least)
    return tuple(atoms)


def _scan_of(branches: Sequence[Sequence[Atom]], caseless: bool) -> bytes | None:
    """None where nothing suffices to match it: every line would be found."""
    if any(_empty(branch) for branch in branches):
        return None
    return b"|".join(_scanned_row(branch, caseless, outer=True) for branch in branches)


def _empty(branch: Sequence[Atom]) -> bool:
    """Whether it can match without a single character."""
    return all(
        atom.least == 0 or atom.text in _ENDS or any(_empty(inner) for inner in atom.branches)
        for atom in branch
    )


def _scanned_row(branch: Sequence[Atom], caseless: bool, outer: bool) -> bytes:
    last = len(branch) - 1
    return b"".join(_scanned(atom, caseless, outer and at == last) for at, atom in enumerate(branch))


def _scanned(atom: Atom, caseless: bool, last: bool) -> bytes:
    """The atom over bytes: it may match more, never less. Of the last one its first bytes suffice."""
    if atom.text in _ENDS:
        _once(atom)
        return _ENDS[atom.text] + (_HOLE if _ENDS[atom.text] == b"^" else b"")
    most = atom.most if atom.most is not None and atom.most <= _MANY else None
    least = min(atom.least, _MANY)
    if atom.branches:
        _plain_bracket(atom)
        inner = b"|".join(_scanned_row(branch, caseless, last) for branch in atom.branches)
        return b"(?:" + inner + b")" + _times(least, most)
    if len(atom.text) == 1 and not atom.text.isascii():
        if caseless:
            raise Unlike
        return b"(?:" + re.escape(atom.text.encode()) + b")" + _times(least, most)
    those = characters(atom.text, caseless)
    if those.wide and most is not None and not (last and most == least):
        most = most * _RUNE if most * _RUNE <= _MANY else None
    return _class_of(those.bytes) + _times(least, most)


def _twin_of(branches: Iterable[Sequence[Atom]], caseless: bool) -> bytes:
    return b"|".join(b"".join(_twin(atom, caseless) for atom in branch) for branch in branches)


def _twin(atom: Atom, caseless: bool) -> bytes:
    """The atom as Python's `re` has it, exactly the same on ASCII."""
    if atom.text in _ENDS:
        _once(atom)
        if atom.text == r"\B":  # Python's does not match an empty line
            raise Unlike
        return _ENDS[atom.text]
    times = _times(atom.least, atom.most) + (b"?" if atom.lazy else b"")
    if atom.branches:
        _plain_bracket(atom)
        if (atom.least, atom.most) not in {(1, 1), (0, 1)}:  # what repeats a group may backtrack without end
            raise Unlike
        return (b"(" if atom.name else b"(?:") + _twin_of(atom.branches, caseless) + b")" + times
    if not atom.text.isascii():
        raise Unlike
    return _class_of(characters(atom.text, caseless).ascii - {_BREAK}) + times


def _once(atom: Atom) -> None:
    if (atom.least, atom.most) != (1, 1):
        raise Unlike


def _plain_bracket(atom: Atom) -> None:
    """A group that sets flags means something else inside."""
    if atom.text.startswith("(?") and not atom.text.startswith(("(?:", "(?P<", "(?<")):
        raise Unlike


def _times(least: int, most: int | None) -> bytes:
    if (least, most) == (1, 1):
        return b""
    signs = {(0, None): b"*", (1, None): b"+", (0, 1): b"?"}
    if (least, most) in signs:
        return signs[least, most]
    return b"{%d,%b}" % (least, b"" if most is None else b"%d" % most)


def _class_of(those: frozenset[int]) -> bytes:
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


def _letter(atom: Atom, caseless: bool) -> bytes | None:
    """The one byte that the atom is, if it is that."""
    if atom.branches or atom.text in _ENDS or (atom.least, atom.most) != (1, 1) or not atom.text.isascii():
        return None
    those = characters(atom.text, caseless)
    return bytes(those.ascii) if len(those.ascii) == 1 and not those.wide else None


def _runs(branch: Sequence[Atom], caseless: bool) -> list[bytes]:
    """The texts between what varies, groups that stand once opened; empty ones at the ends count."""
    runs = [b""]
    for atom in branch:
        letter = _letter(atom, caseless)
        if letter is not None:
            runs[-1] += letter
        elif len(atom.branches) == 1 and (atom.least, atom.most) == (1, 1):
            first, *others = _runs(atom.branches[0], caseless)
            runs[-1] += first
            runs += others
        else:
            runs.append(b"")
    return runs
