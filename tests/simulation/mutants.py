"""Rules of the protocol taken out of our code one by one, each by the smallest change of text.

A mutant's change must apply exactly once, after those of `release`, with which nothing is broken yet. `faults`: the set of faults (schedules.SETS) in which it was found;
`seed`: the kept schedule that finds it. Where the rule is not in the agent's code yet, or never will be (of a
kernel or a broker), the change is made to the simulator's own driver or model, and the table says so.
"""

# ruff: noqa: E501 - whole lines of our code stand here

from __future__ import annotations

from dataclasses import dataclass

C, T, S = "agent/control/", "agent/control_topic/", "simulation/"
Change = tuple[str, str, str]  # file, what stands there once, what is put in its place


@dataclass(frozen=True, slots=True)
class Mutant:
    """`row`: whether it is one of section 10's, or a part of one. `whole`: only all changes together break the
    kept schedule; where each part breaks something by itself, it is a mutant by itself. `remark`: what more is
    to be said of how it is found."""

    name: str
    faults: str
    changes: tuple[Change, ...]
    row: bool = False
    seed: int | None = None
    release: tuple[Change, ...] = ()
    whole: bool = False
    remark: str = ""

    @property
    def where(self) -> str:
        """Of which code it is a change."""
        if all(path.startswith(S) for path, _, _ in self.changes):
            return "simulator's driver or model"
        return "agent" if not any(path.startswith(S) for path, _, _ in self.changes) else "agent and model"


NO_FENCE = (S + "brokers.py", "if self.sasl and number", "if False and number")
NO_DEADMAN = (
    T + "effects.py",
    "disarm, leaving = self._deadman.arm(at), False",
    "disarm, leaving = lambda: None, False",
)
NO_BARRIER_BEAT = (
    T + "effects.py",
    "            await self._control.barrier(claim)\n            await warm()\n",
    "            await warm()\n",
)
NO_OVERLAP = (T + "follower.py", "        if same != (", "        if len(same) != len(same) and same != (")
NO_STAMP = (
    C + "admission.py",
    "return None if digest_at(state.digests, state.offset - 1, r.b) == r.d else OTHER_HISTORY",
    "return None",
)
NO_BARRIER = (
    C + "sessions.py",
    "    barrier = frozenset(state.sessions)\n",
    "    barrier: frozenset[int] = frozenset()\n",
)
NO_WAIT = (C + "doubt.py", "if renewed or look.begun - self._baseline[0] >= self._sent.e:", "if True:")
NO_ACT = (C + "doubt.py", "if not renewed and look.begun < self._sent.at + self._sent.act:", "if False:")
FORGETS = (C + "memory.py", "return state.handled.get(problem, -1) > state.clock", "return False")
NO_PROBATION = (
    (
        C + "claim_rules.py",
        '    if state.clock - state.sessions[r.s].joined < state.params["probation"]:\n        return "its session is in probation"\n',
        "",
    ),
    (C + "words.py", "        if state.clock - session.joined < probation:", "        if False:"),
)
# A simulation that does not look at digests, which tells at once where an agent has read past a lost tail.
NO_I4 = (
    (S + "invariants.py", "if state.offset >= 0 and state.digest not in", "if False and state.digest not in"),
    (S + "invariants.py", "if state.offset >= 0 and dump(state)", "if False and dump(state)"),
)
NO_SETTLING = (
    C + "session_rules.py",
    'settled_at=state.clock + x["params"]["settle"]',
    "settled_at=state.clock",
)
NO_VIA = (
    S + "remedies.py",
    "via = claim.via if claim.via is not None else _sender(claim)",
    "via = self.machine.node",
)
# A release of the simulation that from fold version 2 on grants the youngest first; which version counts, each
# agent may be made to say itself.
YOUNGEST_FIRST = (
    C + "schedule.py",
    "    for claim in sorted(queue, key=lambda c: (c.priority, c.id)):\n",
    "    for claim in sorted(queue, key=lambda c: (c.priority, c.id if state.version < 2 else -c.id)):\n",
)
OWN_VERSION = (
    (C + "schedule.py", "c.id if state.version < 2 else", "c.id if RELEASE.get() < 2 else"),
    (
        C + "schedule.py",
        "\n\ndef schedule(before",
        '\nfrom contextvars import ContextVar\n\nRELEASE = ContextVar("RELEASE", default=2)\n\n\ndef schedule(before',
    ),
    (
        S + "simulation.py",
        "from agent.control.times import LAB\n",
        "from agent.control.times import LAB\nfrom agent.control.schedule import RELEASE\n",
    ),
    (
        S + "simulation.py",
        "        machine, node = process.machine, process.machine.node\n",
        "        machine, node = process.machine, process.machine.node\n        RELEASE.set(machine.fold_max)\n",
    ),
    (S + "play.py", "with folds_shared():", "if True:"),  # each folds for itself
)
# A release in which nobody tells the log of what others held, and all begin beside it: where a rule makes its
# holder tell that, this stands in for it.
NOT_TOLD = (
    C + "lost.py",
    "    return tuple(one for one in lost if not _is_known(state, one)) if lost else ()\n",
    "    return ()\n",
)
# A release in which nobody waits for those who may know more of a log that was made again.
NOT_AWAITED = (T + "writer.py", 'if t == "claim" and (why', 'if t == "" and (why')
LATE_TO_TELL = (C + "lost.py", 'patience = state.params["settle"] // 3', "patience = 30_000")
BESIDE_WHAT_IS_LOST = (
    (T + "permission.py", "return why if why or undo else self.lost_holds(claim)", "return why"),
    (
        T + "as_read.py",
        "self._life.duties.not_ready(self.state), self._life.permission.lost_holds(claim_id)",
        "self._life.duties.not_ready(self.state), None",
    ),
)
# A release in which stamps come round soon.
# A release that knows the digests of the last records alone.
FEW_DIGESTS = (C + "digests.py", "KNOWN = 4_096", "KNOWN = 64")
FEW_STAMPS = ((C + "claims.py", "STAMPS = 100_000", "STAMPS = 8"),)

