"""What a pattern finds in lines: exactly RE2's search of each line, for whole batches of them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import re2

from agent.sources.log_hits import Groups
from agent.sources.log_scan_copy import copy_of

_PROGRAM_BYTES = 8 << 20  # of one pattern
_FEW = 6  # lines that cost less one by one


class LineSearch:
    """One pattern. `names` are its named groups, in the order in which `groups` gives their values.

    Lines of up to `longest` bytes are looked at many at once.
    """

    def __init__(self, regex: str) -> None:
        options = re2.Options()
        options.max_mem, options.log_errors = _PROGRAM_BYTES, False
        self._regex: Any = re2.compile(regex, options)
        indexes = sorted((index, name) for name, index in self._regex.groupindex.items())
        self.names = tuple(name for _, name in indexes)
        self._indexes = tuple(index for index, _ in indexes)
        copy = copy_of(regex)
        self.longest = copy.longest
        self._one = self._rows = None
        if copy.twin is not None and copy.longest:
            self._one = re.compile(copy.twin, re.MULTILINE)
            # The rest of the line is taken along, so that the next match begins in the next line.
            nothing = b"" if self.names else b"()"  # findall gives the groups only where there are any
            self._rows = re.compile(b"(?:" + copy.twin + b")" + nothing + rb"[^\n]*\n", re.MULTILINE)

    def groups(self, lines: Sequence[bytes]) -> list[Groups | None]:
        """Of each line, given with its end, the groups, empty where they took no part; None: not found."""
        if self._rows is not None and len(lines) > _FEW:
            text = b"".join(lines)
            short = len(text) <= self.longest or max(map(len, lines)) <= self.longest
            if short and text.isascii():
                found = self._rows.findall(text)
                if len(found) == len(lines):  # one match in each line, so all were found
                    return _rows(found, len(self.names))
        return [self._of(line) for line in lines]

    def _of(self, line: bytes) -> Groups | None:
        if self._one is not None and len(line) <= self.longest and line.isascii():
            match = self._one.search(line, 0, len(line) - 1)
            return match.groups(b"") if match else None
        found = self._regex.search(line[:-1])
        return tuple(found[index] or b"" for index in self._indexes) if found else None


def _rows(found: list[Any], width: int) -> list[Groups | None]:
    """What findall gives, which is no tuples where there is one group only."""
    if width > 1:
        return found
    return list(zip(found, strict=True)) if width else [()] * len(found)
