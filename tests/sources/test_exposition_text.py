"""Prometheus's text formats by example: what is odd and allowed, and what is refused, with its line."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from contextlib import suppress

import pytest
from expositions import read

from agent.sources.exposition_body import Malformed
from agent.sources.exposition_series import Known

BODY = b"""\
# HELP a_total of something
# TYPE a_total counter
a_total{topic="x y",partition="1",} 7
a_total 8.5 1700000000000
# an idle remark

# TYPE b gauge
b{path="/d1",q="say \\"hi\\" \\\\ \\n"} NaN
  b\t-Inf
b {x="1"}   2\t
# TYPE c histogram
c_bucket{le="+Inf"} 1e3
c_sum 0x
c_count 1
"""


def test_what_the_format_allows() -> None:
    """Blanks, remarks, empty lines, trailing commas, escapes, special numbers, times."""
    found, _ = read(BODY.replace(b"0x", b"0"))
    assert found == {
        ("a_total", (("partition", "1"), ("topic", "x y"))): ("7.0", None),
        ("a_total", ()): ("8.5", 1_700_000_000_000),
        ("b", (("path", "/d1"), ("q", 'say "hi" \\ \n'))): ("nan", None),
        ("b", ()): ("-inf", None),
        ("b", (("x", "1"),)): ("2.0", None),
        ("c_bucket", (("le", "+Inf"),)): ("1000.0", None),
        ("c_sum", ()): ("0.0", None),
        ("c_count", ()): ("1.0", None),
    }


def test_a_family_is_read_for_any_of_its_samples() -> None:
    """And only the wanted one of them."""
    found, seen = read(BODY.replace(b"0x", b"0"), frozenset({"c_count", "a"}))
    assert found == {("c_count", ()): ("1.0", None)}
    assert seen.grouped


@pytest.mark.parametrize(
    ("line", "said"),
    [
        (b"c_sum 0x", "line 13: '0x' is no number"),
        (b"c_sum 1_000", "line 13: '1_000' is no number"),
        (b"c_sum", "line 13: no sample: write it like"),
        (b"c_sum{", "line 13: no sample"),
        (b'c_sum{le="1} 5', "line 13: no sample"),
        (b'c_sum{le="1"x="2"} 5', "line 13: no label at"),
        (b'c_sum{le="1",le="2"} 5', "line 13: the label 'le' stands there twice"),
        (b'c_sum{le="\xff"} 5', "line 13: 'utf-8' codec can't decode"),
        (b"c_sum 5 now", "line 13: 'now' is no time"),
        (b"c_sum 5 1e3", "line 13: '1e3' is no time"),
        (b"c_sum 5 6 7", "line 13: no sample"),
        (b'c_sum 5 # {a="b"} 1', "line 13: no sample"),
        (b"<html>", "line 13: no sample"),
        (b"c_sum 5\r", "line 13: '5\\\\r' is no number"),
        (b"# TYPE c", "line 13: a TYPE line is `# TYPE name type`"),
    ],
)
def test_a_malformed_line_fails_all_with_its_number(line: bytes, said: str) -> None:
    """However the body is cut, and also where all before it is known."""
    body = BODY.replace(b"c_sum 0x", line)
    for cuts in ((), (3,), (250, 260, 270)):
        with pytest.raises(Malformed, match=said.replace("(", r"\(")):
            read(body, cuts=cuts)
    known = Known()
    read(BODY.replace(b"0x", b"0"), known=known)
    with pytest.raises(Malformed, match=said):
        read(body, known=known)


def test_where_others_were_passed_over_the_line_is_counted_from_its_type() -> None:
    """Which can be found; nobody counted the lines before."""
    with pytest.raises(Malformed, match="line 2 below `# TYPE c`: '0x' is no number"):
        read(BODY, frozenset({"c_sum"}))
    assert read(BODY, frozenset({"b"}))[0].keys() == {
        ("b", ()),
        ("b", (("x", "1"),)),
        ("b", (("path", "/d1"), ("q", 'say "hi" \\ \n'))),
    }


def test_the_last_line_needs_no_end() -> None:
    """As in Prometheus, though the format wants one."""
    assert read(b"a 1\nb 2")[0] == {("a", ()): ("1.0", None), ("b", ()): ("2.0", None)}
    with pytest.raises(Malformed, match="line 2: a TYPE line is"):
        read(b"a 1\n# TYPE a")


@pytest.mark.parametrize("body", [b"", b"a 1\n", b"a 1\n# EOF\na 2\n", b"a 1\n# EO"])
def test_openmetrics_must_say_its_end(body: bytes) -> None:
    """Otherwise something is missing."""
    with pytest.raises(Malformed, match="cut off"):
        read(body, openmetrics=True)
    assert read(b"a 1\n# EOF", openmetrics=True)[0] == {("a", ()): ("1.0", None)}


def test_of_a_series_that_stands_there_twice_the_first_sample_counts() -> None:
    """The order of labels makes no other series."""
    body = b'a{x="1",y="2"} 1\na{y="2",x="1"} 2\nb 3\na{x="1",y="2"} 4\n'
    known = Known()
    for _ in range(2):
        found, seen = read(body, known=known)
        assert found == {("a", (("x", "1"), ("y", "2"))): ("1.0", None), ("b", ()): ("3.0", None)}
        assert seen.duplicates == 2


def test_a_value_on_the_next_line_is_no_sample() -> None:
    """Also where series and values are taken apart at once, which lines with labels are."""
    known = Known()
    body = b'# TYPE a gauge\na{x="1"} 1\na{x="2"} 2\n'
    read(body, known=known)
    with pytest.raises(Malformed, match=r"line 2: no sample"):
        read(b'# TYPE a gauge\na{x="1"}\n 1\na{x="2"} 2\n', known=known)
    with pytest.raises(Malformed, match=r"line 2: no sample"):
        read(b'# TYPE a gauge\na{x="1"\n 1}\na{x="2"} 2\n', known=known)


def test_braces_in_labels_are_of_the_labels() -> None:
    """Of all series or of some, the first time and again."""
    body = b'# TYPE a gauge\na{uri="/{id}"} 1\na{uri="/} "} 2\na{uri="/"} 3\n'
    body += b'# TYPE b gauge\nb{x="}"} 4\nb{x="{} "} 5\n'
    uris = {"/{id}": "1.0", "/} ": "2.0", "/": "3.0"}
    expected = {("a", (("uri", uri),)): (value, None) for uri, value in uris.items()}
    expected |= {("b", (("x", "}"),)): ("4.0", None), ("b", (("x", "{} "),)): ("5.0", None)}
    known = Known()
    for _ in range(3):
        assert read(body, known=known)[0] == expected


def test_of_a_series_that_stands_there_twice_value_and_time_are_of_one_line() -> None:
    """Those of the first one, whichever of them has a time of its own."""
    known = Known()
    for first, second, at in (("1", "2 5000", None), ("1 4000", "2", 4000), ("1 4000", "2 5000", 4000)):
        body = f'# TYPE a gauge\na {first}\na{{x="y"}} 3 6000\na {second}\n'.encode()
        for _ in range(2):
            found, seen = read(body, known=known)
            assert found == {("a", ()): ("1.0", at), ("a", (("x", "y"),)): ("3.0", 6000)}
            assert seen.duplicates == 1


def test_names_in_quotes_are_read() -> None:
    """As Prometheus 3 writes those that are no plain ones."""
    body = b'# TYPE "my.name" gauge\n{"my.name",x="1"} 1\n{"my.name"} 2\n# TYPE other gauge\nother 1\n'
    expected = {("my.name", (("x", "1"),)): ("1.0", None), ("my.name", ()): ("2.0", None)}
    assert read(body, frozenset({"my.name"}))[0] == expected
    assert read(body, frozenset({"my.name"}), whole=True)[0] == expected


def test_a_line_without_end_is_not_gathered_for_ever() -> None:
    """A mebibyte is enough."""
    with pytest.raises(Malformed, match="longer than"):
        read(b"a" * (3 << 20), cuts=tuple(range(0, 3 << 20, 1 << 18)))


def test_a_family_is_found_behind_any_number_of_other_marks() -> None:
    """Also where label values are full of them, and one looks like a family's beginning."""
    marks = "".join(f'b{{n="{n}",x="# TYPE a #"}} 1\n#\n' for n in range(2_000))
    body = f"# TYPE b gauge\n{marks}# TYPE a gauge\na 7\n#\n# TYPE c gauge\nc 8\n".encode()
    for cuts in ((), (len(body) - 40,), (20_000, 60_000)):
        assert read(body, frozenset({"a", "c"}), cuts=cuts)[0] == {
            ("a", ()): ("7.0", None),
            ("c", ()): ("8.0", None),
        }