SECTION_10 = (
    Mutant("memory of handled problems", "base", (FORGETS,), True, seed=0),
    Mutant(
        "orphans keep their slot",
        "base",
        (
            (
                C + "budgets.py",
                "STANDING = (ClaimState.DIRTY, ClaimState.ORPHAN, ClaimState.STUCK)",
                "STANDING = (ClaimState.DIRTY, ClaimState.STUCK)",
            ),
        ),
        True,
        seed=243,
    ),
    Mutant("in-doubt rule", "stopped", (NO_WAIT, NO_ACT), True, seed=12, whole=True),
    Mutant(
        "wait of the adopter, deadman",
        "gap",
        (NO_WAIT, NO_ACT, NO_DEADMAN),
        True,
        seed=-11,
        whole=True,
    ),
    Mutant("deadman", "gap", (NO_DEADMAN,), True, seed=82),
    Mutant("barrier beat", "frozen", (NO_BARRIER_BEAT,), True, seed=-10),
    Mutant(
        "server fence (E short)",
        "frozen",
        (NO_FENCE,),
        True,
        seed=-6,
    ),
    Mutant(
        "TCP_USER_TIMEOUT",
        "path",
        ((S + "brokers.py", "USER_TIMEOUT = ACT ", "USER_TIMEOUT = 900.0 "),),
        True,
        seed=103,
    ),
    Mutant(
        "memory of `undone`",
        "base",
        (
            (
                C + "claim_rules.py",
                "    if found.state is not DIRTY:\n        return state\n    return handled",
                '    if found.state is not DIRTY or r.x["outcome"] == "undone":\n        return state\n    return handled',
            ),
        ),
        True,
        seed=90,
    ),
    Mutant(
        "memory of others' problems, durable",
        "recreated",
        (
            (
                C + "carried.py",
                "    left = {p: until - state.clock for p, until in state.handled.items() if until > state.clock}\n",
                "    left: dict[str, int] = {}\n",
            ),
        ),
        True,
        seed=15,
    ),
    Mutant("overlap read (and v13's own report)", "tail", (NO_OVERLAP,), True, seed=32),
    Mutant("overlap and digest", "tail", (NO_OVERLAP, NO_STAMP), True, seed=284, release=NO_I4, whole=True),
    Mutant(
        "overlap, digest, barrier",
        "tail",
        (NO_OVERLAP, NO_STAMP, NO_BARRIER),
        True,
        seed=95,
        release=NO_I4,
        remark="; so do overlap and digest, and the barrier, by themselves",
    ),
    Mutant(
        "redeclare from the journal",
        "tail",
        (
            (
                C + "session_rules.py",
                "    state = redeclare(state, r)  # before its claims go with the older sessions\n",
                "",
            ),
        ),
        True,
        seed=23,
        release=(NOT_TOLD,),
    ),
    Mutant(
        "a new join after a lost tail",
        "tail",
        ((T + "hearing.py", "        self.member.lose_tail(why)\n", ""),),
        True,
        seed=113,
    ),
    Mutant("barrier", "tail", (NO_BARRIER,), True, seed=95),
    Mutant("fold version as state", "upgrade", OWN_VERSION, True, 16, (YOUNGEST_FIRST,)),
    Mutant(
        "rate counts queued and granted",
        "base",
        (
            (
                C + "budgets.py",
                "with_name(each, name) for each in WAITING)\n",
                "with_name(each, name) for each in ())\n",
            ),
            (C + "claim_rules.py", "over_rate(state, found) if found.state is GRANTED else None", "None"),
        ),
        True,
        seed=-1,
    ),
    Mutant(
        "identity with the epoch",
        "tail",
        (
            (
                C + "redeclare.py",
                '    same = found and (found.epoch, found.problem, found.agent) == (item["epoch"], item["problem"], agent)\n',
                "    same = found\n",
            ),
        ),
        True,
        seed=-4,
    ),
    Mutant("`via` in the intent", "stopped", (NO_VIA,), True, seed=-2),
    Mutant(
        "E restarts after a silence",
        "woken",
        (
            (
                C + "doubt.py",
                "        if self._is_silence(look):\n            self._baseline = None\n",
                "        self._is_silence(look)\n",
            ),
        ),
        True,
        seed=2_000_020,
    ),
    Mutant("PROBATION", "tail", NO_PROBATION, True, seed=-3, release=(NOT_TOLD,)),
    Mutant(
        "settling after genesis", "recreated", (NO_SETTLING,), True, seed=-5, release=(NOT_TOLD, NOT_AWAITED)
    ),
)

