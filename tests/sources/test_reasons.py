"""What keeps a part of a source from being read, as the log has it."""

from __future__ import annotations

import pytest

from agent.sources.reasons import Reasons


def test_each_reason_is_told_once_until_it_is_another(caplog: pytest.LogCaptureFixture) -> None:
    """What was left of a deadline does not make another of it; what was well meanwhile is told again."""
    reasons = Reasons("cluster:")
    for why in ("no answer within 4.99 s", "no answer within 5 s", "refused", "refused", None, "refused"):
        reasons.learn("quorum", why)
        assert reasons.now == ({} if why is None else {"quorum": why})
    assert [record.message for record in caplog.records] == [
        "cluster: quorum: no answer within 4.99 s",
        "cluster: quorum: refused",
        "cluster: quorum: refused",
    ]
