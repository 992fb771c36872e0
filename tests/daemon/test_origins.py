"""Which sources give what a rule reads, and which signal it is."""

from __future__ import annotations

import pytest

from agent.daemon.origins import Origins, part
from agent.model import Place, RecordRule
from agent.promql import compile  # noqa: A004  as in Prometheus
from agent.rulebook import Rulebook
from agent.sources import host_sources
from agent.sources.catalogue import TABLES

ORIGINS = Origins(Rulebook((), {}, (), ""), str)
DECLARED = [(source, metric.name) for _, source, metrics in host_sources.TABLES for metric in metrics]


@pytest.mark.parametrize(("source", "name"), DECLARED)
def test_each_metric_of_the_host_is_silent_with_the_source_that_declares_it(source: str, name: str) -> None:
    others = {each for each, _ in DECLARED} - {source}
    assert ORIGINS.silent(compile(name), frozenset({source}))
    assert not ORIGINS.silent(compile(name), frozenset(others))


@pytest.mark.parametrize(
    ("name", "source"),
    [
        ("ottla_log_unreadable_files", "logs"),
        ("ottla_jolokia_failed_reads", "jmx"),
        ("ottla_control_degraded", "control"),
        ("ottla_process_cpu_seconds_total", "agent"),
        ("ottla_unheard_of", "agent"),
    ],
)
def test_what_a_source_tells_of_itself_is_silent_with_it_and_with_no_other(name: str, source: str) -> None:
    """A rule on it that the source's failure left judged by an old value would look healthy."""
    others = {each for _, each, _ in TABLES} - {source}
    assert ORIGINS.silent(compile(name), frozenset({source}))
    assert not ORIGINS.silent(compile(name), frozenset(others))


@pytest.mark.parametrize("name", ["ottla_source_up", "ottla_exposition_refused_bodies_total"])
def test_how_a_reading_went_is_told_also_where_it_failed(name: str) -> None:
    assert name in {metric.name for _, _, metrics in TABLES for metric in metrics}
    for _, source, _ in TABLES:
        assert not ORIGINS.silent(compile(name), frozenset({source}))


def test_what_one_source_could_not_read_is_silent_and_nothing_else_of_it() -> None:
    """By the name that the source has for it, where rules have another one."""
    origins = Origins(Rulebook((), {}, (), ""), lambda name: "host_disk_io_now" if name == "busy" else name)
    down = frozenset({part("kernel", "host_disk_io_now")})
    both = compile("host_disk_io_now > 0 or host_disk_reads_total")
    assert origins.silent(both, down) == {"host_disk_io_now"}
    assert origins.silent(compile("busy"), down) == {"busy"}
    assert not origins.silent(compile("host_disk_reads_total"), down)
    assert not origins.silent(compile("host_disk_io_now"), frozenset({part("host", "host_disk_io_now")}))


def test_a_choice_by_patterns_may_rest_on_whatever_is_silent() -> None:
    """Of all that rules name and they match, through what is recorded, too."""
    book = Rulebook((RecordRule("r", "host_disk_io_now", (), "g", Place("f", 1, 1)),), {}, (), "")
    down = frozenset({part("kernel", "host_disk_io_now")})
    for chosen in (
        '{path="/d"}',
        '{__name__=~"host_.+"}',
        '{__name__=~"r|s"}',
        '{__name__!~"host_.+", path="/d"}',
    ):
        assert Origins(book, str).silent(compile(chosen), down) == {"host_disk_io_now"}
    for chosen in ('{__name__=~"host_disk_reads.+"}', '{__name__!~"host_.+|r", path="/d"}'):
        assert not Origins(book, str).silent(compile(chosen), down)
    assert not ORIGINS.silent(compile('{path="/d"}'), down)


def test_what_the_hosts_sources_give_is_one_signal_all_the_same() -> None:
    """Two of them that agree prove no more than one."""
    both = compile("host_log_dir_hung + host_log_dir_used_ratio + host_disk_io_now")
    assert ORIGINS.of(both) == {"host"}


def test_a_name_of_the_host_that_none_declares_is_silent_with_any_of_them() -> None:
    """What it may come from nobody can tell."""
    for source in ("host", "disk_probe", "kernel", "certificates"):
        assert ORIGINS.silent(compile("host_unheard_of"), frozenset({source}))
