"""Loads what a command needs when it is called, and no more slowly than it must."""

from __future__ import annotations

import gc
import os
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from typing import Any

_AUTHORITIES = "SSL_CERT_FILE"  # where OpenSSL looks for them, if it is set


def loaded(where: str) -> Any:
    """What stands at `module:attribute`, its module loaded now."""
    module, _, name = where.partition(":")
    with _without_looking_for_garbage(), _without_authorities():
        return getattr(import_module(module), name)


@contextmanager
def _without_looking_for_garbage() -> Iterator[None]:
    """What a module makes while it is loaded stays. So nobody looks for garbage among it: neither meanwhile,
    which would be a sixth of the time that loading the agent takes, nor ever after."""
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.enable()


@contextmanager
def _without_authorities() -> Iterator[None]:
    """aiohttp reads the system's file of certificate authorities twice while it is loaded, and keeps both:
    2 MB, and a fifth of the time that is left. They are for connections that bring no context of their own.
    Ours over TLS all bring one; one that did not would trust nobody in that file."""
    before = os.environ.get(_AUTHORITIES)
    os.environ[_AUTHORITIES] = os.devnull
    try:
        yield
    finally:
        del os.environ[_AUTHORITIES]
        if before is not None:
            os.environ[_AUTHORITIES] = before
