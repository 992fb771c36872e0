"""The answers: reading routes for everybody, orders for the unix socket, errors as JSON in words."""

from __future__ import annotations

import logging
from collections.abc import Callable

import msgspec
from aiohttp import web

from agent.quantities import LONGEST_MS
from agent.surface import Refused, Surface
from agent.web.bodies import Order, answer, read_order
from agent.web.client import MAX_SUBJECT
from agent.web.door import BY, Handler
from agent.web.fleet_routes import FleetOrders

log = logging.getLogger(__name__)
MAX_BODY = 64 * 1024
MAX_ACTIONS = 1_000
_EXPOSITION = "text/plain; version=0.0.4; charset=utf-8"


class Pause(Order):
    """Begin nothing new: why, and for how many milliseconds (None: until resumed)."""

    reason: str
    for_ms: int | None = None


class Resume(Order):
    """End the pause."""


class Undo(Order):
    """One incident, or `all` said aloud: an empty body must not undo everything."""

    incident: str | None = None
    all: bool = False


class Answer(Order):
    """To a proposal, by its name, as `proposal` of an incident has it; why, if there is something to say."""

    proposal: str
    reason: str = ""


class Stop(Order):
    """End the agent; `handover` keeps its effects for the successor."""

    handover: bool = False


class Reload(Order):
    """Read the rules again; `dry_run` only complains."""

    dry_run: bool = False


