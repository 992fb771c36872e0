"""The part of the desk where people ask about the whole fleet, and order it: through the control topic."""

from __future__ import annotations

from msgspec import Struct

from agent.control.known_names import unknown
from agent.control.orders import Senseless, body, refusal
from agent.control.records import BadRecord
from agent.control_topic import ControlTopic, ControlUnavailable, NotAccepted
from agent.daemon.means import Means
from agent.journal import JournalFailed
from agent.model import Entry, Kind
from agent.surface import Plain, Refused, Who


class FleetDesk(Struct, frozen=True):
    """Implements agent.surface.Fleet."""

    name: str
    means: Means

    def show(self) -> Plain:
        """As far as this agent has read."""
        control = self._control()
        more = {"agent": self.name, "caught_up": control.caught_up, "degraded": control.degraded}
        told = {"unrest": control.unrest(), "held_back": control.held_back()}
        return control.overview() | more | told

    async def fresh(self) -> Plain:
        """After a beat that was written and read back."""
        try:
            await self._control().barrier()
        except (ControlUnavailable, NotAccepted) as error:
            raise Refused(f"no fresh answer: {error}") from error
        return self.show()

    async def order(self, t: str, x: Plain, who: Who) -> Plain:
        """Write it, and journal what came of it: the journal must not keep anybody from pausing the fleet."""
        control = self._control()
        if control.degraded:
            raise Refused(f"nothing was ordered: {control.degraded}")
        x, renamed = _renamed(control, t, x)
        if not who.force and (words := unknown(control.state, t, x, self.means.actions)):
            raise Refused(f"{words}; --force orders it all the same")
        try:
            record = body(control.state, t, x, who.expect)
            offset = await control.order(t, {**record, "reason": who.reason, "by": who.by})
        except NotAccepted as error:
            words = refusal(str(error))
            await self._journal(t, x, who, f"refused: {words}")
            raise Refused(words) from error
        except ControlUnavailable as error:
            words = f"{error}; it may still be accepted: ottla fleet --fresh tells"
            await self._journal(t, x, who, words)
            raise Refused(words) from error
        except (Senseless, BadRecord) as error:
            raise Refused(str(error)) from error
        unwritten = await self._journal(t, x, who, f"accepted at offset {offset}")
        return {"offset": offset, "remark": "; ".join(filter(None, (renamed, unwritten)))}

    async def _journal(self, t: str, x: Plain, who: Who, outcome: str) -> str:
        """Why it is not in the journal; empty where it is."""
        told = ", ".join(f"{name} {value}" for name, value in x.items() if value is not None)
        reason = f"{told}: {who.reason} ({who.by}): {outcome}"
        try:
            await self.means.ledger.record(
                Entry(self.means.clock(), Kind.OPERATOR, reason, question=f"fleet {t}")
            )
        except JournalFailed as error:
            return f"this agent's journal does not have it: {error}"
        return ""

    def _control(self) -> ControlTopic:
        if self.means.control is None:
            raise Refused("this agent takes part in no control topic")
        return self.means.control


def _renamed(control: ControlTopic, t: str, x: Plain) -> tuple[Plain, str]:
    """The order with the name that its claim has now; in words, where that is another."""
    now = control.current_name(x["claim"]) if t == "resolve" else ""
    if t != "resolve" or now == x["claim"]:
        return x, ""
    return {**x, "claim": now}, f"claim {x['claim']} is called {now} by now"
