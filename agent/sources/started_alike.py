"""What was started like a broker whose words do not name Kafka, as one of a distribution's own main class."""

from __future__ import annotations

import os

from msgspec import Struct

from agent.sources import kafka_processes
from agent.sources.kafka_processes import PROC

_PROPERTIES = b".properties"


class Start(Struct, frozen=True):
    """How a process was started: its command line, none where that names Kafka, and where it looks for the
    properties that it names by a relative path. None: it names none so, or its folder may not be seen."""

    words: tuple[bytes, ...] = ()
    folder: str | None = None


def start_of(pid: int) -> Start:
    """No words where it has ended, or may not be seen."""
    words = kafka_processes.unnamed(pid)
    return Start(tuple(words), _folder(pid) if any(map(_is_relative, words)) else None)


def started_by(start: Start) -> list[int]:
    """Who was started so, in this network. The same words in another folder mean another broker."""
    starts = ((pid, start_of(pid)) for pid in kafka_processes.pids())
    alike = (pid for pid, its in starts if its.words == start.words and _may_be_one(its, start))
    return list(filter(kafka_processes.shares_network, alike))


def _may_be_one(one: Start, other: Start) -> bool:
    return None in (one.folder, other.folder) or one.folder == other.folder


def _is_relative(word: bytes) -> bool:
    return word.endswith(_PROPERTIES) and not word.startswith((b"/", b"-"))


def _folder(pid: int) -> str | None:
    try:
        return os.readlink(PROC / str(pid) / "cwd").removesuffix(" (deleted)")  # noqa: PTH115 a text
    except OSError:
        return None
