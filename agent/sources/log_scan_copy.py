"""What stands in for a pattern while chunks are searched: expressions that find its lines, and more.

A chunk is searched with the `scan` copy, which may find lines that the pattern does not: RE2 works on the
characters of one line, the copy on bytes of many lines. `twin` is for Python's `re` (log_twins.py). Whether a
character belongs to a class is asked of RE2 itself (log_atoms.py), so none of the three can differ on it.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

from msgspec.structs import replace

from agent.regex_parts import Atom, parts
from agent.sources.log_atoms import ENDS, Unlike, characters, class_of, once, plain_bracket, times
from agent.sources.log_twins import longest_line, twin_of

_RUNE = 4  # bytes at most
_MANY = 250  # repetitions; a copy with more of them only costs automata
_LITERAL = 3  # bytes that a text needs to be worth searching for
_HOLE = rb"\x00*"  # before a line's beginning
_FLAGS = re.compile(r"\(\?([is]+)\)")
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
        twin = twin_of(branches, caseless)
    except Unlike:
        return ScanCopy(scan, known, runs=runs)
    longest = longest_line(branches, lambda atom: characters(atom.text, caseless).ascii)
    return ScanCopy(scan, known, twin, longest, runs)


def _trimmed(branch: Sequence[Atom]) -> tuple[Atom, ...]:
    """Without what its ends do not need: a repetition there finds no other lines."""
    atoms = list(branch)
    while atoms and atoms[-1].least == 0:
        atoms.pop()
    while atoms and atoms[0].least == 0:
        atoms.pop(0)
    for end in (0, -1):
        if atoms and atoms[end].text not in ENDS:
            atoms[end] = replace(atoms[end], most=atoms[end].least)
    if atoms and atoms[-1].branches and atoms[-1].most == 1:
        atoms[-1] = replace(atoms[-1], branches=tuple(_trimmed_end(inner) for inner in atoms[-1].branches))
    return tuple(atoms)


def _trimmed_end(branch: Sequence[Atom]) -> tuple[Atom, ...]:
    atoms = list(branch)
    while atoms and atoms[-1].least == 0:
        atoms.pop()
    if atoms and atoms[-1].text not in ENDS:
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
        atom.least == 0 or atom.text in ENDS or any(_empty(inner) for inner in atom.branches)
        for atom in branch
    )


def _scanned_row(branch: Sequence[Atom], caseless: bool, outer: bool) -> bytes:
    last = len(branch) - 1
    return b"".join(_scanned(atom, caseless, outer and at == last) for at, atom in enumerate(branch))


def _scanned(atom: Atom, caseless: bool, last: bool) -> bytes:
    """The atom over bytes: it may match more, never less. Of the last one its first bytes suffice."""
    if atom.text in ENDS:
        once(atom)
        return ENDS[atom.text] + (_HOLE if ENDS[atom.text] == b"^" else b"")
    most = atom.most if atom.most is not None and atom.most <= _MANY else None
    least = min(atom.least, _MANY)
    if atom.branches:
        plain_bracket(atom)
        inner = b"|".join(_scanned_row(branch, caseless, last) for branch in atom.branches)
        return b"(?:" + inner + b")" + times(least, most)
    if len(atom.text) == 1 and not atom.text.isascii():
        if caseless:
            raise Unlike
        return b"(?:" + re.escape(atom.text.encode()) + b")" + times(least, most)
    those = characters(atom.text, caseless)
    if those.wide and most is not None and not (last and most == least):
        most = most * _RUNE if most * _RUNE <= _MANY else None
    return class_of(those.bytes) + times(least, most)


def _letter(atom: Atom, caseless: bool) -> bytes | None:
    """The one byte that the atom is, if it is that."""
    if atom.branches or atom.text in ENDS or (atom.least, atom.most) != (1, 1) or not atom.text.isascii():
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
