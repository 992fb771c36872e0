"""The one kind of failure that a lab reports to a person."""

from __future__ import annotations


class LabError(Exception):
    """What went wrong, where and why; `hint` is what to do next, a command where there is one."""

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.hint = hint
