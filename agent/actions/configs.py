"""Configuration changes of an effect: made, undone and looked at, comparing before every write.

Kafka has no compare-and-set (KIP-339), so each write follows a read and is read back. A claim's write waits
in between, for a beat at least: what was compared is read once more right before it leaves, and where that
has changed all is compared anew.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from enum import StrEnum

from agent.actions.ports import PATIENCE_MS, REST_S, Changed, NotKnown, Ports, Stopped
from agent.actions.reassigned import still_ours
from agent.actions.throttles import EVERYTHING, LIST_OF, entries
from agent.kafka.configs import ConfigChange
from agent.model import Change, Effect, Operation, Refusal, Seen
from agent.quantities import show_size
from agent.wire import encode_effect

Values = Mapping[tuple[str, str], str | None]  # by resource and key; None is absent, no key: no such topic
_Step = Callable[[Change, str | None], ConfigChange | None]

EFFECT_MAX = 48 << 10  # bytes of JSON

# A value reaches the broker that is asked some 10 to 100 ms after the controller took it.
_PAUSE_S = 0.1
_LOOKS = 20
_TRIES = 3  # at most, where a value changes while its write waits


class Standing(StrEnum):
    """Whose value stands where a change was to be made."""

    OURS = "ours"
    THEIRS = "theirs"
    GONE = "gone"  # the prior


def of_configs(changes: Iterable[Change]) -> tuple[Change, ...]:
    """The changes that this module makes: all but the moves of replicas."""
    return tuple(c for c in changes if c.operation is not Operation.MOVE)


def appended(resource: str, key: str, prior: str | None, wanted: Sequence[str]) -> Change | None:
    """The change that adds what is not there yet; None where there is nothing to add."""
    absent = [e for e in wanted if e not in entries(prior)]
    return Change(resource, key, Operation.APPEND, prior, ",".join(absent)) if absent else None


def fits(effect: Effect) -> Effect | Refusal:
    """The effect, unless it is too large for one record of the control topic."""
    size = len(encode_effect(effect))
    if size <= EFFECT_MAX:
        return effect
    return Refusal(
        "preconditions",
        f"the effect would be {show_size(size)} of JSON, over {show_size(EFFECT_MAX)}: name fewer topics",
    )


async def apply(changes: Sequence[Change], ports: Ports) -> None:
    """Make the changes in their order. Stopped, before the first write, where a value is neither the prior
    nor ours: what was planned for is not there any more."""
    await _comparing_anew(lambda: _apply(changes, ports), ports)


async def _apply(changes: Sequence[Change], ports: Ports) -> None:
    _, theirs, _ = await _sort(changes, ports)
    if theirs:
        raise Stopped("; ".join(f"{c.key} of {c.resource} is {v!r} now, set by another" for c, v in theirs))
    await _write(changes, _forward, ports, looks=1)


async def undo(changes: Sequence[Change], ports: Ports) -> Seen:
    """Undo, last change first, what still is ours; what then stands. Each look is taken twice: a lagging
    broker may tell the value of before our own write, or of before an operator's."""
    back = ports.back
    await _comparing_anew(lambda: _write(tuple(reversed(changes)), _backward, back, looks=2), back)
    return await observe(changes, ports)


async def observe(changes: Sequence[Change], ports: Ports) -> Seen:
    """Whose each value is. At a topic that does not exist any more nothing of ours stands. A list that we
    emptied, whose key is yet to be deleted, is both `ours` and `gone`: half done."""
    ours, theirs, gone = await _sort(changes, ports)
    return Seen(ours, theirs, gone)


def standing(change: Change, value: str | None) -> Standing:
    """Whose `value` is, given what the change found and made."""
    if change.operation in (Operation.SET, Operation.DELETE):
        if value == change.new:
            return Standing.OURS
        return Standing.GONE if value == change.prior else Standing.THEIRS
    if EVERYTHING in entries(value):
        return Standing.THEIRS
    there = set(entries(change.new)) & set(entries(value))
    if change.operation is Operation.APPEND:
        half_undone = change.prior is None and _is_emptied(value)  # it was absent
        return Standing.OURS if there or half_undone else Standing.GONE
    return Standing.GONE if there == set(entries(change.new)) else Standing.OURS


def _is_emptied(value: str | None) -> bool:
    """Set, and without an entry."""
    return value is not None and not entries(value)


async def _sort(
    changes: Sequence[Change], ports: Ports
) -> tuple[tuple[Change, ...], tuple[tuple[Change, str | None], ...], tuple[Change, ...]]:
    values = await _present(changes, ports)
    whose: dict[Standing, list[Change]] = {s: [] for s in Standing}
    for change, own in zip(changes, await _still_ours(changes, values, ports), strict=True):
        found = _found(own, values)
        taken = found is Standing.GONE and _found(change, values) is Standing.OURS
        whose[Standing.THEIRS if taken else found].append(change)
        if own.operation is Operation.SUBTRACT and _is_emptied(values.get((own.resource, own.key))):
            whose[Standing.GONE].append(change)
    theirs = tuple((c, values[c.resource, c.key]) for c in whose[Standing.THEIRS])
    return tuple(whose[Standing.OURS]), theirs, tuple(whose[Standing.GONE])


