"""The chain of digests: what was folded and decided, one link a record (coordination.md section 3)."""

from __future__ import annotations

import hashlib

from agent.control.state import ClaimState, Digests, State

KNOWN = 4_096
_PIECE = 64  # a link more copies one piece, not all that are known
_PIECES = KNOWN // _PIECE + 1


def sha256(text: str) -> str:
    """Of ASCII text, in hex."""
    return hashlib.sha256(text.encode()).hexdigest()


def digest_at(digests: Digests, last: int, offset: int) -> str | None:
    """The digest at `offset`, where the newest one is that at `last`; None where it is not known."""
    first = last + 1 - (len(digests) - 1) * _PIECE - len(digests[-1])
    if not max(first, last - KNOWN + 1) <= offset <= last:
        return None
    piece, index = divmod(offset - first, _PIECE)
    return digests[piece][index]


def link(state: State, epoch: int, raw: bytes, void: str | None) -> Digests:
    """The known digests with that of `state`, which `raw` led to. A reason's words behind its colon are not
    part of it: they may be said better in another release."""
    verdict = "" if void is None else void.partition(":")[0]  # words of ours: nothing in them is escaped
    moves = ",".join([f"[{m.claim},{_quoted(m.before)},{_quoted(m.after)}]" for m in state.moves])
    value = hashlib.sha256(raw).hexdigest()
    place = f"{state.offset},{epoch},{state.time}"
    digest = sha256(f'["{state.digest}",{place},"{value}","{verdict}",[{moves}]]')  # canonical JSON
    *full, last = state.digests
    if len(last) < _PIECE:
        return (*full, (*last, digest))
    return (*state.digests[1 - _PIECES :], (digest,))


def _quoted(state: ClaimState | None) -> str:
    return "null" if state is None else f'"{state}"'
