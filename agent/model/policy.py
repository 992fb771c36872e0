"""What a host allows."""

from __future__ import annotations

import msgspec

from agent.model.remedies import Rate


class Policy(msgspec.Struct, frozen=True):
    """What this host allows, whatever the rules say. Rates of data are bytes a second."""

    per_host: Rate = Rate(6, 3_600_000)
    breaker: int = 3  # so many unverified in a row, and a person must look
    startup_grace_ms: int = 30_000
    drain_headroom: float = 0.20  # of a target log dir stays free, whatever moves there
    max_move_rate: int = 50 << 20
    min_throttle_rate: int = 1 << 20
