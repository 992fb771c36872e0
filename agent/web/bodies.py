"""Bodies: what a POST holds, and answers as JSON."""

from __future__ import annotations

import asyncio
from typing import Any, TypeVar

import msgspec
from aiohttp import web

from agent.web.malformed import CONNECTIONS

BODY_S = 10.0  # for 64 KiB
_Order = TypeVar("_Order", bound="Order")


class Order(msgspec.Struct, forbid_unknown_fields=True):
    """The body of a POST."""


async def read_body(request: web.Request) -> bytes:
    """All of it. Raises RequestPayloadError, which aiohttp tells the log of connections; where the peer has
    hung up, or sends nothing any more that could be read, it does not."""
    try:
        async with asyncio.timeout(BODY_S):
            return await request.read()
    except (ConnectionError, TimeoutError) as error:
        why = str(error) or f"not all of it came within {BODY_S:g} s"
        broken = web.RequestPayloadError(f"the body broke off: {why}")
        request.app[CONNECTIONS].malformed(broken)
        raise broken from error


async def read_order(request: web.Request, shape: type[_Order]) -> _Order:
    """The body; raises msgspec's errors, RequestPayloadError."""
    body = await read_body(request) or b"{}"
    try:
        return msgspec.json.decode(body, type=shape)
    except UnicodeDecodeError as error:
        raise msgspec.DecodeError(str(error)) from error


def answer(data: Any, status: int = 200) -> web.Response:
    """Plain data as JSON, with a newline for people with curl."""
    return web.Response(
        body=msgspec.json.encode(data) + b"\n", status=status, content_type="application/json"
    )
