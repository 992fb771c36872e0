"""Bodies: what a POST holds, and answers as JSON."""

from __future__ import annotations

from typing import Any, TypeVar

import msgspec
from aiohttp import web

_Order = TypeVar("_Order", bound="Order")


class Order(msgspec.Struct, forbid_unknown_fields=True):
    """The body of a POST."""


async def read_order(request: web.Request, shape: type[_Order]) -> _Order:
    """The body; raises msgspec's errors."""
    body = await request.read() or b"{}"
    try:
        return msgspec.json.decode(body, type=shape)
    except UnicodeDecodeError as error:
        raise msgspec.DecodeError(str(error)) from error


def answer(data: Any, status: int = 200) -> web.Response:
    """Plain data as JSON, with a newline for people with curl."""
    return web.Response(
        body=msgspec.json.encode(data) + b"\n", status=status, content_type="application/json"
    )
