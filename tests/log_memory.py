"""What tests of the log tail share."""

from __future__ import annotations

from agent.model import Sample


class Memory:
    """Positions that outlive a LogTail."""

    def __init__(self) -> None:
        self.value: bytes | None = None
        self.saves = 0
        self.full = False

    async def load(self) -> bytes | None:
        return self.value

    async def save(self, value: bytes) -> None:
        if self.full:
            raise OSError("database or disk is full")
        self.value = value
        self.saves += 1


def value(samples: list[Sample], name: str) -> float:
    """The newest value of the series without labels."""
    return [sample.value for sample in samples if (sample.name, sample.labels) == (name, ())][-1]
