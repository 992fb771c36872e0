"""What can go wrong while a template is expanded."""

from __future__ import annotations


class TemplateError(Exception):
    """The template cannot be expanded with these values, as Go would say when it is executed."""
