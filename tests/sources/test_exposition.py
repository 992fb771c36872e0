"""The source `exposition` over real HTTP: what is asked, what is trusted, and what ends."""

from __future__ import annotations

import asyncio
import math
from collections.abc import AsyncIterator

import pytest
from aiohttp import web
from exporters import OPENMETRICS, Exporter, by_family

from agent.model import Sample
from agent.series import Series
from agent.sources import SourceFailed
from agent.sources.exposition import WHOLE_EVERY, Exposition, givers
from agent.sources.exposition_http import Target
from agent.sources.schedule import Polling

BODY = """\
# HELP a of something
# TYPE a gauge
a{topic="x"} 1
a{topic="y"} 2
# TYPE b_total counter
b_total 3
# TYPE c gauge
c 4
"""
WANTED = frozenset({"a", "b_total"})
OWN = ("up", "ottla_")


@pytest.fixture
async def exporter() -> AsyncIterator[Exporter]:
    """One over HTTP that answers BODY, whatever is asked."""
    own = Exporter()
    own.text = BODY
    async with own.running():
        yield own


def source(exporter: Exporter, *, names: frozenset[str] = WANTED, **more: object) -> Exposition:
    own = Exposition(Target(exporter.url, **more), 1000, deadline=5)  # type: ignore[arg-type]
    own.select(names)
    return own


def values(samples: list[Sample]) -> dict[str, float | str]:
    """By series as text; `stale` for an end. Without the source's own."""
    found: dict[str, float | str] = {}
    for sample in samples:
        if not sample.name.startswith(OWN):
            labels = ",".join(f"{name}={value}" for name, value in sample.labels)
            found[f"{sample.name}{{{labels}}}"] = "stale" if math.isnan(sample.value) else sample.value
    return found


def own(samples: list[Sample], name: str) -> dict[tuple[tuple[str, str], ...], float]:
    return {sample.labels: sample.value for sample in samples if sample.name == name}


async def failure(exposition: Exposition, now: int = 2) -> SourceFailed:
    with pytest.raises(SourceFailed) as caught:
        await exposition.read(now)
    return caught.value


SEEN = {"a{topic=x}": 1.0, "a{topic=y}": 2.0, "b_total{}": 3.0}


async def test_what_rules_name_is_read(exporter: Exporter) -> None:
    """With the time of the scrape, and `up`; as 0.0.4 or, where the exporter has only that, OpenMetrics."""
    samples = await source(exporter).read(7)
    assert values(samples) == SEEN
    assert {sample.at for sample in samples} == {7}
    assert own(samples, "up") == {(): 1.0}
    assert own(samples, "ottla_exposition_body_bytes") == {(("source", "exposition"),): len(BODY)}
    assert exporter.headers[0]["Accept"].startswith("text/plain;version=0.0.4,application/openmetrics-text")

    exporter.kind, exporter.text = OPENMETRICS, BODY.replace("b_total c", "b c") + "# EOF\n"
    assert values(await source(exporter).read(8)) == SEEN


async def test_the_filter_is_used_where_it_is_honoured(exporter: Exporter) -> None:
    """The first reading asks for everything, the next ones for names, until a whole look is due."""
    exporter.filters = by_family
    own_source = source(exporter)
    for _ in range(WHOLE_EVERY + 2):
        assert values(await own_source.read(1)) == SEEN

    assert exporter.asked[0] == [] == exporter.asked[-1]
    assert all(asked == ["a", "b", "b_total"] for asked in exporter.asked[1:-1])
    assert own(await own_source.read(1), "ottla_exposition_filtered") == {(("source", "exposition"),): 1.0}


async def test_a_filter_that_is_not_honoured_is_given_up(exporter: Exporter) -> None:
    """The answer tells: it holds what was not asked for. Nothing is lost meanwhile."""
    own_source = source(exporter)
    for _ in range(5):
        assert values(await own_source.read(1)) == SEEN

    assert [bool(asked) for asked in exporter.asked] == [False, True, False, False, False]
    assert not own_source.asks_names


