"""Chunks searched by hyperscan. To be imported only where the processor can run it: see log_finders."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping

import hyperscan

from agent.sources.log_scan_copy import ScanCopy, TooMany

# Of fewer than 48 texts hyperscan searches in a way that is for AVX2, which its builds for Python do without:
# 30 patterns then take twice as long as 50 do. So there are always as many: these are in no log.
_PADDING = tuple(bytes((1 + n % 8, 1 + n // 8)) * 4 for n in range(48))
_MANY = 1 << 17  # lines of one chunk, each counted for every pattern that finds it: a few megabytes


class HyperscanFinder:
    """All patterns in one pass of block mode, during which the interpreter runs other threads."""

    name = "hyperscan"

    def __init__(self, copies: Mapping[int, ScanCopy]) -> None:
        self.numbers = frozenset(copies)
        self.exact = frozenset(number for number, copy in copies.items() if copy.exact)
        self._database = _compiled(copies)

    def find(self, chunk: bytes) -> Mapping[int, list[int]]:
        """The ends of the lines that each pattern may find. TooMany: the chunk must be cut."""
        ends = defaultdict[int, list[int]](list)
        left = _MANY

        def found(number: int, _from: int, end: int, _flags: int, _context: object) -> bool:
            nonlocal left
            left -= 1
            ends[number].append(end - 1)
            return left < 0

        try:
            self._database.scan(chunk, match_event_handler=found)
        except hyperscan.ScanTerminated:
            raise TooMany from None
        return {number: sorted(those) for number, those in ends.items()}


def finder(copies: Mapping[int, ScanCopy]) -> HyperscanFinder | None:
    """For those of the patterns that hyperscan takes; None where it takes none."""
    try:
        return HyperscanFinder(copies)
    except hyperscan.error:
        taken = {number: copy for number, copy in copies.items() if takes(copy)}
    try:
        return HyperscanFinder(taken) if taken else None
    except hyperscan.error:  # each alone, but not all together
        return None


def takes(copy: ScanCopy) -> bool:
    """Whether hyperscan takes this pattern: only of one alone it says so."""
    try:
        _compiled({0: copy})
    except hyperscan.error:
        return False
    return True


def _compiled(copies: Mapping[int, ScanCopy]) -> hyperscan.Database:
    """Each expression reaches behind the line's end: else every place where it may end would be reported,
    a repetition of 200 characters 200 times. So it is once a line, and faster than with `$`."""
    texts = [b"(?:" + copy.scan + rb")[^\n]*\n" for copy in copies.values() if copy.scan is not None]
    flags = [hyperscan.HS_FLAG_MULTILINE] * len(texts) + [hyperscan.HS_FLAG_QUIET] * len(_PADDING)
    database = hyperscan.Database(mode=hyperscan.HS_MODE_BLOCK)
    padding = range(max(copies) + 1, max(copies) + 1 + len(_PADDING))
    database.compile(
        expressions=[*texts, *_PADDING], ids=[*copies, *padding], elements=len(flags), flags=flags
    )
    return database
