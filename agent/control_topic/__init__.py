"""The control topic's reader and writer: joins the log, folds it, and waits for its order to decide."""

from agent.control.gossip import Peer
from agent.control.lost import Lost
from agent.control.state import Claim, ClaimState, Limit, State
from agent.control.times import BUDGETS, LAB, PRODUCTION, Budget, Settings, Times
from agent.control_topic.effects import Deadman, Effects, Request
from agent.control_topic.ports import (
    ClaimVoid,
    ControlUnavailable,
    CreateTopic,
    InDoubt,
    Log,
    LogRecord,
    Memory,
    NotAccepted,
    Surroundings,
)
from agent.control_topic.topic import ControlTopic

__all__ = [
    "BUDGETS",
    "LAB",
    "PRODUCTION",
    "Budget",
    "Claim",
    "ClaimState",
    "ClaimVoid",
    "ControlTopic",
    "ControlUnavailable",
    "CreateTopic",
    "Deadman",
    "Effects",
    "InDoubt",
    "Limit",
    "Log",
    "LogRecord",
    "Lost",
    "Memory",
    "NotAccepted",
    "Peer",
    "Request",
    "Settings",
    "State",
    "Surroundings",
    "Times",
]