async def test_a_filter_that_hides_what_was_asked_for_is_given_up(exporter: Exporter) -> None:
    """A name that was there and is missing is looked for at once, in the same reading, and none ends. Where
    it is so again with the same name, that is no chance."""
    exporter.filters = lambda text, asked: by_family(text, [name for name in asked if name != "b_total"])
    own_source = source(exporter)
    for _ in range(5):
        assert values(await own_source.read(1)) == SEEN

    assert [bool(asked) for asked in exporter.asked] == [False, True, False, True, False, False, False]


async def test_names_that_begin_between_two_looks_leave_the_filter_trusted(exporter: Exporter) -> None:
    """A broker boots, and registers one MBean after the other."""
    late = ["b_total", "a"]
    hidden: list[str] = []

    def booting(text: str, asked: list[str]) -> str:
        if late:
            hidden.append(late.pop(0))
        return by_family(text, [name for name in asked if name not in hidden[-1:]])

    exporter.filters = booting
    own_source = source(exporter)
    for _ in range(3):
        assert values(await own_source.read(1)) == SEEN
    hidden.clear()
    for _ in range(3):
        assert values(await own_source.read(1)) == SEEN
    assert [bool(asked) for asked in exporter.asked] == [False, True, False, True, False, True, True, True]


async def test_a_name_that_is_really_gone_leaves_the_filter_trusted(exporter: Exporter) -> None:
    """One look makes sure; the next reading asks for names again."""
    exporter.filters = by_family
    own_source = source(exporter)
    await own_source.read(1)
    exporter.text = BODY.replace("b_total 3\n", "")

    assert values(await own_source.read(2)) == {**SEEN, "b_total{}": "stale"}
    assert values(await own_source.read(3)) == {name: SEEN[name] for name in ("a{topic=x}", "a{topic=y}")}
    assert [bool(asked) for asked in exporter.asked] == [False, True, False, True]


async def test_an_exporter_that_refuses_the_filter_is_asked_without(exporter: Exporter) -> None:
    """Some answer 400 to what they do not know."""
    own_source = source(exporter)
    await own_source.read(1)
    exporter.reply = lambda: web.Response(status=400) if exporter.asked[-1] else web.Response(text="a 5\n")
    assert values(await own_source.read(2))["a{}"] == 5.0
    assert not own_source.asks_names
    assert values(await own_source.read(3)) == {"a{}": 5.0}


@pytest.mark.parametrize("status", [404, 414, 431])
async def test_other_refusals_of_a_query(exporter: Exporter, status: int) -> None:
    """Are as good as that one."""
    own_source = source(exporter)
    await own_source.read(1)
    exporter.reply = lambda: web.Response(status=status) if exporter.asked[-1] else web.Response(text=BODY)
    assert values(await own_source.read(2)) == SEEN
    assert not own_source.asks_names


async def test_one_failed_request_for_names_says_nothing_of_the_filter(exporter: Exporter) -> None:
    """One 503 turned it off for the life of the agent. A second one in a row, where all can be had, is no
    chance: the exporter would fail for good."""
    exporter.filters = by_family
    own_source = source(exporter)
    await own_source.read(1)
    for failing in (True, False, True, True):
        replies = iter([web.Response(status=503)] if failing else [])
        exporter.reply = lambda replies=replies: next(replies, None)
        assert own_source.asks_names
        assert values(await own_source.read(2)) == SEEN
    assert not own_source.asks_names
    assert [bool(asked) for asked in exporter.asked] == [False, *[True, False], True, *[True, False] * 2]


async def test_an_exporter_that_scatters_its_samples_is_read_whole(exporter: Exporter) -> None:
    """What is passed over may hold what is wanted: the first look at all lines tells."""
    exporter.text = BODY + 'a{topic="z"} 9\n'
    own_source = source(exporter, filter_names=False)
    for _ in range(3):
        assert values(await own_source.read(1)) == {**SEEN, "a{topic=z}": 9.0}
    assert not own_source.grouped


async def test_samples_that_begin_to_scatter_are_found(exporter: Exporter) -> None:
    """At the next look at everything, or at once where a name is missing from its family."""
    own_source = source(exporter, filter_names=False)
    await own_source.read(1)
    exporter.text = BODY.replace("b_total 3\n", "") + "b_total 3\n"

    assert values(await own_source.read(2)) == SEEN
    assert not own_source.grouped


