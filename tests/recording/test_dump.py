"""Reading OpenMetrics files: what is in them, and what is said of those that are broken."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest
from held import plain

from agent.model import Labels
from agent.recording.dump import Dump
from agent.recording.limits import Allowance, BadHistory


def read(tmp_path: Path, text: str) -> dict[tuple[str, Labels], list[tuple[int, str]]]:
    """What a file of this text holds."""
    file = tmp_path / "history.om"
    file.write_text(text)
    return plain(Dump(file).read())


def test_samples_with_and_without_labels(tmp_path: Path) -> None:
    """Values as Prometheus writes them, times in seconds."""
    text = "# HELP up x\n# TYPE up gauge\nup 1 10\nup 0 11.5\n"
    text += 'x{path="/d 1"} NaN 10\nx{path="/d 1"} +Inf 20\n# EOF\n'
    assert read(tmp_path, text) == {
        ("up", ()): [(10_000, "1.0"), (11_500, "0.0")],
        ("x", (("path", "/d 1"),)): [(10_000, "nan"), (20_000, "inf")],
    }


def test_the_end_of_a_series_is_a_stale_marker(tmp_path: Path) -> None:
    """And the series that says so is none itself."""
    text = 'up 1 10\nottla_recording_series_end{series="up"} 1.0 15.000\nup 1 20\n# EOF\n'
    assert read(tmp_path, text) == {("up", ()): [(10_000, "1.0"), (15_000, "stale"), (20_000, "1.0")]}


def test_exemplars_are_left_out(tmp_path: Path) -> None:
    """They are no samples."""
    text = 'x_bucket{le="1"} 3 10 # {trace="a b"} 0.5 9.9\nx_bucket{le="1"} 4 20\n# EOF\n'
    assert read(tmp_path, text) == {("x_bucket", (("le", "1"),)): [(10_000, "3.0"), (20_000, "4.0")]}


def test_order_is_made_and_a_time_counts_once(tmp_path: Path) -> None:
    """The same series in another order of labels is the same."""
    text = 'x{a="1",b="2"} 1 20\nx{b="2",a="1"} 2 10\nx{a="1",b="2"} 3 20\n# EOF\n'
    assert read(tmp_path, text) == {("x", (("a", "1"), ("b", "2"))): [(10_000, "2.0"), (20_000, "1.0")]}


@pytest.mark.parametrize(
    ("text", "place", "words"),
    [
        ("up 1 10\nup 1 11\n", ":2", "ends without # EOF"),
        ("", ":0", "ends without # EOF"),
        ("up 1 10\nup 1\n# EOF\n", ":2", "no time after the value"),
        ('x{a="1"} 1 10\nx{a="1"} 2\n# EOF\n', ":2", "no time after the value"),
        ("up one 10\n# EOF\n", ":1", "could not convert"),
        ("up 1 10\nup 1 noon\n# EOF\n", ":2", "could not convert"),
        ("up{job=x} 1 10\n# EOF\n", ":1", "no label at"),
        ("up 1 10\n# EOF\nup 1 20\n", ":2", "more after # EOF"),
        ("up 1 1780000000000\n# EOF\n", "", "milliseconds"),
        ("\x00\x01 garbage 1 2\n# EOF\n", ":1", "is no metric name"),
    ],
)
def test_what_is_broken_is_said_with_its_line(tmp_path: Path, text: str, place: str, words: str) -> None:
    """File, line, why."""
    with pytest.raises(BadHistory) as raised:
        read(tmp_path, text)
    assert f"history.om{place}: " in str(raised.value)
    assert words in str(raised.value)


def test_packed_files_are_known_by_their_bytes(tmp_path: Path) -> None:
    """Not by their names; one that was cut off says where."""
    file = tmp_path / "history"
    data = gzip.compress(
        b"up 1 10\n" + b"".join(b"up %d %d\n" % (n * 7919 % 1000, n) for n in range(11, 9000))
    )
    file.write_bytes(data + gzip.compress(b"# EOF\n"))
    assert len(Dump(file).read().tracks["up"][()].times) == 8990
    file.write_bytes(data[: len(data) // 2])
    with pytest.raises(BadHistory, match=r"history:\d+: the packed data end"):
        Dump(file).read()


def test_only_what_is_kept_counts(tmp_path: Path) -> None:
    """The limit of series spares what no rule reads."""
    file = tmp_path / "history.om"
    file.write_text("".join(f'x{{n="{n}"}} 1 10\n' for n in range(100)) + "up 1 10\n# EOF\n")
    recorded = Dump(file, lambda name, _: name == "up", Allowance(series=1)).read()
    assert list(plain(recorded)) == [("up", ())]
    with pytest.raises(BadHistory, match="too many series"):
        Dump(file, allowance=Allowance(series=99)).read()


def test_limits_stop_the_reading(tmp_path: Path) -> None:
    """Samples, bytes, and a file that is not there."""
    file = tmp_path / "history.om"
    file.write_text("up 1 10\nup 1 20\n# EOF\n")
    with pytest.raises(BadHistory, match="too many samples"):
        Dump(file, allowance=Allowance(samples=1)).read()
    with pytest.raises(BadHistory, match="too many bytes"):
        Dump(file, allowance=Allowance(bytes=5)).read()
    with pytest.raises(BadHistory, match="not done within"):
        Dump(file, allowance=Allowance(deadline=0.0)).read()
    with pytest.raises(BadHistory, match="cannot be read: No such file"):
        Dump(tmp_path / "none.om").read()
