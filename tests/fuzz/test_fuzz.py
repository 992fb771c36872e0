"""A share of the fuzz run in every test run; `make fuzz SECONDS=600` is the whole of it."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import HealthCheck, settings
from targets import TARGETS


@pytest.mark.parametrize("target", TARGETS, ids=lambda target: target.__name__)
def test_what_is_damaged_is_refused_in_words_and_at_once(target: Callable[[], None]) -> None:
    settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))(target)()
