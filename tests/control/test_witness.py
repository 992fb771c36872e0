"""Rules 7, 8 and 10 of coordination.md section 4: who was silent, who adopts, when all beat."""

from __future__ import annotations

from scribe import Scribe

from agent.control.adopter import OTHERS, adopts_after, own_orphans
from agent.control.beats import MANY, SPREAD, SPREAD_OF_MANY, epoch_jitter
from agent.control.times import LAB, PRODUCTION, beat_pause
from agent.control.witness import RANK_STEP, Witness, rank

ONE_PERCENT = LAB.w_idle // 100


class Watch:
    """A log of four agents, of which the first one watches; boot time goes on by `pass_`."""

    def __init__(self) -> None:
        self.log = Scribe.born()
        self.witness = Witness()
        self.boot = 1_000_000
        self.one, self.two, self.three, self.target = (self.join(n) for n in range(1, 5))

    def join(self, number: int) -> int:
        session = self.log.join(f"broker-{number}")
        self._told()
        return session

    def _told(self) -> None:
        verdict = self.log.last
        self.witness.saw(self.log.state, verdict, self.boot)

    def beat(self, session: int) -> None:
        self.log.beat(session)
        self._told()

    def pass_(self, ms: int, *beating: int, step: int = 1_000) -> None:
        """So much boot time, in which these beat each `step`."""
        until = self.boot + ms
        while self.boot < until:
            self.boot += min(step, until - self.boot)
            for session in beating:
                self.beat(session)

    def votes(self) -> list[int]:
        return [vote.session for vote in self.witness.votes(self.log.state, self.one)]

    def patience(self, target: int, w: int = LAB.w_idle) -> int:
        return w + w // 100 + RANK_STEP * rank(self.log.state, target, self.one)


def test_rule_7_it_votes_after_w_one_percent_and_its_rank_and_not_before() -> None:
    watch = Watch()
    patience = watch.patience(watch.target)
    watch.pass_(patience - 1, watch.one, watch.two, watch.three)
    assert watch.votes() == []
    watch.pass_(1, watch.one, watch.two, watch.three)
    (vote,) = watch.witness.votes(watch.log.state, watch.one)
    assert vote.body() == {"session": watch.target, "last": watch.target, "waited": patience}


def test_rule_7_w_is_shorter_for_a_session_with_claims() -> None:
    watch = Watch()
    watch.log.claimed(watch.target, "x:a")
    watch._told()
    watch.pass_(watch.patience(watch.target, LAB.w), watch.one, watch.two, watch.three)
    assert watch.votes() == [watch.target]


def test_rule_7_any_accepted_record_of_the_target_begins_the_wait_anew() -> None:
    watch = Watch()
    watch.pass_(7_000, watch.one, watch.two, watch.three)
    watch.beat(watch.target)
    watch.pass_(7_000, watch.one, watch.two, watch.three)
    assert watch.votes() == []


def test_rule_7_time_in_which_the_log_stood_still_makes_nobody_silent() -> None:
    watch = Watch()
    watch.pass_(3_600_000, watch.one, step=3_600_000)  # an outage, or this process slept
    assert watch.votes() == []
    watch.pass_(watch.patience(watch.target), watch.one, watch.two, watch.three)
    assert watch.target in watch.votes()


def test_rule_7_void_records_do_not_advance_the_log() -> None:
    watch = Watch()
    for _ in range(60):
        watch.boot += 1_000
        watch.log.raw(b"garbage")
        watch._told()
    assert watch.votes() == []


def test_rule_7_once_it_voted_it_votes_again_only_when_it_waited_3_w() -> None:
    watch = Watch()
    watch.pass_(watch.patience(watch.target), watch.one, watch.two, watch.three)
    (vote,) = watch.witness.votes(watch.log.state, watch.one)
    assert watch.log.say(watch.one, "expire", **vote.body()).void is None
    watch._told()
    assert watch.votes() == []
    watch.pass_(3 * LAB.w_idle, watch.one, watch.two, watch.three)
    (vote,) = watch.witness.votes(watch.log.state, watch.one)
    assert watch.log.say(watch.one, "expire", **vote.body()).void is None
    assert watch.target not in watch.log.state.sessions


def test_rule_7_two_witnesses_end_a_dead_session_within_w_and_7_s() -> None:
    watch = Watch()
    other, began = Witness(), watch.boot
    while watch.target in watch.log.state.sessions:
        watch.pass_(100, watch.one, watch.two, watch.three, step=100)
        other.saw(watch.log.state, watch.log.last, watch.boot)
        for witness, session in ((watch.witness, watch.one), (other, watch.two)):
            for vote in [v for v in witness.votes(watch.log.state, session) if v.session == watch.target]:
                watch.log.say(session, "expire", **vote.body())
                watch._told()
    assert LAB.w_idle <= watch.boot - began <= LAB.w_idle + 7_000


def test_rule_7_ranks_are_a_permutation_and_differ_by_target() -> None:
    watch = Watch()
    state, sessions = watch.log.state, sorted(watch.log.state.sessions)
    for target in sessions:
        others = [s for s in sessions if s != target]
        assert sorted(rank(state, target, own) for own in others) == [0, 1, 2]
    assert len({tuple(rank(state, t, own) for own in sessions) for t in range(50)}) > 5


def test_rule_8_the_patients_agent_adopts_at_once_and_others_later_by_rank() -> None:
    watch = Watch()
    log = watch.log
    claim = log.dirty(watch.target, "x:a")
    log.say(watch.target, "leave")
    orphan = log.state.claims[claim]
    again = log.join("broker-4")
    assert adopts_after(log.state, orphan, again) == 0
    late = sorted(adopts_after(log.state, orphan, s) or 0 for s in (watch.one, watch.two, watch.three))
    assert late[0] >= OTHERS
    assert len(set(late)) == 3
    assert [c.id for c in own_orphans(log.state, again)] == [claim]
    assert not list(own_orphans(log.state, watch.one))


def test_rule_8_what_is_of_one_host_is_for_its_agents_only() -> None:
    watch = Watch()
    log = watch.log
    claim = log.dirty(watch.target, "x:a", host="broker-4")
    log.say(watch.target, "leave")
    assert adopts_after(log.state, log.state.claims[claim], watch.one) is None
    elsewhere = log.join("broker-4", host="another")
    assert not list(own_orphans(log.state, elsewhere))


def test_rule_10_the_jitter_spreads_the_beats_of_a_new_epoch() -> None:
    watch = Watch()
    jitters = {epoch_jitter(watch.log.state, own) for own in range(200)}
    assert 0 <= min(jitters) <= max(jitters) < SPREAD
    assert max(jitters) - min(jitters) > SPREAD // 2
    for number in range(5, MANY + 2):
        watch.join(number)
    assert max(epoch_jitter(watch.log.state, own) for own in range(200)) > SPREAD
    assert max(epoch_jitter(watch.log.state, own) for own in range(200)) < SPREAD_OF_MANY


def test_section_5_beats_are_due_by_the_number_of_sessions_and_by_claims() -> None:
    params = PRODUCTION.params()
    assert [beat_pause(params, n, busy=False) for n in (1, 2, 10, 30, 1_000)] == [
        4_000,
        4_000,
        20_000,
        60_000,
        60_000,
    ]
    assert beat_pause(params, 1, busy=True) == 4_000
    assert beat_pause(params, 1_000, busy=True) == 5_000
    assert {beat_pause(LAB.params(), n, busy=b) for n in (1, 99) for b in (True, False)} == {1_000}
