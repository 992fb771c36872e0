"""Chunks searched by hyperscan. To be imported only where the processor can run it: see log_finders."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence

import hyperscan

from agent.sources.log_scan_copy import TooMany

# Of fewer than 48 texts hyperscan searches in a way that is for AVX2, which its builds for Python do without:
# 30 patterns then take two to three times as long as 50 do. So there are always as many: these are in no log.
# Where all have four bytes or more it looks at every fourth place only, with so many false alarms that it is
# slower: so one has three.
_TEXTS = 56
_SHORT = b"\1\2\3"
_PADDING = tuple(bytes((1 + n % 8, 1 + n // 8)) * 4 for n in range(_TEXTS))
_MANY = 1 << 17  # lines of one chunk, each counted for every pattern that finds it: a few megabytes


class HyperscanFinder:
    """Looks for the texts of all patterns in one pass of block mode, during which the interpreter runs other
    threads. Texts only: of expressions that hold two letters between what varies it misses some lines."""

    name = "hyperscan"
    by_text = True

    def __init__(self, fragments: Mapping[int, Sequence[bytes]]) -> None:
        self.numbers = frozenset(fragments)
        self.repeats = Counter[int]()
        self._database = _compiled(fragments)

    def find(self, chunk: bytes) -> Mapping[int, list[int]]:
        """The ends of the lines that each pattern may find. TooMany: the chunk must be cut."""
        ends, behind = defaultdict[int, list[int]](list), dict[int, int]()
        left = _MANY
        repeats = self.repeats = Counter()

        def found(number: int, _from: int, end: int, _flags: int, _context: object) -> bool:
            nonlocal left
            if end <= behind.get(number, 0):  # once more in the same line, as they come in their order
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
        return ends


def _compiled(fragments: Mapping[int, Sequence[bytes]]) -> hyperscan.Database:
    rows = [(number, text, 0) for number, texts in fragments.items() for text in texts]
    padding = (_SHORT, *_PADDING[len({text for _, text, _ in rows}) :])
    behind = max(fragments) + 1
    rows += [(behind + n, text, hyperscan.HS_FLAG_QUIET) for n, text in enumerate(padding)]
    database = hyperscan.Database(mode=hyperscan.HS_MODE_BLOCK)
    ids, texts, flags = zip(*rows, strict=True)
    escaped = [b"".join(b"\\x%02x" % byte for byte in text) for text in texts]
    database.compile(expressions=escaped, ids=list(ids), elements=len(rows), flags=list(flags))
    return database
