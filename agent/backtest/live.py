"""What a backtest takes from the live life of alerts: it has no machine of its own."""

from __future__ import annotations

from agent.alerts import advance, deadlines, identified, obstacle, recorded
from agent.alerts.obstacles import Obstacle, asked_absent, inherited

__all__ = [
    "Obstacle",
    "advance",
    "asked_absent",
    "deadlines",
    "identified",
    "inherited",
    "obstacle",
    "recorded",
]
