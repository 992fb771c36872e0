"""Loads a Jolokia agent into the broker where none is, and finds it there again.

By the attach protocol itself and not by the agent's own launcher: that would be a second JVM beside the
broker, needs a JDK's module where many hosts have a JRE, and takes the password on its command line.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from msgspec import Struct

from agent.lone_thread import LoneThread
from agent.sources import SourceFailed
from agent.sources.jolokia import Address
from agent.sources.jvm_attach import AttachFailed, Jvm, NoListener, Process, process_of

_CONTEXT = "/ottla"  # by it an agent that we loaded, perhaps before a restart of ours, is told from others
_USER = "ottla"
_PROPERTY = "jolokia.agent"  # where Jolokia says on what URL it answers
_STARTS_S, _POLL_S = 2.0, 0.05
_MARGIN_S = 0.5  # so that the thread tells in words why, before it is given up
_AGAIN_S, _LATEST_S = 30.0, 600.0  # doubling: a JVM that does not listen prints all its threads at each try
_ARTIFACT = "org.jolokia:jolokia-agent-jvm:2.6.0:javaagent of Maven Central"


@dataclass(frozen=True)
class Plan:
    """How to attach. `find` gives the broker's pid (None: it does not run; OSError: not to be known) and may
    block; `whom` says in words how it looks. Port 0 is a free one. `auth` is for an agent of somebody else.
    """

    find: Callable[[], int | None]
    whom: str
    jar: str
    port: int = 0
    auth: tuple[str, str] | None = field(default=None, repr=False)


class _Refusal(Struct, frozen=True):
    """Why this process was not attached to, and until when (monotonic) it gets no further SIGQUIT."""

    process: Process
    why: str
    wait: float
    until: float


class Attached:
    """The Jolokia in the broker's JVM, on loopback with a password of our own, loaded where none is there."""

    def __init__(self, plan: Plan, deadline: float = 4.5) -> None:
        self.attached = 0
        self._plan = plan
        self._deadline = deadline
        self._thread = LoneThread("attaching Jolokia to the broker")
        self._process: Process | None = None
        self._address: Address | None = None
        self._refusal: _Refusal | None = None

    async def find(self) -> Address:
        """Where it is now; a process that is another than before is attached to anew. SourceFailed says why
        there is none."""
        known = self._process
        if self._address is not None and known is not None and known == process_of(known.pid):
            return self._address
        self._address = None
        self._process, address = await self._thread.run(self._attach, self._deadline)
        self._address = address
        return address

    def lose(self) -> None:
        """Look again before the next reading."""
        self._address = None

    def _attach(self) -> tuple[Process, Address]:
        """Blocks."""
        process = self._broker()
        former = self._refusal if self._refusal and self._refusal.process == process else None
        wake = former is None or time.monotonic() >= former.until
        try:
            address = self._load(Jvm(process, self._deadline - _MARGIN_S, wake=wake))
        except NoListener as error:
            self._refusal = former if former and not wake else _refusal(process, error, former)
            raise SourceFailed(self._refusal.why) from error
        except AttachFailed as error:
            raise SourceFailed(f"Jolokia cannot be attached: {error}") from error
        self._refusal = None
        return process, address

    def _broker(self) -> Process:
        try:
            pid = self._plan.find()
        except OSError as error:
            raise SourceFailed(
                f"the broker's process cannot be found by {self._plan.whom}: {error}"
            ) from error
        process = None if pid is None else process_of(pid)
        if process is None:
            raise SourceFailed(f"the broker does not run: there is no process by {self._plan.whom}")
        return process

    def _load(self, jvm: Jvm) -> Address:
        present = jvm.properties().get(_PROPERTY)
        if present and not _is_ours(present):
            return Address(present, self._plan.auth)
        jar = self._plan.jar
        if not jvm.sees(jar):
            raise AttachFailed(f"the broker has no file {jar}: put {_ARTIFACT} there, or correct agent_jar")
        if present:
            jvm.load(jar, "mode=stop")  # ours, from before a restart: its password is forgotten
        password = secrets.token_urlsafe(24)
        jvm.load(
            jar,
            f"host=127.0.0.1,port={self._plan.port},agentContext={_CONTEXT},user={_USER},password={password}"
            ",discoveryEnabled=false",
        )
        address = Address(self._told(jvm), (_USER, password))
        self.attached += 1
        return address

    def _told(self, jvm: Jvm) -> str:
        """The URL, which the agent tells from a thread of its own."""
        until = time.monotonic() + _STARTS_S
        while time.monotonic() < until:
            if url := jvm.properties().get(_PROPERTY):
                return url
            time.sleep(_POLL_S)
        taken = f"is port {self._plan.port} taken?" if self._plan.port else "no reason is known"
        raise AttachFailed(f"the agent did not start ({taken}): see what the broker printed")


def _refusal(process: Process, error: NoListener, former: _Refusal | None) -> _Refusal:
    wait = min(2 * former.wait, _LATEST_S) if former else _AGAIN_S
    why = f"Jolokia cannot be attached: {error} It is asked again after {wait:g} s"
    return _Refusal(process, why, wait, time.monotonic() + wait)


def _is_ours(url: str) -> bool:
    return urlsplit(url).path.strip("/") == _CONTEXT.strip("/")
