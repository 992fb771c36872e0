"""Bytes, errors and drops of the network interfaces, and TCP's own counters, named as node_exporter does."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence

from agent.sources import MetricInfo, kernel_file
from agent.sources.kernel import Reading

_NET = "/proc/net"
MAX_INTERFACES = 16
_REJECT = 0x0200  # flag of an unreachable route

# Column of /proc/net/dev, after the interface's name.
_DEVICE = {
    "receive_bytes_total": (0, "bytes", "Bytes received"),
    "receive_packets_total": (1, "", "Packets received"),
    "receive_errs_total": (2, "", "Packets received with an error"),
    "receive_drop_total": (3, "", "Packets received and dropped"),
    "transmit_bytes_total": (8, "bytes", "Bytes sent"),
    "transmit_packets_total": (9, "", "Packets sent"),
    "transmit_errs_total": (10, "", "Packets that could not be sent"),
    "transmit_drop_total": (11, "", "Packets dropped before they were sent"),
}
_PROTOCOL = {
    "Tcp_OutSegs": "TCP segments sent, those sent again included",
    "Tcp_RetransSegs": "TCP segments sent again",
    "Tcp_InErrs": "TCP segments received with an error",
    "Tcp_AttemptFails": "Connections that were never established",
    "TcpExt_ListenOverflows": "Connections that found the accept queue of a listener full",
    "TcpExt_ListenDrops": "Connections that a listener dropped, for whatever reason",
    "TcpExt_TCPTimeouts": "Retransmission timeouts",
}
METRICS = (
    *(MetricInfo(f"host_network_{n}", "counter", unit, help_) for n, (_, unit, help_) in _DEVICE.items()),
    MetricInfo("host_network_carrier_changes_total", "counter", "", "Times that the link went up or down"),
    MetricInfo(
        "host_network_speed_bytes", "gauge", "bytes", "Speed of the link a second; absent where none is told"
    ),
    *(MetricInfo(f"host_netstat_{n}", "counter", "", help_) for n, help_ in _PROTOCOL.items()),
)
_OF_DEVICES = frozenset(metric.name for metric in METRICS if metric.name.startswith("host_network_"))
_OF_PROTOCOLS = frozenset(metric.name for metric in METRICS) - _OF_DEVICES


class NetworkCounters:
    """`interfaces` are read where they are named; else those of the default routes; at most 16."""

    name = "network"
    metrics = METRICS

    def __init__(self, interfaces: Sequence[str] = ()) -> None:
        self._interfaces = interfaces

    def read(self, wanted: frozenset[str]) -> Iterator[Reading]:
        """See Part. FileNotFoundError names the configured interfaces that do not exist."""
        if wanted & _OF_PROTOCOLS:
            for file in ("snmp", "netstat"):
                for name, count in protocols(kernel_file.read(f"{_NET}/{file}"), _PROTOCOL).items():
                    yield f"host_netstat_{name}", (), float(count)
        if wanted & _OF_DEVICES:
            yield from self._devices()

    def _devices(self) -> Iterator[Reading]:
        table = devices(kernel_file.read(f"{_NET}/dev"))
        asked = self._interfaces or default_interfaces(_text(f"{_NET}/route"), _text(f"{_NET}/ipv6_route"))
        for device in asked[:MAX_INTERFACES]:
            if device not in table:
                continue
            labels = (("device", device),)
            for name, (column, _, _) in _DEVICE.items():
                yield f"host_network_{name}", labels, float(table[device][column])
            for name, file, factor in (
                ("carrier_changes_total", "carrier_changes", 1),
                ("speed_bytes", "speed", 1e6 / 8),
            ):
                value = _number(f"/sys/class/net/{device}/{file}")
                if value is not None and value >= 0:  # -1: a virtual interface has no speed
                    yield f"host_network_{name}", labels, value * factor
        if missing := [device for device in self._interfaces if device not in table]:
            there = ", ".join(table)
            raise FileNotFoundError(f"there is no interface {', '.join(missing)}; there are {there}")


def devices(text: str) -> Mapping[str, tuple[int, ...]]:
    """/proc/net/dev: the numbers of each interface. ValueError where a line is not as documented."""
    found = {}
    for line in text.splitlines()[2:]:
        name, _, rest = line.rpartition(":")
        numbers = tuple(map(int, rest.split()))
        if len(numbers) < 16:
            raise ValueError(f"/proc/net/dev: {line.strip()!r} has fewer than 16 numbers")
        found[name.strip()] = numbers
    return found


def default_interfaces(route: str, ipv6_route: str) -> tuple[str, ...]:
    """Those that default routes lead through, from /proc/net/route and /proc/net/ipv6_route."""
    found = [
        fields[0]
        for fields in map(str.split, route.splitlines()[1:])
        if len(fields) > 7 and fields[1] == fields[7] == "00000000"
    ]
    found += [
        fields[9]
        for fields in map(str.split, ipv6_route.splitlines())
        if len(fields) > 9
        and fields[0] == "0" * 32
        and fields[1] == "00"
        and not int(fields[8], 16) & _REJECT
        and fields[9] != "lo"
    ]
    return tuple(dict.fromkeys(found))


def protocols(text: str, wanted: Collection[str]) -> Mapping[str, int]:
    """Of /proc/net/snmp or netstat: pairs of lines, names and then numbers; called as `Tcp_RetransSegs`."""
    found: dict[str, int] = {}
    lines = text.splitlines()
    for names, numbers in zip(lines[::2], lines[1::2], strict=False):
        protocol, _, keys = names.partition(": ")
        other, _, values = numbers.partition(": ")
        if protocol != other:
            raise ValueError(f"{protocol!r} is followed by {other!r} where its numbers should be")
        for key, value in zip(keys.split(), values.split(), strict=False):
            name = f"{protocol}_{key}"
            if name in wanted:
                found[name] = int(value)
    return found


def _text(path: str) -> str:
    try:
        return kernel_file.read(path)
    except FileNotFoundError:  # without IPv6, or without IPv4
        return ""


def _number(path: str) -> int | None:
    try:
        return int(kernel_file.read(path))
    except OSError:  # a link that is down errs instead of telling a speed
        return None
