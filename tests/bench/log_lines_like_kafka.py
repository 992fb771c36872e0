"""Log files like a broker's, the same each time: mostly lines that no shipped pattern finds."""

from __future__ import annotations

import random
import re
from collections.abc import Iterator
from pathlib import Path

import yaml

_TABLE = Path(__file__).parents[1] / "rulebook" / "shipped_log_lines.yml"
_COMMON = Path(__file__).with_name("common_log_lines.txt").read_text().splitlines()
_TRACE = """\
java.io.IOException: No space left on device
\tat java.base/sun.nio.ch.FileDispatcherImpl.write0(Native Method)
\tat java.base/sun.nio.ch.FileDispatcherImpl.write(FileDispatcherImpl.java:62)
\tat java.base/sun.nio.ch.FileChannelImpl.write(FileChannelImpl.java:280)
\tat org.apache.kafka.common.record.MemoryRecords.writeFullyTo(MemoryRecords.java:92)
\tat kafka.server.KafkaRequestHandler.run(KafkaRequestHandler.scala:158)
"""


def write(path: Path, size: int, hot: float) -> None:
    """A file of about `size` bytes, in which this share of the records is found by a pattern."""
    with path.open("w") as file:
        written = 0
        for record in _records(hot):
            written += file.write(record)
            if written >= size:
                return


def _records(hot: float) -> Iterator[str]:
    dice = random.Random(7)
    table = yaml.safe_load(_TABLE.read_text())
    del table["exit_on_out_of_memory"]  # the pattern for server.log would find its line too
    found = [re.sub(r"d2-4|dm-83", "topic-{t}-{p}", its["line"]) for its in table.values()]
    at = 0
    while True:
        at += 1
        is_hot = dice.random() < hot
        text = dice.choice(found if is_hot else _COMMON)
        for key, below in (("{t}", 60), ("{p}", 8), ("{n}", 10**9)):
            text = text.replace(key, str(dice.randrange(below)))
        time = f"{at // 3_600_000 % 24:02}:{at // 60_000 % 60:02}:{at // 1000 % 60:02},{at % 1000:03}"
        yield f"[2026-11-28 {time}] {text}\n" + (_TRACE if "ERROR" in text and dice.random() < 0.5 else "")
