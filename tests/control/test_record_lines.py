"""Records as `ottla control tail` prints them, and what became of each."""

from __future__ import annotations

import json

from click import unstyle
from scribe import Scribe

from agent.commands.control_tail import line, told
from agent.commands.show import cleaned


def last(log: Scribe) -> str:
    """The newest record as a line."""
    row = json.loads(json.dumps(told(log.state, log.last)))
    return unstyle(line(cleaned(row)))


def test_a_record_is_a_line_with_what_became_of_it() -> None:
    log = Scribe.born()
    assert "genesis   broker-1  accepted  {" in last(log)
    one = log.join("broker-1")
    claim = log.claimed(one, "quota")
    assert f"claim     broker-1  accepted  [claim {claim}: queued, claimed]" in last(log)
    assert f"[claim {claim}: queued → granted, room]" in last(log)
    log.release(one, claim, "done")
    assert "release   broker-1  void: no such move: done of a granted claim" in last(log)
    log.raw(b"\x1b[2J")
    assert last(log).endswith("-         -  void: not printable ASCII")
    assert last(log).lstrip().startswith(f"{log.state.offset}  ")


def test_a_long_body_is_cut_for_people_and_whole_for_programs() -> None:
    log = Scribe.born()
    one = log.join("broker-1")
    log.say(one, "beat", status="x" * 500, firing=[])
    assert last(log).endswith("…")
    assert told(log.state, log.last)["body"]["status"] == "x" * 500


def test_what_a_writer_puts_into_a_record_cannot_steer_the_terminal() -> None:
    log = Scribe.born()
    one = log.join("broker-1")
    log.say(one, "beat", status="\x1b[2J", firing=["\x1b[31m"])
    assert "\x1b" not in last(log)
