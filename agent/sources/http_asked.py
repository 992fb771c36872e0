"""What sources that ask by HTTP share: the secret that they log in with, and answers that are none."""

from __future__ import annotations

from http import HTTPStatus

import aiohttp

DENIED = (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN)


def secret_in(content: str, file: object) -> str:
    """The first line of what stands in a file. Raises ValueError, which tells the file and not the secret.

    No header may have a control character in it, nor may a password (RFC 7617, RFC 4013).
    """
    secret = content.partition("\n")[0].rstrip("\r")
    if not secret:
        raise ValueError(f"{file} is empty; the password is its first line")
    for place, character in enumerate(secret):
        if character < " " or character == "\x7f":
            raise ValueError(
                f"{file} has a control character, U+{ord(character):04X}, at {place} of its first line"
            )
    return secret


def told(url: str, response: aiohttp.ClientResponse, login: str) -> str:
    """What another answer than 200 says; `login` is what to check where it was refused."""
    hint = f": check {login}" if response.status in DENIED else ""
    if location := response.headers.get("Location"):
        hint = f": it points to {location[:200]!r}, which is not followed; write the URL that answers"
    return f"{url} answered HTTP {response.status} {response.reason}{hint}"
