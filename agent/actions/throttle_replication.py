"""throttle_replication: slow the catching up of this broker's replicas, so that clients get through."""

from __future__ import annotations

from agent.actions import action, configs, shown_by
from agent.actions.ports import Ports, node_of
from agent.actions.throttle_plan import TOPICS_MAX, plan_throttle
from agent.actions.throttles import FOLLOWER_RATE, LEADER_RATE
from agent.model import Blast, Effect, Refusal, Seen, Settle
from agent.quantities import BytesPerSecond


@shown_by("a replication throttle", FOLLOWER_RATE, LEADER_RATE)
@action(
    blast=Blast.CLUSTER,
    reversible=True,
    corroborate=2,
    adoptable=True,
    moves=(
        "kafka_admin_throttle_bytes_per_second",
        "kafka_server_brokertopicmetrics_replicationbytesin_total",
        "kafka_server_brokertopicmetrics_replicationbytesout_total",
        "kafka_server_followerreplication_byte_rate",
        "kafka_server_leaderreplication_byte_rate",
    ),
)
class ThrottleReplication:
    """Limit replication of this broker's replicas that are out of sync, while they catch up.

    * `rate`: how much they may fetch from other brokers, and how much other brokers may fetch of what this
      one leads; in bytes a second each. Raised to what they need (below), at most to the double.
    * `topics_max`: throttle at most so many topics, those furthest behind first; 20 is the most.

    For catch-up storms: a broker was away and now fetches so fast that producers and consumers wait. The
    rates are set on this broker; the lists, on the topics, name only partitions that are out of sync here or
    that this broker leads and a living follower is behind of. In-sync replicas are never held back, but what
    a list names counts towards the rate, so a wide list at a low rate would starve the rest for ever. For the
    same reason the rate never lies below one and a half times what is produced into the listed partitions (on
    the leading side: times their followers), measured at their leaders while planning, nor below the policy's
    `min_throttle_rate`. What stands in the lists stays; only missing entries are added.

    Refused where a partition of this broker is below min.insync.replicas (it needs speed), a reassignment
    runs, a throttle stands on this broker, a list holds `*` or names replicas of this broker that are in
    sync, or what is needed is more than double the rate that was asked for; and where so many other brokers
    have a replication rate set, whoever set it, that the budget of throttles is used up.

    Give it a lease. Undo removes the entries that were added and restores the rates, each only where the
    value still is the one that was set; another's value is left alone and reported. Where a rate is another's
    by then, entries of partitions that are being reassigned are taken for the reassignment's.
    """

    async def plan(
        self, ports: Ports, *, target: str, rate: BytesPerSecond, topics_max: int = TOPICS_MAX
    ) -> Effect | Refusal:
        """Lists first, rates last: half a throttle does nothing. `target` may name this broker only."""
        return await plan_throttle(ports, target, rate, topics_max)

    async def apply(self, effect: Effect, ports: Ports) -> None:
        """Set what is not set yet, and read it back."""
        await configs.apply(effect.changes, ports)

    async def undo(self, effect: Effect, ports: Ports) -> Seen:
        """Rates first, then lists, each only where it is still ours."""
        return await configs.undo(effect.changes, ports)

    async def observe(self, effect: Effect, ports: Ports) -> Seen:
        """Whose each value is now."""
        return await configs.observe(effect.changes, ports)

    def settle(self, effect: Effect, seen: Seen) -> Settle:  # noqa: ARG002  every action has this signature
        """Half of it is what a crash while setting leaves, or one while undoing: undone, either way."""
        if not seen.ours:
            return Settle.GONE
        return Settle.UNDO if seen.gone else Settle.DONE

    def scopes(self, effect: Effect) -> tuple[str, ...]:
        """The throttles' budget, the broker, and the topics whose lists it extends."""
        topics = sorted({c.resource for c in effect.changes if c.resource.startswith("topic/")})
        return ("throttle", f"x:broker/{node_of(effect)}", *(f"x:{topic}" for topic in topics))