async def _still_ours(changes: Sequence[Change], values: Values, ports: Ports) -> tuple[Change, ...]:
    rates = (c for c in changes if c.key in LIST_OF and _found(c, values) is Standing.THEIRS)
    return await still_ours(changes, {LIST_OF[c.key] for c in rates}, ports)


def _found(change: Change, values: Values) -> Standing:
    at = change.resource, change.key
    return standing(change, values[at]) if at in values else Standing.GONE


async def _present(changes: Sequence[Change], ports: Ports) -> Values:
    keys: dict[str, list[str]] = {}
    for change in changes:
        keys.setdefault(change.resource, []).append(change.key)
    topics = [r.removeprefix("topic/") for r in keys if r.startswith("topic/")]
    wanted = sorted({key for r in keys if r.startswith("topic/") for key in keys[r]})
    by_topic = await ports.admin.topic_configs(topics, wanted) if topics else {}
    found = {f"topic/{name}": values for name, values in by_topic.items()}
    for resource, own in keys.items():
        if not resource.startswith("topic/"):
            found[resource] = await ports.admin.configs(resource, own)
    return {(r, key): found[r].get(key) for r in keys if r in found for key in keys[r]}


async def _comparing_anew(work: Callable[[], Awaitable[None]], ports: Ports) -> None:
    """From its first look on, where what it had compared changed before its write left, or what must be known
    for that is not. Raises Changed or NotKnown the last time."""
    changed, since = 0, ports.steady()
    while True:
        try:
            return await work()
        except Changed:
            changed += 1
            if changed == _TRIES:
                raise
        except NotKnown:
            if ports.steady() - since > PATIENCE_MS:
                raise
            await ports.sleep(REST_S)


async def _write(changes: Sequence[Change], step: _Step, ports: Ports, *, looks: int) -> None:
    """Write what is missing until nothing is. What is seen counts once it is seen `looks` times in a row, and
    the same is not written twice, though one broker shows it sooner than another."""
    written: list[ConfigChange] = []
    before: list[ConfigChange] | None = None
    alike = 0
    for _ in range(_LOOKS):
        values = await _present(changes, ports)
        own = await _still_ours(changes, values, ports)
        wanted = [s for c in own if (c.resource, c.key) in values for s in _steps(step, c, values)]
        alike = alike + 1 if wanted == before else 1
        before = wanted
        if alike >= looks and not wanted:
            return
        if alike >= looks and (new := [w for w in wanted if w not in written]):
            await ports.admin.alter_configs(new)
            written += new
        await ports.sleep(_PAUSE_S)
    what = ", ".join(f"{w.operation} {w.key} of {w.resource}" for w in before or ())
    raise Stopped(f"the brokers took it, but it does not read back: {what}; see the broker's log")


def _steps(step: _Step, change: Change, values: Values) -> tuple[ConfigChange, ...]:
    found = step(change, values[change.resource, change.key])
    return () if found is None else (found,)


def _forward(change: Change, value: str | None) -> ConfigChange | None:
    """What is still to be written to make the change."""
    if change.operation is Operation.SUBTRACT:
        return _subtract(change, value, delete_empty=bool(entries(change.prior)))
    if change.operation is Operation.APPEND:
        return _append(change, value)
    return _valued(change, change.new) if standing(change, value) is Standing.GONE else None


def _backward(change: Change, value: str | None) -> ConfigChange | None:
    """What is still to be written to undo it."""
    if change.operation is Operation.SUBTRACT:
        return _append(change, value)
    if change.operation is Operation.APPEND:
        return _subtract(change, value, delete_empty=change.prior is None)
    return _valued(change, change.prior) if standing(change, value) is Standing.OURS else None


def _valued(change: Change, value: str | None) -> ConfigChange:
    operation = Operation.DELETE if value is None else Operation.SET
    return ConfigChange(change.resource, change.key, operation, value)


def _append(change: Change, value: str | None) -> ConfigChange | None:
    present = entries(value)
    missing = [e for e in entries(change.new) if e not in present]
    if EVERYTHING in present or not missing:
        return None
    return ConfigChange(change.resource, change.key, Operation.APPEND, ",".join(missing))


def _subtract(change: Change, value: str | None, *, delete_empty: bool) -> ConfigChange | None:
    present = entries(value)
    there = [e for e in entries(change.new) if e in present]
    if EVERYTHING in present:
        return None
    if there:
        return ConfigChange(change.resource, change.key, Operation.SUBTRACT, ",".join(there))
    if _is_emptied(value) and delete_empty:
        return ConfigChange(change.resource, change.key, Operation.DELETE, None)
    return None
