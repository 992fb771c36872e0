"""A pattern for Python's `re`, which does many lines in one call, and how long a line it may be given.

It finds in a line of ASCII exactly what the pattern finds, with the same groups. But it backtracks, and no
rule file may stop the agent.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence

from agent.regex_parts import Atom
from agent.sources.log_atoms import BREAK, ENDS, Unlike, characters, class_of, once, plain_bracket, times

_STEPS = 1 << 21  # for one line, some ten milliseconds; RE2 takes what may need more
_LONGEST = 16 << 10
_SHORTEST = 64
_FEW = 8  # repetitions more or less, which are tried one by one and forgotten

Members = Callable[[Atom], frozenset[int]]


def twin_of(branches: Iterable[Sequence[Atom]], caseless: bool) -> bytes:
    """Unlike where there is none."""
    return b"|".join(b"".join(_twin(atom, caseless) for atom in branch) for branch in branches)


def _twin(atom: Atom, caseless: bool) -> bytes:
    """The atom as Python's `re` has it, exactly the same on ASCII."""
    if atom.text in ENDS:
        once(atom)
        if atom.text == r"\B":  # Python's does not match an empty line
            raise Unlike
        return ENDS[atom.text]
    often = times(atom.least, atom.most) + (b"?" if atom.lazy else b"")
    if atom.branches:
        plain_bracket(atom)
        if (atom.least, atom.most) not in {(1, 1), (0, 1)}:  # what repeats a group may backtrack without end
            raise Unlike
        return (b"(" if atom.name else b"(?:") + twin_of(atom.branches, caseless) + b")" + often
    if not atom.text.isascii():
        raise Unlike
    return class_of(characters(atom.text, caseless).ascii - {BREAK}) + often


def longest_line(branches: Sequence[Sequence[Atom]], members: Members) -> int:
    """Bytes; 0 where even short lines might take too long.

    The worst a line can do is to begin the pattern wherever it can, and to go on wherever a repetition can
    give way to what follows it. Texts of m bytes fit in n bytes n/m times, and share them with the others.
    """
    lengths = [_LONGEST >> shift for shift in range(_LONGEST.bit_length()) if _LONGEST >> shift >= _SHORTEST]
    return next((n for n in lengths if sum(_steps(branch, members, n) for branch in branches) <= _STEPS), 0)


def _steps(branch: Sequence[Atom], members: Members, length: int) -> float:
    flat = list(_flat(branch, alone=True))
    atoms = [atom for atom, _ in flat]
    texts = [_period(atoms, 0, members)]
    for at, (atom, alone) in enumerate(flat[:-1]):
        if not alone and _loose(atom):
            texts.append(1)
        elif _loose(atom) and _gives_way(atom, atoms[at + 1], members):
            texts.append(_period(atoms, at + 1, members))
    steps = float(length)
    for text in texts:
        steps *= max(1.0, length / (len(texts) * text))
    return steps * float(2 ** sum(atom.least != atom.most and not atom.endless for atom in _all(branch)))


def _loose(atom: Atom) -> bool:
    return atom.most is None or atom.most - atom.least > _FEW


def _all(branch: Sequence[Atom]) -> Iterator[Atom]:
    for atom in branch:
        yield atom
        for inner in atom.branches:
            yield from _all(inner)


def _flat(branch: Sequence[Atom], *, alone: bool) -> Iterator[tuple[Atom, bool]]:
    """Its single atoms, one after another, those of alternatives too; and whether there is no alternative, so
    that what comes next is what follows."""
    for atom in branch:
        if not atom.branches:
            yield atom, alone
        for inner in atom.branches:
            yield from _flat(inner, alone=alone and len(atom.branches) == 1)


def _gives_way(atom: Atom, after: Atom, members: Members) -> bool:
    if after.text in {"^", "$", r"\A", r"\z", r"\b"} or after.least == 0:
        return True
    return bool(members(atom) & members(after))


def _period(flat: Sequence[Atom], at: int, members: Members) -> int:
    """After how many bytes the text that begins at this atom can come again, at least 1."""
    text: list[int] = []
    for atom in flat[at:]:
        if atom.text in {"^", r"\A"} or (atom.least, atom.most) != (1, 1) or atom.text in {"$", r"\z", r"\b"}:
            break
        those = members(atom)
        if len(those) != 1:
            break
        text += those
    return max(1, period(bytes(text)))


def period(text: bytes) -> int:
    """After how many bytes a text can begin again within itself or behind it; 0 for none."""
    return next((n for n in range(1, len(text) + 1) if text.startswith(text[n:])), 0)
