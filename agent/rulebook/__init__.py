"""Rules as people write them: alerts, remedies and log patterns from a folder of YAML files."""

from agent.rulebook.load import BadRules, Reading, Rulebook, load, read
from agent.rulebook.marks import Marks
from agent.yaml_marks import Complaint

__all__ = ["BadRules", "Complaint", "Marks", "Reading", "Rulebook", "load", "read"]
