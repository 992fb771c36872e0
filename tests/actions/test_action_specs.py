"""What rules and gate read of the actions: names, arguments, traits, and the page made of them."""

from __future__ import annotations

from pathlib import Path

import pytest

from agent.actions import Action, action, load, spec
from agent.actions.clear_leftover_throttle import ClearLeftoverThrottle
from agent.actions.drain_disk import DrainDisk
from agent.actions.manual_page import page
from agent.actions.ports import AdminPort, Ports
from agent.actions.throttle_replication import ThrottleReplication
from agent.kafka.admin import Admin
from agent.model import Blast, Parameter
from agent.sources import cluster_metrics
from agent.sources.name_files import shipped

ACTIONS: tuple[Action, ...] = (DrainDisk(), ThrottleReplication(), ClearLeftoverThrottle())  # mypy judges
PAGE = Path(__file__).parents[2] / "docs" / "actions.md"


def the_admin_fits(admin: Admin) -> AdminPort:
    """Judged by mypy: what the actions ask for is what the bridge to Kafka gives."""
    return admin


def test_each_file_is_found_by_being_there() -> None:
    assert list(load()) == ["clear_leftover_throttle", "drain_disk", "throttle_replication"]
    for name, cls in load().items():
        assert cls.__module__ == f"agent.actions.{name}"


def test_arguments_are_those_of_plan() -> None:
    """Keyword arguments but `target`, with the kinds that rules write."""
    assert spec(DrainDisk).parameters == (
        Parameter("log_dir", "string", True, None),
        Parameter("until_used_ratio", "ratio", True, None),
        Parameter("rate", "rate", True, None),
    )
    assert spec(ThrottleReplication).parameters == (
        Parameter("rate", "rate", True, None),
        Parameter("topics_max", "integer", False, 20),
    )
    assert spec(ClearLeftoverThrottle).parameters == (
        Parameter("keys", "strings", False, ()),
        Parameter("up_to", "rate", False, 0),
    )


def test_traits_are_the_class_lines() -> None:
    said = spec(DrainDisk)
    assert (said.blast, said.reversible, said.corroborate, said.keeps) == (Blast.HOST, False, 1, True)
    assert spec(ClearLeftoverThrottle).keeps
    assert not spec(ThrottleReplication).keeps


def test_the_metrics_that_an_action_moves_by_itself_are_collected() -> None:
    """A misspelt one would let a `verify` pass that proves nothing."""
    known = {metric.name for metric in cluster_metrics.METRICS} | shipped().metrics.keys()
    for cls in load().values():
        assert set(spec(cls).moves) <= known


def test_an_argument_that_no_rule_can_write_is_an_error() -> None:
    @action(blast=Blast.NOTHING, reversible=True)
    class Odd:
        """Odd."""

        async def plan(self, ports: Ports, *, target: str, shape: complex) -> None: ...

    with pytest.raises(TypeError, match=r"Odd.plan: shape is .*complex.*, which no rule can write"):
        spec(Odd)


def test_the_page_is_what_the_manuals_say() -> None:
    """`python -m agent.actions.manual_page > docs/actions.md` was run."""
    assert PAGE.read_text(encoding="utf-8") == page()
