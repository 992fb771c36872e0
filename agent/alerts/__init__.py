"""The life of alerts: which rules are due, what they give, and what follows for their alerts."""

from agent.alerts.life import Alerts
from agent.alerts.machine import Result, advance
from agent.alerts.results import identified, recorded

__all__ = ["Alerts", "Result", "advance", "identified", "recorded"]
