"""Templates in labels and annotations: the part of Go's text/template that alert rules use, parsed once."""

from agent.templates.expand import Data, Expansion, expand
from agent.templates.nodes import Template
from agent.templates.parse import Unsupported, parse

__all__ = ["Data", "Expansion", "Template", "Unsupported", "expand", "parse"]
