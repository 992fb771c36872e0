"""The page on security: every call to Kafka that the code can make stands in its table of ACLs."""

from __future__ import annotations

import re
from pathlib import Path

from agent.control.times import PRODUCTION
from agent.kafka.connection import MAX_AGE

ROOT = Path(__file__).parent.parent
PAGE = (ROOT / "docs" / "security.md").read_text()


def test_every_call_to_kafka_is_in_the_table_and_no_other() -> None:
    """A new call brings its ACL along, or this fails."""
    source = "".join(path.read_text() for path in sorted((ROOT / "agent" / "kafka").glob("*.py")))
    made = set(re.findall(r'\bCall\("([a-z_]+)"', source))
    told = set(re.findall(r"^\| `([a-z_]+)` \|", PAGE, re.MULTILINE))

    assert len(made) > 10
    assert told == made


def test_what_is_only_the_labs_is_called_by_no_other_part() -> None:
    """The page says that an agent deletes no topic; a person's command is another thing."""
    files = (path.relative_to(ROOT / "agent") for path in (ROOT / "agent").rglob("*.py"))
    callers = {path for path in files if ".delete_topics(" in (ROOT / "agent" / path).read_text()}

    assert {str(p) for p in callers if p.parts[0] not in ("lab", "demo")} == {"commands/control_init.py"}


def test_the_brokers_end_a_session_after_an_effect_had_time_and_before_others_act() -> None:
    """And after the agent has made its lasting connections anew."""
    (told,) = re.findall(r"connections\.max\.reauth\.ms=(\d+)", PAGE)
    session = int(told)

    assert 5 * PRODUCTION.act <= session < PRODUCTION.w + PRODUCTION.e_controller
    assert session > MAX_AGE * 1_000
