"""The open claims with counts of them that go along with each change: with hundreds of claims, counting anew
for each record is most of what it costs."""

from __future__ import annotations

from collections.abc import Mapping

from agent.control.state import Claim, ClaimState

LIMIT = "limit/"  # begins the names of remedies' own rates
Key = tuple[str, str | int] | tuple[str, str, str]


class OpenClaims(dict[int, Claim]):
    """By id; never changed once it is made. Its counts go on to the next that is made of it, and whoever asks
    an older one has them counted anew: they are what its claims say, whoever has them."""

    __slots__ = ("_counts",)

    def __init__(self, claims: Mapping[int, Claim]) -> None:
        super().__init__(claims)
        self._counts: dict[Key, int] | None = None

    def of_state(self, state: ClaimState) -> int:
        """How many are in this state."""
        return self._count(("state", state))

    def of_session(self, session: int) -> int:
        """How many a session has, or had last."""
        return self._count(("session", session))

    def with_stamp(self, stamp: int) -> int:
        """How many have this stamp."""
        return self._count(("stamp", stamp))

    def with_scope(self, state: ClaimState, scope: str) -> int:
        """How many in this state name the scope."""
        return self._count(("scope", state, scope))

    def with_name(self, state: ClaimState, name: str) -> int:
        """How many in this state name the scope, or a limit of their own that is called so."""
        return self._count(("scope", state, name)) + self._count(("limit", state, name))

    def changed(self, claim: Claim) -> OpenClaims:
        """With `claim` in the place of the one with its id; without that one, where it is closed."""
        counts, self._counts = self._counts or self._counted(), None
        before, made = self.get(claim.id), OpenClaims(self)
        if before is not None:
            for key in _keys(before):
                counts[key] -= 1
                if not counts[key]:
                    del counts[key]
        if claim.state is ClaimState.CLOSED:
            del made[claim.id]
        else:
            made[claim.id] = claim
            for key in _keys(claim):
                counts[key] = counts.get(key, 0) + 1
        made._counts = counts
        return made

    def _count(self, key: Key) -> int:
        if self._counts is None:
            self._counts = self._counted()
        return self._counts.get(key, 0)

    def _counted(self) -> dict[Key, int]:
        counts: dict[Key, int] = {}
        for claim in self.values():
            for key in _keys(claim):
                counts[key] = counts.get(key, 0) + 1
        return counts


def counted(claims: Mapping[int, Claim]) -> OpenClaims:
    """The same claims, where they came from a snapshot or a test as they are."""
    return claims if isinstance(claims, OpenClaims) else OpenClaims(claims)


def limit_of(claim: Claim) -> str:
    """The name under which its remedy's own rate is counted; empty where it has none."""
    return f"{LIMIT}{claim.limit.name}" if claim.limit else ""


def _keys(claim: Claim) -> list[Key]:
    state = claim.state
    keys: list[Key] = [("state", state), ("session", claim.session), ("stamp", claim.stamp)]
    keys += [("scope", state, scope) for scope in claim.scopes]
    if claim.limit and (name := limit_of(claim)) not in claim.scopes:
        keys.append(("limit", state, name))
    return keys
