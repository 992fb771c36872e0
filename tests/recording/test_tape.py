"""Writing recordings: whole or not there, and gone on with after a kill."""

from __future__ import annotations

import subprocess
import tempfile
from pathlib import Path
from shutil import which

import pytest
from held import START, holding, made, plain
from hypothesis import given, settings
from hypothesis import strategies as st

from agent.recording.dump import Dump
from agent.recording.limits import BadHistory
from agent.recording.recorded import Recorded
from agent.recording.tape import Full, Tape

MIB = 1 << 20


def write(tape: Tape, recorded: Recorded) -> None:
    """All of it."""
    tape.write([((name, labels), each) for name, labels, each in recorded])


@pytest.mark.parametrize("name", ["a.om", "a.om.gz"])
def test_it_has_its_name_only_when_it_is_whole(tmp_path: Path, name: str) -> None:
    """Until then it is a .part; what was written is what is read."""
    tape = Tape(tmp_path / name, MIB)
    recorded = holding(up=made([START, START + 15_000], [1, 0.1], [START + 20_000]))
    write(tape, recorded)
    assert [each.name for each in tmp_path.iterdir()] == [f"{name}.part"]
    tape.finish()
    assert [each.name for each in tmp_path.iterdir()] == [name]
    assert plain(Dump(tmp_path / name).read()) == plain(recorded)
    assert (tape.samples, tape.ends, tape.series) == (2, 1, 1)


def test_pieces_may_overlap(tmp_path: Path) -> None:
    """Of each series only what is newer is written."""
    tape = Tape(tmp_path / "a.om", MIB)
    write(tape, holding(up=made([START, START + 1], [1, 2])))
    write(tape, holding(up=made([START, START + 1, START + 2], [1, 2, 3]), late=made([START], [7])))
    tape.finish()
    assert plain(Dump(tmp_path / "a.om").read()) == {
        ("up", ()): [(START, "1.0"), (START + 1, "2.0"), (START + 2, "3.0")],
        ("late", ()): [(START, "7.0")],
    }
    assert tape.samples == 4


def test_a_full_tape_says_so(tmp_path: Path) -> None:
    """What is on it is kept."""
    tape = Tape(tmp_path / "a.om", 100)
    with pytest.raises(Full):
        write(tape, holding(up=made(list(range(START, START + 100)), [1.0] * 100)))
    tape.finish()
    assert Dump(tmp_path / "a.om").read().samples == 100


@settings()  # files are synced, and machines busy
@given(packed=st.booleans(), cut=st.integers(0, 3_000), killed=st.booleans())
def test_going_on_after_a_kill_loses_at_most_what_was_cut(packed: bool, cut: int, killed: bool) -> None:
    """Wherever the file was cut: what follows goes on with it, and nothing stands in it twice."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / ("a.om.gz" if packed else "a.om")
        before = holding(up=made([START + n for n in range(50)], [n * 0.37 for n in range(50)], [START + 60]))
        tape = Tape(path, MIB)
        write(tape, before)
        if killed:
            tape.close()
            part = path.with_name(path.name + ".part")
            part.write_bytes(part.read_bytes()[:cut])
        else:
            tape.finish()
        resumed = Tape.resume(path, MIB)
        known = resumed.newest()
        write(resumed, before)
        write(resumed, holding(up=made([START + 100], [9])))
        resumed.finish()
        assert [each.name for each in Path(folder).iterdir()] == [path.name]
        assert known is None or known >= START
        assert plain(Dump(path).read()) == {
            ("up", ()): [*plain(before)["up", ()], (START + 100, "9.0")],
        }


def test_two_cannot_write_one_recording(tmp_path: Path) -> None:
    """The second is told how to go on with it."""
    tape = Tape(tmp_path / "a.om", MIB)
    tape.close()
    with pytest.raises(BadHistory, match="--append"):
        tape = Tape(tmp_path / "a.om", MIB)
    tape.close()
    with pytest.raises(BadHistory, match="cannot be written"):
        Tape(tmp_path / "no folder" / "a.om", MIB)


@pytest.mark.skipif(which("promtool") is None, reason="promtool is not installed")
def test_promtool_reads_it(tmp_path: Path) -> None:
    """As blocks with every sample; ends are one metric more."""
    tape = Tape(tmp_path / "a.om", MIB)
    write(
        tape,
        holding(up=made([START, START + 30_000], [1, 0]), x=made([START], [float("nan")], [START + 9000])),
    )
    write(tape, holding(up=made([START + 60_000], [1])))
    tape.finish()
    made_blocks = [
        "promtool",
        "tsdb",
        "create-blocks-from",
        "openmetrics",
        str(tmp_path / "a.om"),
        str(tmp_path / "data"),
    ]
    subprocess.run(made_blocks, check=True, capture_output=True, timeout=60)
    (tmp_path / "data" / "wal").mkdir()  # dump wants one
    shown = subprocess.run(
        ["promtool", "tsdb", "dump", str(tmp_path / "data")],
        check=True,
        capture_output=True,
        text=True,
        timeout=60,
    )
    lines = [line.rsplit(" ", 1)[0] for line in shown.stdout.splitlines() if line.startswith("{")]
    assert sorted(lines) == [
        '{__name__="ottla_recording_series_end", series="x"} 1',
        '{__name__="up"} 0',
        '{__name__="up"} 1',
        '{__name__="up"} 1',
        '{__name__="x"} NaN',
    ]
