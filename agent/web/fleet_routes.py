"""What a person orders all agents, through the control topic: POST /api/v1/fleet/…"""

from __future__ import annotations

from typing import Annotated, Any

from aiohttp import web
from msgspec import Meta

from agent.surface import Surface, Who
from agent.web.bodies import Order, answer, read_order
from agent.web.door import BY

# As the records have them: coordination.md section 2.
Reason = Annotated[str, Meta(min_length=1, max_length=512)]
Name = Annotated[str, Meta(min_length=1, max_length=200)]
Offset = Annotated[int, Meta(ge=-1)]
Count = Annotated[int, Meta(ge=0, le=10_000)]
WEEK_S = 7 * 86_400


class FleetOrder(Order, kw_only=True):
    """Why; and the offset of the change that is meant to be replaced (None: the one that stands)."""

    reason: Reason
    expect: Offset | None = None


class Naming(FleetOrder, kw_only=True):
    """`force`: also where nothing that the agent knows has the name."""

    force: bool = False


class Pause(Naming, kw_only=True):
    """`for_s` seconds of the log's time; 0: until resumed."""

    selector: Name
    for_s: Annotated[int, Meta(ge=0, le=WEEK_S)] = 0


class Resume(FleetOrder, kw_only=True):
    """The selector of the pause that ends."""

    selector: Name


class Budget(Naming, kw_only=True):
    """What is left out stays as it is in force."""

    scope: Name
    cap: Count | None = None
    rate: Count | None = None
    window: Annotated[int, Meta(ge=0, le=WEEK_S * 1_000)] | None = None


class Params(Naming, kw_only=True):
    """Milliseconds, but for rho (per mille) and adoptions."""

    values: dict[Name, Annotated[int, Meta(ge=0)]]


class Resolve(FleetOrder, kw_only=True):
    """An orphan or a stuck claim, by its name; `expect` is its token."""

    claim: Name


class Raise(FleetOrder, kw_only=True):
    """The fold's version; None: the next one."""

    to: Count | None = None


class Nothing(Order):
    """No words are needed."""


class FleetOrders:
    """Each answers {offset, remark}, or 409 with why the record was void."""

    def __init__(self, surface: Surface) -> None:
        self._surface = surface

    def routes(self) -> list[web.RouteDef]:
        """The table of the routes."""
        orders = (self.pause, self.resume, self.budget, self.params, self.resolve, self.fresh)
        named = {order.__name__: order for order in orders} | {"raise": self.raise_fold}
        return [web.post(f"/api/v1/fleet/{name}", order) for name, order in named.items()]

    async def pause(self, request: web.Request) -> web.Response:
        """Takes a Pause."""
        order = await read_order(request, Pause)
        return await self._order(
            request, "pause", order, on=True, selector=order.selector, **{"for": order.for_s}
        )

    async def resume(self, request: web.Request) -> web.Response:
        """Takes a Resume."""
        order = await read_order(request, Resume)
        return await self._order(request, "pause", order, on=False, selector=order.selector, **{"for": 0})

    async def budget(self, request: web.Request) -> web.Response:
        """Takes a Budget."""
        order = await read_order(request, Budget)
        return await self._order(
            request, "budget", order, scope=order.scope, cap=order.cap, rate=order.rate, window=order.window
        )

    async def params(self, request: web.Request) -> web.Response:
        """Takes a Params."""
        order = await read_order(request, Params)
        return await self._order(request, "params", order, values=order.values)

    async def resolve(self, request: web.Request) -> web.Response:
        """Takes a Resolve."""
        order = await read_order(request, Resolve)
        return await self._order(request, "resolve", order, claim=order.claim)

    async def raise_fold(self, request: web.Request) -> web.Response:
        """Takes a Raise."""
        order = await read_order(request, Raise)
        return await self._order(request, "raise", order, to=order.to)

    async def fresh(self, request: web.Request) -> web.Response:
        """The fleet after a record was written and read back; an order, since it writes."""
        await read_order(request, Nothing)
        return answer(await self._surface.fleet.fresh())

    async def _order(self, request: web.Request, t: str, order: FleetOrder, **x: Any) -> web.Response:
        if not order.reason.strip():
            raise web.HTTPBadRequest(text="an order to the fleet needs a reason")
        force = isinstance(order, Naming) and order.force
        who = Who(request[BY][:200], order.reason, order.expect, force)
        return answer(await self._surface.fleet.order(t, x, who))
