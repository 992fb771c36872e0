"""How long anything may take of what is damaged."""

from __future__ import annotations

import time

AT_ONCE_S = 3.0  # of processor time: more than that is a hang


def at_once(began: float, what: str) -> None:
    """Since `began`, by the processor time of this process."""
    took = time.process_time() - began
    assert took < AT_ONCE_S, f"{took:.1f} s of processor time for {what!r}"
