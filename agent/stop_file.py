"""The stop file: while it stands nothing is done and nothing is undone. Its text is the reason shown."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from agent.lone_thread import LoneThread

SHOWN = 500  # characters of the reason
DEADLINE_S = 2.0


class StopFile:
    """One that may lie on a disk that hangs: who acts asks for it each time, and must not wait for ever."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._thread = LoneThread("reading of the stop file")

    async def read(self) -> str | None:
        """The reason, perhaps empty; None where the file is absent. A file that cannot be read stops too."""
        try:
            return await self._thread.run(partial(_read, self._path), DEADLINE_S)
        except OSError as error:  # a time-out is one
            return f"it is taken to stand, as it cannot be read: {error}"


def _read(path: Path) -> str | None:
    try:
        with path.open(errors="replace") as file:
            return file.read(SHOWN).strip()
    except (FileNotFoundError, NotADirectoryError):
        return None
