"""What a control topic that was made again cannot know of."""

from __future__ import annotations


class Unheard:
    """Problems that were handled in a former log, of which nobody who had read that has joined this one yet.

    The memory of handled problems comes with joins; the log settles for a while and waits for nobody then.
    """

    def __init__(self) -> None:
        self._read: dict[str, int] = {}  # agent → the offset up to which it has read this log
        self._closed: dict[str, int] = {}  # problem → the offset at which it was handled last in this log
        self._by: dict[str, set[str]] = {}  # problem → the agents that had read so, in the log before

    def reads(self, agent: str, offset: int) -> None:
        """It has folded as far."""
        self._read[agent] = max(self._read.get(agent, -1), offset)

    def closes(self, problem: str, offset: int) -> None:
        """A claim of it, whose effect stood, is closed by that record."""
        self._closed[problem] = offset
        self._by.pop(problem, None)

    def made_again(self) -> None:
        """The log begins anew."""
        for problem, offset in self._closed.items():
            self._by[problem] = {agent for agent, read in self._read.items() if read >= offset}
        self._read, self._closed = {}, {}

    def joins(self, agent: str) -> None:
        """It tells the log what it knows."""
        self._by = {problem: by for problem, by in self._by.items() if agent not in by}

    def __contains__(self, problem: str) -> bool:
        return problem in self._by
