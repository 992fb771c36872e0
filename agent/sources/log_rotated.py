"""What a log file was rotated to: the files beside it that begin with its name."""

from __future__ import annotations

import os
from collections.abc import Container, Iterable, Iterator
from contextlib import suppress
from pathlib import Path

from agent.sources.log_open import PACKED

_FOREIGN = frozenset({".zst", ".bz2", ".xz", ".lz4", ".zip"})  # packed, and not read


def places(path: Path) -> tuple[Path, ...]:
    """`path` and, where it is a symbolic link, what it leads to: rotation may go by either name."""
    return (path, Path(os.path.realpath(path))) if path.is_symlink() else (path,)


def siblings(found: Iterable[Path]) -> list[tuple[os.stat_result, Path]]:
    """The rotated files of these places, oldest first, and the packed ones behind the others."""
    every = {path: stat for place in found for stat, path in _beside(place)}
    return sorted(
        ((stat, path) for path, stat in every.items()),
        key=lambda pair: (pair[1].suffix == PACKED, pair[0].st_mtime_ns, pair[1]),
    )


def _beside(place: Path) -> Iterator[tuple[os.stat_result, Path]]:
    names = (place.name + ".", place.name + "-")
    with suppress(FileNotFoundError), os.scandir(place.parent) as entries:
        for entry in entries:
            if entry.name.startswith(names) and Path(entry.name).suffix not in _FOREIGN:
                with suppress(FileNotFoundError):
                    yield entry.stat(), Path(entry.path)


def moved_links(left: Iterable[Path], inodes: Container[int]) -> Iterator[tuple[os.stat_result, Path]]:
    """Files to which a symbolic link led, where they still are."""
    for path in left:
        with suppress(OSError):
            stat = path.stat()
            if stat.st_ino in inodes:
                yield stat, path


def stamp(stat: os.stat_result) -> tuple[int, int]:
    """By which it shows that a file was written to."""
    return stat.st_size, stat.st_mtime_ns