OWN = (
    Mutant(
        "x: scopes are exclusive",
        "base",
        ((C + "budgets.py", "EXCLUSIVE = Budget(cap=1)", "EXCLUSIVE = Budget(cap=2)"),),
        seed=0,
    ),
    Mutant(
        "token on release",
        "people",
        (
            (
                C + "claim_rules.py",
                '    if found.token != r.x["token"]:\n        return "not the token"\n    event',
                "    event",
            ),
        ),
        seed=35,
    ),
    Mutant(
        "who holds it may release it",
        "people",
        (
            (
                C + "claim_rules.py",
                '    if found.session != r.s:\n        return f"not the holder: {found.holder} is"\n',
                "",
            ),
        ),
        seed=35,
    ),
    Mutant(
        "no grant of what is orphaned",
        "base",
        (
            (
                C + "budgets.py",
                "OCCUPYING = (ClaimState.GRANTED, *STANDING)",
                "OCCUPYING = (ClaimState.GRANTED, ClaimState.DIRTY)",
            ),
            (
                C + "claim_rules.py",
                '    if full := over_cap(state, found):\n        return f"no room: {full}"\n',
                "",
            ),
            (C + "hold.py", "standing[s] > budget_of(state, s).cap", "standing[s] > 99"),
        ),
        seed=108,
    ),
    Mutant(
        "handled drops what waits",
        "base",
        (
            (C + "claims.py", "if other.problem == problem and other.state in WAITING and", "if False and"),
            (
                C + "claim_rules.py",
                "lapsed = found.state is GRANTED and is_handled(state, found.problem)",
                "lapsed = False",
            ),
        ),
        seed=0,
    ),
    Mutant(
        "extension keeps the effect",
        "base",
        (
            (
                C + "claim_rules.py",
                'return move(state, found, "intent", effect=canonical(r.x["effect"]), via=r.x["via"])',
                'return move(state, found, "intent", effect=found.effect or canonical(r.x["effect"]), via=r.x["via"])',
            ),
        ),
        seed=108,
    ),
    Mutant(
        "time never frees what may be dirty",
        "base",
        ((C + "claims.py", '(DIRTY, "session ended"): ORPHAN,', '(DIRTY, "session ended"): CLOSED,'),),
        seed=108,
    ),
    Mutant(
        "a grant needs room, an intent too",
        "base",
        (
            (C + "schedule.py", "        if not lacking:\n", "        if True:\n"),
            (
                C + "claim_rules.py",
                '    if full := over_cap(state, found):\n        return f"no room: {full}"\n',
                "",
            ),
            (C + "hold.py", "standing[s] > budget_of(state, s).cap", "standing[s] > 99"),
        ),
        seed=0,
    ),
    Mutant(
        "what a lost log owed is carried",
        "tail",
        (
            (
                C + "carried.py",
                "    if not carried_.owed:\n        return [], []\n",
                "    if carried_ is not None:\n        return [], []\n",
            ),
        ),
        seed=23,
        release=(NOT_TOLD,),
    ),
    Mutant(
        "a join of a lost history is given up",
        "tail",
        ((T + "hearing.py", "        self.pen.abandon(why, joins=True)\n", ""),),
        seed=-7,
        release=(NOT_TOLD,),
    ),
    Mutant(
        "the log is told of what a lost tail took along before grants resume",
        "tail",
        (LATE_TO_TELL, *BESIDE_WHAT_IS_LOST),
        seed=887_603,
    ),
    Mutant(
        "nothing begins beside what a lost tail took along",
        "tail",
        BESIDE_WHAT_IS_LOST,
        seed=887_603,
        release=(LATE_TO_TELL,),
    ),
    Mutant(
        "in a log that was made again nothing is begun before all are heard who may know more",
        "recreated",
        (NOT_AWAITED,),
        seed=880_368,
    ),
    Mutant(
        "who had not followed the former log waits out the cool-down",
        "recreated",
        ((C + "former.py", "or missing == []", "or not missing"),),
        seed=880_368,
    ),
    Mutant(
        "who had followed the former log waits for those who lived in it",
        "recreated",
        (
            (
                C + "former.py",
                "return [agent for agent in before.agents if agent not in state.incarnations]",
                "return []",
            ),
        ),
        seed=-8,
    ),
    Mutant(
        "a pause of a kind stops it",
        "people",
        ((C + "pauses.py", 'return name == {"kind"', 'return kind != "kind" and name == {"kind"'),),
        seed=-12,
    ),
    Mutant(
        "a pause of scopes stops what claims them",
        "people",
        (
            (
                C + "pauses.py",
                '    if kind == "scope":\n',
                '    if kind == "scope":\n        return False\n    if kind == "scope":\n',
            ),
        ),
        seed=-13,
    ),
    Mutant(
        "a remedy's own limit",
        "base",
        ((C + "budgets.py", "    if claim.limit:\n", "    if False and claim.limit:\n"),),
        seed=-14,
    ),
    Mutant(
        "what was done to one host is adopted there only",
        "people",
        ((C + "claim_rules.py", 'return None if own else f"not its host: {found.host} is"', "return None"),),
        seed=-16,
    ),
    Mutant(
        "compare and set on pause",
        "orders",
        ((C + "operator_rules.py", 'return None if r.x["expect"] == last else', "return None if True else"),),
        seed=2_000_002,
    ),
    Mutant(
        "a vote is void once its session was heard again",
        "votes",
        (
            (
                C + "session_rules.py",
                'return None if state.sessions[r.x["session"]].last == r.x["last"] else "heard since"',
                "return None",
            ),
        ),
        seed=2_000_005,
    ),
    Mutant(
        "a joiner takes a state by its hash",
        "forged",
        ((C + "snapshot.py", 'if sha256(canonical(x["state"])) != x["hash"]:', "if False:"),),
        seed=2_000_031,
    ),
    Mutant(
        "a snapshot is of the fold's mark",
        "forged",
        (
            (
                C + "snapshot.py",
                'if (r.x["at"], r.x["hash"]) != (state.mark.offset, state.mark.hash):',
                'if r.x["at"] != state.mark.offset:',
            ),
        ),
        seed=2_000_039,
    ),
    Mutant(
        "a stamp names one claim",
        "tail",
        (
            (
                C + "claim_rules.py",
                'return "its stamp is taken: claim again" if taken else None',
                "return None",
            ),
        ),
        seed=-15,
        release=FEW_STAMPS,
    ),
    Mutant(
        "who was away until its last record was deleted folds again",
        "deleted",
        (
            (
                T + "follower.py",
                "            raise LogTruncated(-1, start) from error\n",
                "            return []\n",
            ),
        ),
        seed=4_000_002,
    ),
    Mutant(
        "who starts behind what it had read asks whether its claims are known",
        "deleted",
        (
            (
                C + "carried.py",
                "        return any(_is_gone(item, state) for item in carried_.redeclare)\n",
                "        return False\n",
            ),
        ),
        release=(FEW_DIGESTS, NOT_TOLD),
        seed=-17,
    ),
    Mutant(
        "a read goes on where a segment ends",
        "segments",
        (
            (
                "agent/kafka/log.py",
                "            records += await self._next_segment(",
                "            await self._next_segment(",
            ),
        ),
        seed=5_000_000,
    ),
)
ALL = SECTION_10 + OWN
