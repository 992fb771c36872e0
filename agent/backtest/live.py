"""What a backtest takes from the live life of alerts: it has no machine of its own."""

from __future__ import annotations

from agent.alerts import advance, deadlines, identified, obstacle, recorded

__all__ = ["advance", "deadlines", "identified", "obstacle", "recorded"]
