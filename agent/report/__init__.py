"""What happened and what stands, told from the entries: plain data for the API, the commands and the page."""

from agent.report.deeds import actions
from agent.report.overview import Live, Plain, alert, incident, incidents, status
from agent.report.story import doing, why
from agent.report.words import changes, patient

__all__ = [
    "Live",
    "Plain",
    "actions",
    "alert",
    "changes",
    "doing",
    "incident",
    "incidents",
    "patient",
    "status",
    "why",
]
