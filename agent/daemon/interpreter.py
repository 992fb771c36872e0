"""How Python itself is set for a process that stays small, and whose event loop waits for no thread."""

from __future__ import annotations

import ctypes
import gc
import mmap
import subprocess
import sys
import time
from collections.abc import Iterable
from pathlib import Path

# While a query computes, the loop gets the interpreter after this long (Python's own: 5 ms). Measured with
# queries over 10,000 series: the loop's median lag falls from 5.2 to 1.2 ms, their time stays within noise.
SWITCH_S = 0.001
# When memory is given back, in seconds since the start: patterns are compiled; all sources were read, and the
# control topic is joined, if it is to be had; what is done each minute was done.
MOMENTS_S = (3.0, 10.0, 60.0)
APART_S = 1.0  # between the two looks at what can be given back

# From glibc's malloc.h; other C libraries have no such thing, nor the need.
_M_ARENA_MAX = -8


def share_heap() -> None:
    """First of all, before there are threads: each would get an arena of its own from glibc, in which what
    stays is scattered among what was freed. Threads that mostly wait do not wait for each other's turn."""
    library = ctypes.CDLL(None)
    if hasattr(library, "mallopt"):
        library.mallopt(_M_ARENA_MAX, 1)


def settle() -> None:
    """Once, when all parts are made: hand over sooner, look no more for garbage among what stays, and give
    back the memory that only the start has needed. To collect first would find 0.6 MB, and take 40 ms.

    Programs are started by fork: after vfork the interpreter waits, with all its threads, till the program is
    read from its disk, which may hang.
    """
    sys.setswitchinterval(SWITCH_S)
    subprocess._USE_VFORK = False  # type: ignore[misc]  # noqa: SLF001  the documented way
    gc.freeze()
    _trim()


def give_back() -> None:
    """At each of MOMENTS_S: free memory, and the pages of libraries that are as they are on disk.

    Most of these were only touched while a library was loaded, or lie beside such. They leave this process;
    the page cache keeps them, and those that are in use come back from there. 30 ms of processor time, and
    APART_S: for a thread. A library that is just being loaded is not seen alike twice, and left alone. Where
    one is unloaded in the milliseconds after the second look, as by a dlopen that fails, another mapping may
    have its place by then, and would lose what was written to it.

    To trim stops each thread that allocates meanwhile, since all share one arena: 21 ms where 60 MB had been
    freed in pieces.
    """
    _trim()
    library = ctypes.CDLL(None)
    library.madvise.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int]
    before = _seen()
    time.sleep(APART_S)
    for start, end in map(_bounds, before & _seen()):
        library.madvise(start, end - start, mmap.MADV_DONTNEED)  # refused of what is locked: it stays


def _trim() -> None:
    library = ctypes.CDLL(None)
    if hasattr(library, "malloc_trim"):
        library.malloc_trim(0)


def _seen() -> set[str]:
    """In proc_pid_smaps(5), line by line: as a whole it would leave a megabyte more than it helps to give
    back. Nothing where there is no such file."""
    try:
        with Path("/proc/self/smaps").open() as smaps:
            return _as_on_disk(smaps)
    except OSError:
        return set()


def _as_on_disk(smaps: Iterable[str]) -> set[str]:
    """The lines of the private mappings of files that cannot be written, and of which no page ever was, in
    memory or swapped out: others, such as what the linker has relocated, would lose that."""
    found, mapping = set(), ""
    for line in smaps:
        word, value, *rest = line.split(maxsplit=5)
        if not word.endswith(":"):
            mapping = line
            if value in ("r--p", "r-xp") and rest[2] != "0":
                found.add(mapping)
        elif word in ("Anonymous:", "Swap:") and value != "0":
            found.discard(mapping)
    return found


def _bounds(mapping: str) -> tuple[int, int]:
    start, _, end = mapping.split(maxsplit=1)[0].partition("-")
    return int(start, 16), int(end, 16)