async def test_a_series_that_is_gone_ends(exporter: Exporter) -> None:
    """Once, with a stale marker at the time of the scrape, and begins again."""
    own_source = source(exporter)
    await own_source.read(1)
    exporter.text = BODY.replace('a{topic="x"} 1\n', "")

    samples = await own_source.read(2)
    assert values(samples) == {**SEEN, "a{topic=x}": "stale"}
    assert {sample.at for sample in samples} == {2}
    assert "a{topic=x}" not in values(await own_source.read(3))
    exporter.text = BODY
    assert values(await own_source.read(4)) == SEEN


async def test_a_failed_scrape_ends_every_series(exporter: Exporter) -> None:
    """And `up` is 0; once: the next failure has nothing to end."""
    own_source = source(exporter)
    await own_source.read(1)
    exporter.reply = lambda: web.Response(status=500)

    failed = await failure(own_source)
    assert "answered HTTP 500 Internal Server Error" in failed.why
    assert values(list(failed.samples)) == dict.fromkeys(SEEN, "stale")
    assert own(list(failed.samples), "up") == {(): 0.0}
    assert values(list((await failure(own_source, 3)).samples)) == {}
    assert own_source.may_give("a")
    assert not own_source.gives("c")


async def test_a_second_look_that_comes_too_late_costs_one_reading(exporter: Exporter) -> None:
    """The exporter answers in time, but not twice: a name is gone, which the same reading would make sure of.
    That reading fails before the schedule's patience ends, and the next one looks at everything at once."""
    exporter.filters = by_family
    own_source = Exposition(Target(exporter.url), 1000, deadline=2)
    own_source.select(WANTED)
    await own_source.read(1)
    exporter.text, exporter.delay = BODY.replace("b_total 3\n", ""), 1.2

    failed = await failure(own_source)
    assert "did not answer all within 2 s" in failed.why
    assert own(list(failed.samples), "up") == {(): 0.0}
    assert values(list(failed.samples)) == dict.fromkeys(SEEN, "stale")
    left = {name: SEEN[name] for name in ("a{topic=x}", "a{topic=y}")}
    for now in (3, 4):
        samples = await own_source.read(now)
        assert values(samples) == left
        assert own(samples, "up") == {(): 1.0}
    assert [bool(asked) for asked in exporter.asked] == [False, True, False, False, True]


async def test_the_ends_of_a_failed_scrape_come_to_the_store(exporter: Exporter) -> None:
    """With the source's own series: it is down, and so are the names that it gave."""
    own_source, series = source(exporter), Series(60_000)
    times = iter((1_000, 2_000))
    polling = Polling(own_source, lambda samples: _add(series, samples), lambda: next(times))
    await polling.once()
    exporter.reply = lambda: web.Response(status=503)
    await polling.once()
    assert series.latest("a", (), 0, 1_500).found.all()
    assert not series.latest("a", (), 0, 2_500).found.any()
    up = series.latest("ottla_source_up", (), 0, 2_500)
    assert up.values.tolist() == [0.0]
    assert polling.last_error is not None


def _add(series: Series, samples: list[Sample]) -> None:
    series.add(samples)


async def test_samples_with_their_own_time_keep_it_and_have_no_end(exporter: Exporter) -> None:
    """As in Prometheus; one that is from too far in the future is refused, and counted."""
    now = 1_700_000_000_000
    exporter.text = f"a 1 {now - 5_000}\nb_total 2\n"
    own_source = source(exporter)
    samples = await own_source.read(now)
    assert {(sample.name, sample.at) for sample in samples if sample.name in WANTED} == {
        ("a", now - 5_000),
        ("b_total", now),
    }
    exporter.text = f"b_total 2 {now + 600_002}\n"
    samples = await own_source.read(now + 1)
    assert values(samples) == {"b_total{}": "stale"}
    refused = own(samples, "ottla_exposition_refused_samples_total")
    assert refused[("reason", "in_the_future"), ("source", "exposition")] == 1.0


