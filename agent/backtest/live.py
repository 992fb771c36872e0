"""What a backtest takes from the live life of alerts: it has no machine of its own."""

from __future__ import annotations

from agent.alerts import identified, recorded
from agent.alerts.life import obstacle
from agent.alerts.machine import advance, deadlines

__all__ = ["advance", "deadlines", "identified", "obstacle", "recorded"]
