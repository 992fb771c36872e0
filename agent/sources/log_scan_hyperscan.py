"""Chunks searched by hyperscan. To be imported only where the processor can run it: see log_finders."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence

import hyperscan

from agent.sources.log_fragments import Lore
from agent.sources.log_scan_copy import ScanCopy, TooMany

# Of fewer than 48 texts hyperscan searches in a way that is for AVX2, which its builds for Python do without:
# 30 patterns then take two to three times as long as 50 do. So there are always as many: these are in no log.
# Where all have four bytes or more it looks at every fourth place only, with so many false alarms that it is
# slower: so one has three.
_TEXTS = 56
_SHORT = b"\1\2\3"
_PADDING = tuple(bytes((1 + n % 8, 1 + n // 8)) * 4 for n in range(_TEXTS))
_MANY = 1 << 17  # lines of one chunk, each counted for every pattern that finds it: a few megabytes


class HyperscanFinder:
    """All patterns in one pass of block mode, during which the interpreter runs other threads.

    A pattern with a text that is rare in the log is searched for by that text alone."""

    name = "hyperscan"

    def __init__(self, copies: Mapping[int, ScanCopy], lore: Lore) -> None:
        fragments = lore.fragments({number: copy.runs for number, copy in copies.items()})
        whole = {number: copy for number, copy in copies.items() if number not in fragments}
        self.numbers, self.by_text = frozenset(copies), frozenset(fragments)
        self.repeats = Counter[int]()
        self.exact = frozenset(number for number, copy in whole.items() if copy.exact)
        self._database = _compiled(whole, fragments)

    def find(self, chunk: bytes) -> Mapping[int, list[int]]:
        """The ends of the lines that each pattern may find. TooMany: the chunk must be cut."""
        ends, behind = defaultdict[int, list[int]](list), dict[int, int]()
        left = _MANY
        repeats = self.repeats = Counter()

        def found(number: int, _from: int, end: int, _flags: int, _context: object) -> bool:
            nonlocal left
            if end <= behind.get(
                number, 0
            ):  # one more in the same line: they come in the order of their ends
                repeats[number] += 1
                return False
            left -= 1
            line = chunk.find(b"\n", end - 1)
            ends[number].append(line)
            behind[number] = line + 1
            return left < 0

        try:
            self._database.scan(chunk, match_event_handler=found)
        except hyperscan.ScanTerminated:
            raise TooMany from None
        return {number: sorted(those) for number, those in ends.items()}


def finder(copies: Mapping[int, ScanCopy], lore: Lore) -> HyperscanFinder | None:
    """For those of the patterns that hyperscan takes; None where it takes none."""
    try:
        return HyperscanFinder(copies, lore)
    except hyperscan.error:
        taken = {number: copy for number, copy in copies.items() if takes(copy)}
    try:
        return HyperscanFinder(taken, lore) if taken else None
    except hyperscan.error:  # each alone, but not all together
        return None


def takes(copy: ScanCopy) -> bool:
    """Whether hyperscan takes this pattern: only of one alone it says so."""
    try:
        _compiled({0: copy}, {})
    except hyperscan.error:
        return False
    return True


def _compiled(whole: Mapping[int, ScanCopy], fragments: Mapping[int, Sequence[bytes]]) -> hyperscan.Database:
    """Each expression reaches behind the line's end: else every place where it may end would be reported,
    a repetition of 200 characters 200 times. So it is once a line, and faster than with `$`."""
    rows = [
        (number, b"(?:" + copy.scan + rb")[^\n]*\n", hyperscan.HS_FLAG_MULTILINE)
        for number, copy in whole.items()
        if copy.scan is not None
    ]
    rows += [(number, _escaped(text), 0) for number, texts in fragments.items() for text in texts]
    behind = max((number for number, _, _ in rows), default=0) + 1
    padding = (_SHORT, *_PADDING[len({text for _, text, _ in rows}) :])
    rows += [(behind + n, text, hyperscan.HS_FLAG_QUIET) for n, text in enumerate(padding)]
    database = hyperscan.Database(mode=hyperscan.HS_MODE_BLOCK)
    ids, texts, flags = zip(*rows, strict=True)
    database.compile(expressions=list(texts), ids=list(ids), elements=len(rows), flags=list(flags))
    return database


def _escaped(text: bytes) -> bytes:
    return b"".join(b"\\x%02x" % byte for byte in text)