@pytest.mark.parametrize("honoured", [False, True])
async def test_the_targets_labels(exporter: Exporter, honoured: bool) -> None:
    """Ours win, and theirs is kept under another name; or theirs wins."""
    exporter.text = 'a{job="x",exported_job="y"} 1\nb_total 2\n'
    labels = (("instance", "i"), ("job", "kafka"))
    samples = await source(exporter, labels=labels, honor_labels=honoured).read(1)
    theirs = "job=x" if honoured else "exported_exported_job=x,exported_job=y,instance=i,job=kafka"
    expected = f"a{{exported_job=y,instance=i,{theirs}}}" if honoured else f"a{{{theirs}}}"
    assert values(samples) == {expected: 1.0, "b_total{instance=i,job=kafka}": 2.0}
    assert own(samples, "up") == {labels: 1.0}


async def test_a_malformed_line_fails_the_whole_scrape(exporter: Exporter) -> None:
    """It is counted, and nothing of the body is taken."""
    exporter.text = BODY.replace("b_total 3", "b_total three")
    failed = await failure(source(exporter))
    assert "is malformed, line 6: 'three' is no number: 'b_total three'" in failed.why
    assert values(list(failed.samples)) == {}
    refused = own(list(failed.samples), "ottla_exposition_refused_bodies_total")
    assert refused[("reason", "malformed"), ("source", "exposition")] == 1.0


async def test_duplicates_are_counted(exporter: Exporter) -> None:
    """The first one counts."""
    exporter.text = BODY + "# TYPE a gauge\n" + 'a{topic="x"} 8\n'
    samples = await source(exporter).read(1)
    assert values(samples) == SEEN
    refused = own(samples, "ottla_exposition_refused_samples_total")
    assert refused[("reason", "duplicate"), ("source", "exposition")] == 1.0


@pytest.mark.parametrize("labels", [(), (("job", "kafka"),)])
@pytest.mark.parametrize("own_up", [True, False])
async def test_whether_it_is_up_the_scrape_tells_and_not_the_exporter(
    exporter: Exporter, labels: tuple[tuple[str, str], ...], own_up: bool
) -> None:
    """Its own `up` stood above the verdict, and ended where that was to be 0. It is left out and counted,
    also where `up` without labels is Jolokia's; one with other labels is a series as any."""
    exporter.text = BODY + '# TYPE up gauge\nup 0\nup{instance="other"} 0\n'
    own_source = Exposition(Target(exporter.url, labels=labels), 1000, own_up=own_up)
    own_source.select(frozenset({"up"}))
    for _ in range(2):
        samples = await own_source.read(1)
        told = [(sample.labels, sample.value) for sample in samples if sample.name == "up"]
        assert told == [((("instance", "other"), *labels), 0.0), *([(labels, 1.0)] if own_up else [])]
    refused = own(samples, "ottla_exposition_refused_samples_total")
    assert refused[("reason", "duplicate"), ("source", "exposition")] == 2.0

    exporter.text = BODY + "# TYPE up gauge\nup 0\n"
    await own_source.read(2)
    assert not own_source.gives("up")
    exporter.reply = lambda: web.Response(status=500)
    failed = await failure(own_source, 3)
    assert own(list(failed.samples), "up") == ({labels: 0.0} if own_up else {})


async def test_more_samples_than_allowed_are_refused(exporter: Exporter) -> None:
    """Only those that rules read are counted."""
    assert values(await source(exporter, max_samples=3).read(1)) == SEEN
    failed = await failure(source(exporter, max_samples=2))
    assert "has more than 2 samples: raise max_samples" in failed.why


async def test_series_that_come_and_go_are_forgotten(exporter: Exporter) -> None:
    """What is remembered of lines is bounded by what there is."""
    own_source = source(exporter, names=frozenset({"a"}))
    ended = 0
    for turn in range(8):
        exporter.text = "# TYPE a gauge\n" + "".join(f'a{{n="{turn}-{i}"}} {i}\n' for i in range(2_000))
        samples = await own_source.read(turn)
        ended += sum(value == "stale" for value in values(samples).values())
        assert len(own_source._known.rows) <= 2 * 2_000 + 5_000 + 2_000
    assert ended == 7 * 2_000