@web.middleware
async def errors_in_words(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Every refusal is {"error": words} with its status."""
    try:
        return await handler(request)
    except Refused as refused:
        return answer({"error": str(refused)}, 409)
    except msgspec.MsgspecError as error:
        return answer({"error": f"bad body: {error}"}, 400)
    except web.RequestPayloadError as error:
        return answer({"error": f"bad body: {' '.join(str(error).split())}"}, 400)
    except web.HTTPMethodNotAllowed as error:
        allowed = " or ".join(sorted(error.allowed_methods - {"HEAD"}))
        response = answer({"error": f"{request.path} takes {allowed}, not {request.method}"}, 405)
        response.headers["Allow"] = error.headers["Allow"]
        return response
    except web.HTTPNotFound:
        return answer({"error": f"there is nothing at {request.path}: /api/v1/status is a good start"}, 404)
    except web.HTTPRequestEntityTooLarge:
        return answer({"error": f"the body is too large: at most {MAX_BODY} bytes"}, 413)
    except web.HTTPException as error:
        return answer({"error": error.text or error.reason}, error.status)
    except Exception as error:
        log.exception("%s %s ended by a fault of ours", request.method, request.path)
        return answer({"error": f"a fault of the agent's, see its log: {type(error).__name__}: {error}"}, 500)


class Reading:
    """GET: what the agent shows; `own` gives the server's own series, in Prometheus's text format."""

    def __init__(self, surface: Surface, own: Callable[[], bytes]) -> None:
        self._surface = surface
        self._own = own

    def routes(self) -> list[web.RouteDef]:
        """The table of the reading routes."""
        shows = {"status": self._status, "incidents": self._incidents, "fleet": self._fleet}
        asks = {"why": self._why, "actions": self._actions}
        return [
            web.get("/livez", self._livez),
            web.get("/readyz", self._readyz),
            web.get("/metrics", self._metrics),
            *(web.get(f"/api/v1/{name}", handler) for name, handler in {**shows, **asks}.items()),
        ]

    async def _livez(self, _: web.Request) -> web.Response:
        live = self._surface.live()
        return answer({"live": live}, 200 if live else 503)

    async def _readyz(self, _: web.Request) -> web.Response:
        ready, why = await self._surface.ready()
        return answer({"ready": ready, "why": why}, 200 if ready else 503)

    async def _metrics(self, _: web.Request) -> web.Response:
        body = await self._surface.metrics() + self._own()
        return web.Response(body=body, headers={"Content-Type": _EXPOSITION})

    async def _status(self, _: web.Request) -> web.Response:
        return answer(await self._surface.status())

    async def _incidents(self, _: web.Request) -> web.Response:
        return answer(self._surface.incidents())

    async def _fleet(self, _: web.Request) -> web.Response:
        return answer(self._surface.fleet.show())

    async def _why(self, request: web.Request) -> web.Response:
        subject = request.query.get("of", "")
        if not subject:
            raise web.HTTPBadRequest(text="say of what: /api/v1/why?of=<a rule, a target or an incident>")
        if len(subject) > MAX_SUBJECT:
            raise web.HTTPBadRequest(text=f"say of what in at most {MAX_SUBJECT} characters")
        return answer(self._surface.why(subject))

    async def _actions(self, request: web.Request) -> web.Response:
        text = request.query.get("limit", "50")
        if not (text.isascii() and text.isdigit() and len(text) < 9 and 1 <= int(text) <= MAX_ACTIONS):
            raise web.HTTPBadRequest(text=f"limit={text[:20]!r}: a number from 1 to {MAX_ACTIONS}")
        return answer(self._surface.actions(int(text)))


class Ordering:
    """POST: what a person orders."""

    def __init__(self, surface: Surface) -> None:
        self._surface = surface

    def routes(self) -> list[web.RouteDef]:
        """The table of the ordering routes."""
        orders = (self.pause, self.resume, self.undo, self.approve, self.deny, self.stop, self.reload)
        own = [web.post(f"/api/v1/{order.__name__}", order) for order in orders]
        return [*own, *FleetOrders(self._surface).routes()]

    async def pause(self, request: web.Request) -> web.Response:
        """Takes a Pause; a pause has a reason, and an end that lies ahead."""
        order = await read_order(request, Pause)
        if not order.reason.strip():
            raise web.HTTPBadRequest(text="a pause needs a reason")
        if order.for_ms is not None and not 0 < order.for_ms <= LONGEST_MS:
            raise web.HTTPBadRequest(text="a pause has a duration above 0, of at most 292 years, or none")
        await self._surface.pause(order.reason, request[BY], order.for_ms)
        return answer({"ok": True})

    async def resume(self, request: web.Request) -> web.Response:
        """Takes a Resume."""
        await read_order(request, Resume)
        await self._surface.resume(request[BY])
        return answer({"ok": True})

    async def undo(self, request: web.Request) -> web.Response:
        """Takes an Undo; answers with the entries written."""
        order = await read_order(request, Undo)
        if order.all is (order.incident is not None):
            raise web.HTTPBadRequest(text='say what to undo: either "incident" or "all": true')
        return answer(await self._surface.undo(order.incident, request[BY]))

    async def approve(self, request: web.Request) -> web.Response:
        """Takes an Answer."""
        order = await read_order(request, Answer)
        await self._surface.approve(order.proposal, order.reason[:MAX_SUBJECT], request[BY])
        return answer({"ok": True})

    async def deny(self, request: web.Request) -> web.Response:
        """Takes an Answer."""
        order = await read_order(request, Answer)
        await self._surface.deny(order.proposal, order.reason[:MAX_SUBJECT], request[BY])
        return answer({"ok": True})

    async def stop(self, request: web.Request) -> web.Response:
        """Takes a Stop; the end comes after the answer."""
        order = await read_order(request, Stop)
        await self._surface.stop(order.handover, request[BY])
        return answer({"ok": True})

    async def reload(self, request: web.Request) -> web.Response:
        """Takes a Reload; complaints are an answer, not an error."""
        order = await read_order(request, Reload)
        return answer(await self._surface.reload(order.dry_run, request[BY]))


async def no_orders(request: web.Request) -> web.Response:
    """What TCP says to an order: nobody there can be told apart."""
    raise web.HTTPForbidden(
        text=f"{request.path} is taken on the unix socket only: use the ottla command there"
    )
