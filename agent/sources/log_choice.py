"""Which log files are watched where there are more than can be: those that were written to last."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterable, Mapping
from contextlib import suppress
from pathlib import Path

from agent.sources.log_rotated import places, siblings

QUIET_MS = 3_600_000  # a file that is watched gives way to one that was written to so much later


def written(paths: Iterable[str]) -> Mapping[str, int]:
    """When each was written to last (ms), 0 where that cannot be learnt. Of one that was renamed, and not
    made again yet, what it became tells."""
    found = {}
    for path in paths:
        found[path] = 0
        with suppress(OSError):
            try:
                found[path] = _ms(os.stat(path))  # noqa: PTH116 a few hundred calls
            except FileNotFoundError:
                found[path] = max((_ms(stat) for stat, _ in siblings(places(Path(path)))), default=0)
    return found


def _ms(stat: os.stat_result) -> int:
    return stat.st_mtime_ns // 1_000_000


def chosen(
    new: Collection[str], read: Collection[str], room: int, at: Mapping[str, int]
) -> tuple[list[str], list[str]]:
    """Which `new` files to watch, by their names, and which of those that are `read` to their end give way.

    `room` is for how many there is, `at` when each was written to.
    """
    newest = sorted(new, key=lambda path: (-at[path], path))
    oldest = sorted(read, key=lambda path: (at[path], path))
    places = max(room, 0)
    pairs = zip(newest[places:], oldest, strict=False)
    swaps = [(path, quiet) for path, quiet in pairs if at[path] - at[quiet] > QUIET_MS]
    return sorted([*newest[:places], *(path for path, _ in swaps)]), [quiet for _, quiet in swaps]