@pytest.mark.parametrize("last", ["# EOF\n", "a three\n", ""], ids=["too many", "malformed", "cut off"])
async def test_bodies_that_are_refused_leave_nothing_behind(exporter: Exporter, last: str) -> None:
    """Whatever is wrong with them, and however many come: their labels change with each."""
    exporter.kind = OPENMETRICS
    own_source = source(exporter, names=frozenset({"a"}), max_samples=999 if last == "# EOF\n" else 50_000)
    for turn in range(30):
        series = (f'a{{n="{turn}-{i}"}} {i}\n' for i in range(1_000))
        exporter.text = "# TYPE a gauge\n" + "".join(series) + last
        await failure(own_source, turn)
        assert len(own_source._known.series) <= 5_000 + 1_000

    exporter.text = 'a{n="x"} 1\n# EOF\n'
    assert values(await own_source.read(31)) == {"a{n=x}": 1.0}


async def test_other_names_from_the_next_reading_on(exporter: Exporter) -> None:
    """A whole look comes first; what is not wanted any more ends."""
    exporter.filters = by_family
    own_source = source(exporter)
    await own_source.read(1)
    own_source.select(frozenset({"c"}))
    assert values(await own_source.read(2)) == {**dict.fromkeys(SEEN, "stale"), "c{}": 4.0}
    assert exporter.asked[-1] == []


async def test_names_that_come_while_a_body_is_on_its_way_have_a_whole_look_of_their_own(
    exporter: Exporter,
) -> None:
    """One of them stands below another TYPE, which only that look finds; it came 40 readings later."""
    exporter.text = "# TYPE a gauge\na 1\n# TYPE x gauge\nx 1\nc 1\n"
    for filters in (False, True):
        own_source = source(exporter, names=frozenset({"a"}), filter_names=filters)
        exporter.release.clear()
        before = len(exporter.asked)
        reading = asyncio.create_task(own_source.read(1))
        while len(exporter.asked) == before:
            await asyncio.sleep(0.001)
        own_source.select(frozenset({"a", "c"}))
        exporter.release.set()

        assert values(await reading) == {"a{}": 1.0}
        assert own_source.may_give("c")
        assert values(await own_source.read(2)) == {"a{}": 1.0, "c{}": 1.0}


async def test_a_name_that_was_not_asked_for_is_open_until_a_good_reading(exporter: Exporter) -> None:
    """A reload brings it while the exporter is down: that it was not given before says nothing."""
    own_source = source(exporter, names=WANTED | {"e"})
    await own_source.read(1)
    assert not own_source.may_give("e")
    own_source.select(WANTED | {"c", "d", "e"})
    exporter.reply = lambda: web.Response(status=500)
    await failure(own_source)
    assert [own_source.may_give(name) for name in "acde"] == [True, True, True, False]

    exporter.reply = None
    await own_source.read(3)
    assert [own_source.may_give(name) for name in "acde"] == [True, True, False, False]


async def test_a_name_rests_on_who_gives_it_and_else_on_who_was_not_read(exporter: Exporter) -> None:
    """A second exporter that never answered is no reason to doubt what the first one says."""
    first = Exposition(Target(exporter.url, name="first"), 1000, deadline=5)
    never = Exposition(Target("http://127.0.0.1:1/metrics", name="never"), 1000, deadline=5)
    both = first, never
    for each in both:
        each.select(frozenset({"a", "d", "up"}))
    assert givers(both, "a") == {"first", "never"}

    await first.read(1)
    await failure(never)
    assert givers(both, "a") == {"first"}
    assert givers(both, "d") == {"never"}
    assert givers(both, "up") == frozenset()  # each tells it of itself, also where it does not answer

    exporter.reply = lambda: web.Response(status=500)
    await failure(first)
    assert givers(both, "a") == {"first"}

    never.go_on(frozenset({"a", "up"}))  # it gave them before a restart
    await failure(never)
    assert givers(both, "a") == {"first", "never"}
    assert givers(both, "up") == frozenset()
