"""Which lines patterns find, and how many series they may make."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from agent.model import Labels, LogPattern, Place
from agent.sources import log_counters
from agent.sources.log_counters import Counters, metrics_of
from agent.sources.log_hits import Columns, Hit
from agent.sources.log_patterns import Scanner, Scanners


def pattern(name: str, regex: str, **more: str | int) -> LogPattern:
    return LogPattern(name, "*", regex, "", Place("logs.yml", 1, 1), **more)  # type: ignore[arg-type]


def hits(scanner: Scanner, chunk: bytes) -> list[tuple[str, Labels]]:
    return [(metrics_of(hit.pattern)[0].name, hit.labels) for _, hit in scanner.placed(chunk)]


def counted(chunk: bytes, *patterns: LogPattern) -> dict[tuple[str, Labels], float]:
    """The counters after this chunk, without those at 0."""
    counters = Counters(patterns, {})
    Scanner(patterns).count(chunk, counters)
    return {series: value for series, value in counters.values.items() if value}


def test_each_line_counts_once_for_each_pattern_that_finds_it() -> None:
    """However often within the line; groups become labels, optional ones that took no part are empty."""
    scanner = Scanner(
        [pattern("disk", r"dir=(?P<dir>\S+)(?: error=(?P<error>\w+))?"), pattern("err", r"^ERROR\b.*full$")]
    )

    found = hits(scanner, b"ERROR dir=/d1 dir=/d2 full\nfine\nERROR dir=/d3 error=EIO\nnot ERROR full\n")

    assert found == [
        ("log_disk_total", (("dir", "/d1"), ("error", ""))),
        ("log_err_total", ()),
        ("log_disk_total", (("dir", "/d3"), ("error", "EIO"))),
    ]


def test_a_match_does_not_reach_into_the_next_line() -> None:
    """Neither is one made of two lines counted, nor does it hide the real one in the second."""
    scanner = Scanner([pattern("across", r"one\stwo"), pattern("two", r"two(?P<rest>[^x]*)end")])

    assert hits(scanner, b"one\ntwo\nend\none two\ntwo end\n") == [
        ("log_across_total", ()),
        ("log_two_total", (("rest", " "),)),
    ]


def test_garbage_is_no_obstacle() -> None:
    """Bytes that are no text and lines without an end are searched like others; long labels are cut."""
    scanner = Scanner([pattern("x", r"ERROR (?P<what>\w+)")])

    assert hits(scanner, b"\xff\x00\xfe ERROR a\xff\n\x80\n" + b"ERROR " + b"b" * 9999) == [
        ("log_x_total", (("what", "a"),)),
        ("log_x_total", (("what", "b" * 200),)),
    ]


def test_a_pattern_makes_no_more_series_than_its_limit() -> None:
    """The lines of what comes after are counted without labels, and how many they are is told."""
    x, y = pattern("x", "(?P<n>.)", max_series=100), pattern("y", "(?P<n>.)")
    saved = {("log_x_total", (("n", "0"),)): 5, ("log_gone_total", ()): 9}
    counters = Counters([x, y], saved)

    for n in [*range(150), 0, 1]:
        counters.add(Hit(x, (("n", str(n)),)))
    counters.add(Hit(y, (("n", "1"),)))

    values = counters.values
    assert len([series for series in values if series[0] == "log_x_total"]) == 1 + 100
    assert values["log_x_total", ()] == 50
    assert values["log_x_total", (("n", "0"),)] == 5 + 2
    assert values["ottla_log_overflow_lines_total", (("pattern", "x"),)] == 50
    assert values["log_y_total", ()] == 0
    assert values["log_y_total", (("n", "1"),)] == 1
    assert sum(value for (name, _), value in values.items() if name == "log_x_total") == 5 + 152
    assert not [series for series in values if series[0] == "log_gone_total"]


def held(counters: Counters) -> int:
    """Bytes of groups that are remembered."""
    rules = counters._rules.values()
    return sum(len(text) for rule in rules for groups in (*rule.known, *rule.beyond) for text in groups)


@pytest.mark.parametrize("max_series", [1, 100])
@pytest.mark.parametrize(
    "text",
    [
        b"x" * 300 + b"%d",  # alike in all that a label holds
        b"%d" + b"x" * 300,
        b"n%s",  # bytes that are no text, all of them the same sign then
    ],
    ids=["end", "beginning", "bytes"],
)
def test_what_is_remembered_of_groups_is_bounded_in_bytes(
    text: bytes, max_series: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever clients get into a log, every line counts."""
    monkeypatch.setattr(log_counters, "_REMEMBERED", 500)
    x = pattern("x", r"f (?P<n>\C+)", max_series=max_series)
    counters, scanner = Counters([x], {}), Scanner([x])
    numbers = [bytes([128 + n // 64, 128 + n % 64]) if b"s" in text else n for n in range(2_000)]
    for at in range(0, 2_000, 100):
        scanner.count(b"".join(b"f " + text % n + b"\n" for n in numbers[at : at + 100]), counters)

    values = counters.values
    assert sum(count for (name, _), count in values.items() if name == "log_x_total") == 2_000
    assert held(counters) <= 2 * 500 * 256
    assert all(len(rule.known) <= 500 for rule in counters._rules.values())
    assert len(scanner._columns[0]._known) <= 100 * (b"s" in text)


def test_what_is_remembered_of_the_groups_of_all_patterns_is_bounded_together(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Twenty of them that all find free text; every line counts all the same."""
    monkeypatch.setattr(log_counters, "_MEMORY", 50_000)
    every = [pattern(f"p{n}", rf"k{n}=(?P<v>\w+)", max_series=10) for n in range(20)]
    counters, scanner = Counters(every, {}), Scanner(every)
    for at in range(0, 1_000, 10):
        lines = (" ".join(f"k{n}={line}{'x' * 100}" for n in range(20)) for line in range(at, at + 10))
        scanner.count("\n".join([*lines, ""]).encode(), counters)
        assert held(counters) <= 50_000
    for n in range(20):
        lines_of = (count for (name, _), count in counters.values.items() if name == f"log_p{n}_total")
        assert sum(lines_of) == 1_000


@given(
    st.lists(st.sampled_from(["é".encode(), "\U0001f600".encode(), b"a", b"\xf0", b"\xf0\x9f"]), max_size=900)
)
@example(["\U0001f600".encode()] * 201)
def test_a_long_label_is_cut_where_it_would_be_if_all_of_it_were_decoded(pieces: list[bytes]) -> None:
    """Whatever bytes it is cut in."""
    text = b"".join(pieces)
    labels = Columns(pattern("x", "(?P<n>.*)"), ["n"]).labels((text,))
    assert labels == (("n", text.decode(errors="replace")[:200]),)


def test_no_pattern_may_lift_the_ceiling() -> None:
    """Whatever max_series a rule file asks for."""
    wide = pattern("x", r"(?P<n>\d+)", max_series=10**9)
    values = counted(b"".join(b"%d\n" % n for n in range(1_500)), wide)

    assert len([series for series in values if series[0] == "log_x_total"]) == 1 + 1_000
    assert values["ottla_log_overflow_lines_total", (("pattern", "x"),)] == 500


def test_a_restart_goes_on_with_the_limit() -> None:
    """The saved series count against it, and what was told of dropped labels is told on."""
    first = Counters([pattern("x", "(?P<n>.)", max_series=2)], {})
    for n in range(3):
        first.add(Hit(pattern("x", "(?P<n>.)", max_series=2), (("n", str(n)),)))
    again = Counters([pattern("x", "(?P<n>.)", max_series=2)], first.values)
    again.add(Hit(pattern("x", "(?P<n>.)", max_series=2), (("n", "9"),)))

    assert again.values["log_x_total", ()] == 2
    assert again.values["ottla_log_overflow_lines_total", (("pattern", "x"),)] == 2


def test_a_sum_that_would_overflow_stays_as_it_is() -> None:
    """Infinity could not be saved, nor would it rise."""
    slow = pattern("slow", r"took (?P<ms>\S+) ms", counts="ms")
    values = counted(b"took 1e308 ms\ntook 1e308 ms\ntook 1e300 ms\n", slow)
    assert values["log_slow_ms_total", ()] == 1e308 + 1e300
    assert values["ottla_log_value_errors_total", (("pattern", "slow"),)] == 1


def test_a_number_is_added_up() -> None:
    """The group that `counts` names is no label; what is no number, or would make the sum fall, is told."""
    slow = pattern("slow", r"event (?P<event>\w+) took (?P<ms>\S+) ms", counts="ms")
    lines = b"event a took 2.5 ms\nevent a took 10 ms\nevent b took 1e1 ms\n"
    lines += b"event a took 1_0 ms\nevent b took -3 ms\n"

    assert counted(lines, slow) == {
        ("log_slow_total", (("event", "a"),)): 3,
        ("log_slow_total", (("event", "b"),)): 2,
        ("log_slow_ms_total", (("event", "a"),)): 12.5,
        ("log_slow_ms_total", (("event", "b"),)): 10,
        ("ottla_log_value_errors_total", (("pattern", "slow"),)): 2,
    }


@pytest.mark.parametrize("text", ["nan", "inf", "1e999", "0x10", "\u0663", "", "1,5", "+", "9" * 400])
def test_no_text_passes_for_a_number(text: str) -> None:
    """Only finite decimal numbers count."""
    values = counted(f"took {text};\n".encode(), pattern("x", "took (?P<ms>[^;]*);", counts="ms"))
    assert values == {("log_x_total", ()): 1, ("ottla_log_value_errors_total", (("pattern", "x"),)): 1}


def test_a_gauge_is_the_last_number() -> None:
    """In the order of the lines, each label set its own; it may be negative."""
    left = pattern("left", r"(?P<left>-?\d+) left in (?P<path>\S+)", sets="left")
    assert counted(b"9 left in /a\n5 left in /b\n-7 left in /a\n", left) == {
        ("log_left_total", (("path", "/a"),)): 2,
        ("log_left_total", (("path", "/b"),)): 1,
        ("log_left", (("path", "/a"),)): -7,
        ("log_left", (("path", "/b"),)): 5,
    }


def test_dropped_labels_leave_no_gauge_but_a_sum() -> None:
    """A gauge of several label sets would be no one's; their sum is still a sum."""
    text = b"a 1\nb 2\nc 3\n"
    gauge = counted(text, pattern("x", r"(?P<n>\w) (?P<v>\d)", sets="v", max_series=1))
    total = counted(text, pattern("x", r"(?P<n>\w) (?P<v>\d)", counts="v", max_series=1))

    assert {series for series in gauge if series[0] == "log_x"} == {("log_x", (("n", "a"),))}
    assert (total["log_x_v_total", (("n", "a"),)], total["log_x_v_total", ()]) == (1, 5)


def test_files_with_the_same_patterns_share_a_scanner() -> None:
    """To compile 40 patterns takes a tenth of a second, and a host may have 200 files."""
    scanners = Scanners([pattern("x", "x"), LogPattern("y", "b*.log", "y", "", Place("logs.yml", 1, 1))])

    assert scanners.of("/logs/a.log") is scanners.of("/logs/c.log")
    assert scanners.of("/logs/b1.log") is not scanners.of("/logs/a.log")
    assert sum(sample.value for sample in scanners.samples(7)) == 2
    assert Scanners([LogPattern("y", "b*.log", "y", "", Place("logs.yml", 1, 1))]).of("/logs/a.log") is None
