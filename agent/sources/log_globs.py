"""Which files a configured path or glob names."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Set
from fnmatch import fnmatchcase
from functools import cache
from glob import glob, has_magic


def is_text(path: str) -> bool:
    """Whether its bytes are UTF-8: no other name can be saved, or told in a label."""
    try:
        path.encode()
    except UnicodeEncodeError:
        return False
    return True


def shown(path: str) -> str:
    """Any name, as text."""
    return os.fsencode(path).decode(errors="backslashreplace")


def named(file: str) -> list[str]:
    """The paths that `file` names now, itself where it is no glob. Looks into folders; OSError where the last
    one that it spells out may not be listed, which a glob alone takes for an empty one."""
    if not has_magic(file):
        return [file]
    folder = file
    while has_magic(folder):
        folder = os.path.dirname(folder)  # noqa: PTH120 it is a string all along
    os.scandir(folder or os.curdir).close()
    return glob(file)  # noqa: PTH207 of any root


def would_name(file: str, path: str) -> bool:
    """Whether `file` would name this path if it were there: as a glob does, part by part."""
    theirs, its = file.split("/"), path.split("/")
    return len(theirs) == len(its) and all(
        fnmatchcase(part, wanted) and (wanted.startswith(".") or not part.startswith(".") or part == wanted)
        for part, wanted in zip(its, theirs, strict=True)
    )


def to_tail(every: Mapping[str, Set[str]]) -> Iterator[tuple[str, str]]:
    """(path, which file names it) of each file to tail, by what each file names, in the order of the paths.

    Rotated files belong to their live one's trail. The folders that a glob names have none.
    """
    found = {path: file for file, paths in every.items() for path in paths}

    @cache
    def is_file(path: str) -> bool:
        return path in found and (path == found[path] or not os.path.isdir(path))  # noqa: PTH112

    for path, file in sorted(found.items()):
        if not any(is_file(path[:at]) for at, letter in enumerate(path) if letter in ".-") and is_file(path):
            yield path, file
