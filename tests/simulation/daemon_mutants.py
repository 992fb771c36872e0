"""Rules of the daemon taken out of its code one by one, as those of the protocol in simulation.mutants; the
daemon itself plays the schedules in which they are found."""

# ruff: noqa: E501 - whole lines of our code stand here

from __future__ import annotations

from simulation.mutants import ALL, NOT_TOLD, C, Mutant, T
from simulation.schedules import BY_HAND

D, A = "agent/daemon/", "agent/actions/"
NO_SWEEP = (D + "found.py", "                await self._tell(traces[name])\n", "                pass\n")
NO_REDECLARE = (
    C + "session_rules.py",
    "    state = redeclare(state, r)  # before its claims go with the older sessions\n",
    "",
)

DAEMONS = (
    Mutant(
        "sweep", "daemon-recreated", (NO_SWEEP,), True, release=(NO_REDECLARE, NOT_TOLD), seed=BY_HAND + 2
    ),
    Mutant(
        "an adopter waits till settled",
        "daemon-gap",
        (
            (D + "adoption.py", "                self._writes.suspect(node)\n", "                pass\n"),
            (D + "holding.py", "            self._writes.suspect()\n", "            pass\n"),
        ),
        seed=BY_HAND,
    ),
    Mutant(
        "a claim is given back once settled",
        "daemon-stopped",
        (
            (
                D + "holding.py",
                "        while (fence := self._means.fence) and self._writes and (sent := self._writes.doubt):\n",
                "        while False and (fence := self._means.fence) and self._writes and (sent := self._writes.doubt):\n",
            ),
        ),
        seed=BY_HAND + 5,
    ),
    Mutant(
        "what is sent is in doubt until it is answered",
        "daemon-stopped",
        ((D + "fence.py", "            self._open += left\n", ""),),
        seed=BY_HAND + 5,
    ),
    Mutant(
        "who is restarted looks first, and nobody applies without a claim",
        "daemon-gap",
        (
            (
                D + "carry.py",
                "if await self._over():",
                "if False and await self._over():",
            ),
            (
                T + "effects.py",
                "            await self._control.barrier(claim)\n            await warm()\n            await self._fire(request, look, lambda: self._objection(claim, token), sent)\n",
                "            await self._fire(request, look, lambda: None, sent)\n",
            ),
        ),
        seed=BY_HAND + 1,
    ),
    Mutant(
        "another's value is left alone",
        "daemon-base",
        (
            (
                A + "configs.py",
                "return _valued(change, change.prior) if standing(change, value) is Standing.OURS else None",
                "return _valued(change, change.prior) if standing(change, value) is not Standing.GONE else None",
            ),
        ),
        seed=900_000,
    ),
    Mutant(
        "what stands in the cluster counts, though the log knows nothing of it",
        "daemon-recreated",
        ((D + "holding.py", "        if refusal is None and not begun:\n", "        if False:\n"),),
        seed=BY_HAND + 3,
    ),
    Mutant(
        "what was compared is looked at again behind a barrier",
        "daemon-base",
        ((D + "fence.py", "            await compare()\n", "            pass\n"),),
        seed=BY_HAND + 4,
    ),
)
KEEPERS = (
    Mutant(
        "what is half done is not kept",
        "daemon-kept",
        (
            (
                D + "adoption.py",
                "return self._action.settle(self._effect, seen) is Settle.DONE",
                "return bool(seen.ours)",
            ),
        ),
        seed=BY_HAND + 6,
    ),
    Mutant(
        "what was complete stays where it was mended",
        "daemon-kept",
        (
            (
                D + "adoption.py",
                "return self._action.settle(self._effect, seen) is Settle.DONE",
                "return False",
            ),
        ),
        seed=BY_HAND + 7,
    ),
    Mutant(
        "a clearing that was cut short is finished",
        "daemon-kept",
        (
            (
                A + "clear_leftover_throttle.py",
                "return Settle.UNDO if seen.theirs else Settle.APPLY",
                "return Settle.DONE",
            ),
        ),
        seed=BY_HAND + 6,
    ),
    Mutant(
        "half of a clearing is put back where a person set a part of it anew",
        "daemon-kept",
        (
            (
                A + "clear_leftover_throttle.py",
                "return Settle.UNDO if seen.theirs else Settle.APPLY",
                "return Settle.DONE if seen.theirs else Settle.APPLY",
            ),
        ),
        seed=BY_HAND + 10,
    ),
    Mutant(
        "a list that was emptied is deleted, too",
        "daemon-kept",
        (
            (
                A + "configs.py",
                "        if own.operation is Operation.SUBTRACT and _is_emptied(values.get((own.resource, own.key))):\n",
                "        if False:\n",
            ),
        ),
        seed=3_000_000,
    ),
    Mutant(
        "a drain that was cut short is finished",
        "daemon-kept",
        (
            (
                A + "drain_disk.py",
                "return Settle.APPLY if unfinished or any(c in limit for c in seen.ours) else Settle.DONE",
                "return Settle.DONE",
            ),
        ),
        seed=BY_HAND + 8,
    ),
    Mutant(
        "a drain that is taken back is cancelled",
        "daemon-kept",
        ((A + "drain_disk.py", "            await cancel(effect, ports)\n", "            pass\n"),),
        seed=BY_HAND + 9,
    ),
    Mutant(
        "what begins after its undo is undone again",
        "daemon-kept",
        (
            (
                D + "holding.py",
                "            await settle(fence, sent, observe, self._told)\n            self._writes.settled(sent)\n            if undo is not None:",
                "            seen = await settle(fence, sent, observe, self._told)\n            self._writes.settled(sent)\n            if undo is not None and seen.ours:",
            ),
        ),
        seed=BY_HAND + 11,
    ),
    Mutant(
        "an adopter undoes what is under way, too",
        "daemon-kept",
        (
            (
                D + "adoption.py",
                "            await self._action.undo(self._effect, ports)  #",
                "            await self._action.undo(self._effect, ports) if seen.ours else None  #",
            ),
        ),
        seed=BY_HAND + 12,
    ),
)
MUTANTS = (*ALL, *DAEMONS, *KEEPERS)