@pytest.mark.parametrize(
    "line",
    [
        lambda n: 'a{l="\\n' + "x" * n + '"} 1\n',
        lambda n: "a{" + "x" * n + "} 1\n",
        lambda n: "a{" + ",".join(f'l{i}="v"' for i in range(n // 9)) + "} 1\n",
        lambda n: "a{" + ", ".join(f'l{i}="v"' for i in range(n // 9)) + "} 1\n",
        lambda n: "a{" + "a," * (n // 2) + "} 1\n",
        lambda n: 'a{l="\\n' + ',a="' * (n // 4) + "} 1\n",
        lambda n: 'a{a="b\\n"' + " " * n + "x} 1\n",
    ],
    ids=["escape", "long name", "labels", "labels apart", "commas", "quotes", "blanks"],
)
def test_a_line_costs_what_it_is_long_whatever_stands_in_it(line: Callable[[int], str]) -> None:
    """16 times the length took 256 times as long: a value of 40 KB held the event loop for nine seconds."""

    def read_one(size: int) -> None:
        with suppress(Malformed):
            read(b"# TYPE a gauge\n" + line(size).encode(), frozenset({"a"}))

    assert _cost(lambda: read_one(1 << 16)) < 64 * max(_cost(lambda: read_one(1 << 12)), 0.0001)


def test_families_in_any_order_cost_what_they_are_many() -> None:
    """Where each stood in the last body was looked for from its beginning."""

    def cost(count: int) -> float:
        families = [f'# TYPE m{n} gauge\nm{n}{{x="1"}} 1\nm{n}{{x="2"}} 2\n'.encode() for n in range(count)]
        shuffled = (b"".join(random.Random(seed).sample(families, count)) for seed in range(9))
        known = Known()
        for _ in range(2):
            read(next(shuffled), known=known)
        return _cost(lambda: read(next(shuffled), known=known))

    assert cost(16_000) < 64 * cost(1_000)


def _cost(call: Callable[[], object]) -> float:
    """Seconds of processor time, of the best of three."""
    costs = []
    for _ in range(3):
        began = time.process_time()
        call()
        costs.append(time.process_time() - began)
    return min(costs)
