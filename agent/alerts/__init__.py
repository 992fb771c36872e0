"""The life of alerts: which rules are due, what they give, and what follows for their alerts."""

from agent.alerts.firings import Firings
from agent.alerts.judgement import Finding, Ground, Task, hindered, judge
from agent.alerts.keeping import Kept, lost
from agent.alerts.life import Alerts
from agent.alerts.machine import Result, advance, deadlines
from agent.alerts.obstacles import obstacle
from agent.alerts.order import Turn
from agent.alerts.results import identified, recorded

__all__ = [
    "Alerts",
    "Finding",
    "Firings",
    "Ground",
    "Kept",
    "Result",
    "Task",
    "Turn",
    "advance",
    "deadlines",
    "hindered",
    "identified",
    "judge",
    "lost",
    "obstacle",
    "recorded",
]
