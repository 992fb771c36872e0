"""Folds the records that stand in files and prints what came of each: run by every CPython that can be found.

A file is a log; each of its lines is [at, leader epoch, append time, value in hex]. `at` null: the log's next
record; else one beside it, upon the state that its first `at` records led to.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from scribe import Written

from agent.control.digests import sha256
from agent.control.fold import fold
from agent.control.snapshot import dump
from agent.control.state import State

EVERY = 100  # offsets between two marks: each has the hash of the whole state


def answers(text: str) -> list[str]:
    """A line for each: the digest, the newest hash of the state, and the verdict in all its words."""
    states, lines = [State()], []
    for line in text.splitlines():
        at, epoch, time, value = json.loads(line)
        before = states[-1 if at is None else at]
        state, verdict = fold(before, Written(before.offset + 1, epoch, time, bytes.fromhex(value)), EVERY)
        if at is None:
            states.append(state)
        whole = state.mark.hash if at is None else sha256(dump(state))
        lines.append(f"{state.digest} {whole} {verdict.void}")
    return lines


if __name__ == "__main__":
    for name in sys.argv[1:]:
        print("\n".join(answers(Path(name).read_text())))
