"""Which series give way where there are as many as there may be."""

from __future__ import annotations

from agent.series.block import Block


def gives_way(held: dict[str, Block], name: str, limit: int) -> tuple[str, int] | None:
    """To a new series of `name`: the newest name with more than its share of the limit, and how many series
    it keeps; None where that is `name` itself, or none has more. `held`: the oldest first.

    An eighth of what is too much goes at once: each time a block is copied.
    """
    share = limit // (len(held) + (name not in held))
    if not share:
        return None  # more names than series: the newest is this one
    for newest, block in reversed(held.items()):
        count = len(block.rows)
        if newest == name and count >= share:
            return None
        if count > share:
            return newest, count - max(1, (count - share) // 8)
    return None
