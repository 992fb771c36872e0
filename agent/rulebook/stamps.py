"""Whether files have changed: what their folders say of them, without reading them."""

from __future__ import annotations

import os
from collections.abc import Iterable

# Path, device, inode, size, mtime and ctime in nanoseconds. ctime, since `cp -p` and rsync set mtime back.
Stamp = tuple[tuple[str, int, int, int, int, int], ...]


def stamp(files: Iterable[str]) -> Stamp:
    """What tells these files from what stood there before. Links are followed: a ConfigMap swaps one.

    Blocks on the disk; a file that is not there, or may not be looked at, has zeros.
    """
    return tuple(_of(path) for path in files)


def _of(path: str) -> tuple[str, int, int, int, int, int]:
    try:
        seen = os.stat(path)  # noqa: PTH116  a running agent asks all the time
    except OSError:
        return (path, 0, 0, 0, 0, 0)
    return (path, seen.st_dev, seen.st_ino, seen.st_size, seen.st_mtime_ns, seen.st_ctime_ns)
