"""The nouns of Ottla. Frozen, without behaviour beyond reading themselves; everything else imports these."""

from agent.model.actions import ActionSpec, Blast, Parameter, Sign
from agent.model.alerts import AND_MORE, PAUSED, Alert, AlertState, Firing, RuleHealth, RuleNow
from agent.model.decisions import Decision, Refusal
from agent.model.effects import Change, Effect, Operation, Seen, Settle
from agent.model.entries import Boot, Called, Entry, Kind
from agent.model.log_patterns import LogPattern
from agent.model.place import Place
from agent.model.policy import Policy
from agent.model.remedies import Argument, Limits, Mode, Rate, Remedy, Step, Verify
from agent.model.rules import AlertRule, RecordRule, Rule
from agent.model.series import Labels, Point, Sample, labels_of

__all__ = [
    "AND_MORE",
    "PAUSED",
    "ActionSpec",
    "Alert",
    "AlertRule",
    "AlertState",
    "Argument",
    "Blast",
    "Boot",
    "Called",
    "Change",
    "Decision",
    "Effect",
    "Entry",
    "Firing",
    "Kind",
    "Labels",
    "Limits",
    "LogPattern",
    "Mode",
    "Operation",
    "Parameter",
    "Place",
    "Point",
    "Policy",
    "Rate",
    "RecordRule",
    "Refusal",
    "Remedy",
    "Rule",
    "RuleHealth",
    "RuleNow",
    "Sample",
    "Seen",
    "Settle",
    "Sign",
    "Step",
    "Verify",
    "labels_of",
]
