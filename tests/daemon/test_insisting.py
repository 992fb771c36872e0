"""An action's own code is asked again and again, slower each time, and what keeps it is told."""

from __future__ import annotations

import asyncio
from itertools import pairwise

import pytest

from agent.daemon.holding import Broken
from agent.daemon.insisting import RETRY_S, Insisting
from agent.rehearsal.virtual_time import run


def test_it_is_asked_until_it_answers_and_each_trouble_is_told_once(caplog: pytest.LogCaptureFixture) -> None:
    """The pauses grow to the longest, and stay there."""
    asked: list[float] = []
    troubles: list[str] = []

    async def story() -> str:
        insisting = Insisting("Full//d1@0")

        async def ask() -> str:
            asked.append(asyncio.get_running_loop().time())
            troubles.append(insisting.trouble)
            if len(asked) > len(RETRY_S) + 2:
                return "it is gone"
            raise OSError("no answer" if len(asked) < 3 else "refused")

        answer = await insisting.until_answered(ask)
        assert insisting.trouble == ""
        return answer

    assert run(story()) == "it is gone"
    pauses = [after - before for before, after in pairwise(asked)]
    assert pauses == pytest.approx([*RETRY_S, RETRY_S[-1], RETRY_S[-1]])
    assert troubles == ["", *["OSError: no answer"] * 2, *["OSError: refused"] * len(RETRY_S)]
    told = [record.message for record in caplog.records]
    assert told == ["Full//d1@0: OSError: no answer", "Full//d1@0: OSError: refused"]


def test_once_is_once_and_what_is_broken_stays_as_it_was_told() -> None:
    async def story() -> None:
        async def broken() -> None:
            raise Broken("its claim is stuck")

        async def fails() -> None:
            raise KeyError("rate")

        for work, words in ((broken, "its claim is stuck"), (fails, "KeyError: 'rate'")):
            with pytest.raises(Broken) as caught:
                await Insisting("Full//d1@0").once(work())
            assert str(caught.value) == words

    run(story())
