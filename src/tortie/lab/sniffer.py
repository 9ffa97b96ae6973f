"""Writes the packets of the network namespace that it runs in to standard output, as pcap (``python -m tortie.lab.sniffer``).

It runs inside the host or workload, so it ends with the lab; the file is its starter's. Packets are written as soon as none is
waiting, so that who reads along sees them come.
"""

from __future__ import annotations

import argparse
import contextlib
import itertools
import os
import select
import signal
import socket
import struct
import sys
import time
from collections.abc import Iterable, Iterator

from tortie.lab.packetfilter import PacketFilter
from tortie.lab.pcap import SNAPLEN, Packet, file_header, record
from tortie.net import Address

_ETH_P_ALL = 0x0003
_SO_TIMESTAMPNS = 35
_SOL_PACKET = 263
_PACKET_STATISTICS = 6
_TIMESPEC = struct.Struct("@ll")
_BUFFER_BYTES = 8 << 20
"""Asked for; an ordinary user gets what net.core.rmem_max allows."""

_AT_ONCE = 256
"""Packets between two writes, while they keep coming."""


class Sniffer:
    """A capture on one interface, or on all of the namespace."""

    def __init__(self, interface: str, wanted: PacketFilter) -> None:
        """OSError if there is no such interface, or no right to it."""
        self._wanted = wanted
        self._indexes: dict[str, int] = {}
        # of no protocol until it is bound: else it would hold packets of all interfaces by then (packet(7))
        protocol = 0 if interface else socket.htons(_ETH_P_ALL)
        self._socket = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK, protocol)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _BUFFER_BYTES)
        self._socket.setsockopt(socket.SOL_SOCKET, _SO_TIMESTAMPNS, 1)
        if interface:
            self._socket.bind((interface, _ETH_P_ALL))
        self.written = 0

    def run(self, descriptor: int, count: int) -> None:
        """Write to *descriptor* until there have been *count* packets, or for ever for 0, or nobody reads them any more.

        BrokenPipeError; OSError if they cannot be written; KeyboardInterrupt by a signal.
        """
        _write(descriptor, file_header())
        poll = select.poll()
        poll.register(self._socket, select.POLLIN)
        poll.register(descriptor, 0)  # told of even so: that the reader of a pipe has gone
        while not count or self.written < count:
            if any(ready == descriptor for ready, _ in poll.poll()):
                return
            packets = list(itertools.islice(self._waiting(), count - self.written if count else None))
            _write(descriptor, b"".join(map(record, packets)))
            self.written += len(packets)

    @property
    def dropped(self) -> int:
        """How many packets came faster than they were read, since it was last asked."""
        return int(struct.unpack("II", self._socket.getsockopt(_SOL_PACKET, _PACKET_STATISTICS, 8))[1])

    def _waiting(self) -> Iterator[Packet]:
        """The wanted packets among those that have come by now."""
        for _ in range(_AT_ONCE):
            try:
                content, extra, _, address = self._socket.recvmsg(SNAPLEN, socket.CMSG_SPACE(_TIMESPEC.size))
            except OSError:  # none waits, or an interface went down (ENETDOWN): told once, and it may come up again
                return
            ifname, protocol, direction, hardware_type, source = address
            if self._wanted.admits(protocol, content):
                index = self._index(ifname)
                yield Packet(_time_ns(extra), protocol, index, direction, hardware_type, source, content)

    def _index(self, ifname: str) -> int:
        """Remembered, as the interface may be gone by now; 0 if it was before we saw it."""
        if ifname not in self._indexes:
            with contextlib.suppress(OSError):
                self._indexes[ifname] = socket.if_nametoindex(ifname)
        return self._indexes.get(ifname, 0)


def _time_ns(extra: Iterable[tuple[int, int, bytes]]) -> int:
    """When the kernel saw the packet."""
    for level, kind, content in extra:
        if (level, kind) == (socket.SOL_SOCKET, _SO_TIMESTAMPNS):
            seconds, nanoseconds = _TIMESPEC.unpack_from(content)
            return int(seconds * 1_000_000_000 + nanoseconds)
    return time.time_ns()


def _write(descriptor: int, content: bytes) -> None:
    """All of it; BrokenPipeError if nobody reads any more."""
    while content:
        content = content[os.write(descriptor, content) :]


def main() -> None:
    """Capture until ended by a signal, by the number of packets, or by the reader's going."""
    options = _parse()
    wanted = PacketFilter(frozenset(options.host), frozenset(options.port))
    try:
        sniffer = Sniffer(options.interface, wanted)
    except OSError as error:
        sys.exit(f"Error: cannot capture on {options.interface or 'all interfaces'}: {error.strerror}")
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.default_int_handler)
    print(f"capturing on {options.interface or 'all interfaces'}", file=sys.stderr, flush=True)
    failure = None
    try:
        sniffer.run(sys.stdout.fileno(), options.count)
    except (KeyboardInterrupt, BrokenPipeError):
        pass
    except OSError as error:  # a disk that is full
        failure = f"Error: the packets cannot be written: {error.strerror}"
    lost = f", {dropped} more came too fast" if (dropped := sniffer.dropped) else ""
    print(f"{sniffer.written} packets captured{lost}", file=sys.stderr)
    sys.exit(failure)


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="sniffer", description="Writes packets to standard output, as pcap.")
    parser.add_argument("--interface", default="", help="(default: all)")
    parser.add_argument("--host", type=Address.parse, action="append", default=[], help="an address of either side")
    parser.add_argument("--port", type=int, action="append", default=[], help="a port of either side")
    parser.add_argument("--count", type=int, default=0, help="end after so many packets (default: never)")
    return parser.parse_args()


if __name__ == "__main__":
    main()
