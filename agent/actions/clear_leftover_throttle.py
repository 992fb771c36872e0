"""clear_leftover_throttle: remove throttles of this broker that nothing needs any more."""

from __future__ import annotations

from agent.actions import action, configs
from agent.actions.leftovers import plan_clearing
from agent.actions.ports import Ports, node_of
from agent.model import Blast, Effect, Refusal, Seen, Settle
from agent.quantities import BytesPerSecond

_NOTHING = BytesPerSecond(0)


# It takes nothing and gives capacity back: to refuse it while a broker is down would be the second fault.
@action(blast=Blast.NOTHING, reversible=True, corroborate=1, keeps=True, adoptable=True)
class ClearLeftoverThrottle:
    """Remove throttles that were left on this broker: rates, and its entries in the topics' lists.

    * `keys`: settings that may be removed whoever set them, as `follower.replication.throttled.rate`; without
      it only what this agent's own journal says it set, to the very value.
    * `up_to`: a rate named in `keys` is removed only if it is no higher; one above is somebody's choice.

    A throttle that its tool forgot hurts at the next failure: replicas that come back never catch up. It is
    taken for forgotten only if no partition is being reassigned and no replica is being moved between this
    broker's log dirs. With a rate go this broker's own entries in the lists of the same side, in at most 20
    topics at once; other brokers' entries stay. A list that is `*` throttles every broker: it goes only if
    `keys` names the list itself and no other broker that answers has a rate of that side.

    Refused, with the value and whose it may be, where a rate is neither recorded nor named, or is set as the
    default of all brokers, also beneath a value of its own: that is not one broker's to remove.

    What is removed stays removed where that heals; where it makes things worse, undo puts it back.
    """

    async def plan(
        self,
        ports: Ports,
        *,
        target: str,
        keys: tuple[str, ...] = (),
        up_to: BytesPerSecond = _NOTHING,
    ) -> Effect | Refusal:
        """Rates first: they are what hurts. `target` may name this broker only."""
        return await plan_clearing(ports, target, keys, up_to)

    async def apply(self, effect: Effect, ports: Ports) -> None:
        """Remove what is still there, and read it back."""
        await configs.apply(effect.changes, ports)

    async def undo(self, effect: Effect, ports: Ports) -> Seen:
        """Lists first, then rates, each only where nobody set it anew."""
        return await configs.undo(effect.changes, ports)

    async def observe(self, effect: Effect, ports: Ports) -> Seen:
        """`ours` is what is still removed; `gone`, what stands there as before."""
        return await configs.observe(effect.changes, ports)

    def settle(self, effect: Effect, seen: Seen) -> Settle:  # noqa: ARG002  every action has this signature
        """Half of it is finished, or put back where somebody set a part anew, which is theirs."""
        if not seen.ours:
            return Settle.GONE
        if not seen.gone:
            return Settle.DONE
        return Settle.UNDO if seen.theirs else Settle.APPLY

    def scopes(self, effect: Effect) -> tuple[str, ...]:
        """The throttles' budget, the broker, and the topics whose lists it shortens."""
        topics = sorted({c.resource for c in effect.changes if c.resource.startswith("topic/")})
        return ("throttle", f"x:broker/{node_of(effect)}", *(f"x:{topic}" for topic in topics))
