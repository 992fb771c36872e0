"""SIGHUP before the agent has what obeys it."""

from __future__ import annotations


class EarlyHangUp:
    """Its handler meanwhile; `came` says whether it was called. SIG_IGN would be inherited by children."""

    def __init__(self) -> None:
        self.came = False

    def __call__(self, *_: object) -> None:
        """As signal.signal has it."""
        self.came = True
