"""Which packets one network can take: those that agree where every address is; and which of them at once.

Where a destination is, a route says; and a workload's source address is looked up as a destination, to see whether it is its own.
So packets whose ways contradict each other need networks of their own. Of those that share one, none may go while connection
tracking knows a flow whose answer it could be: it would be taken for that, not for the beginning of a connection.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple, TypeAlias

from tortie.analysis.ways import Hop
from tortie.net import Address, Protocol
from tortie.verdict.packet import Packet

_End: TypeAlias = tuple[Address, int | None]
_Tuple: TypeAlias = tuple[Protocol, _End, _End]


class Crossing(NamedTuple):
    """A packet at one host, and which question it is a part of."""

    question: int
    hop: Hop
    packet: Packet


def rounds(crossings: Iterable[Crossing], routes: Mapping[Address, str]) -> list[Round]:
    """Packets at one host, in order and each in the first round that it fits in; *routes* lead to the host's workloads."""
    found: list[Round] = []
    for crossing in crossings:
        needs = _Needs.of(crossing, routes)
        if not any(part.takes(crossing, needs) for part in found):
            found.append(Round())
            found[-1].takes(crossing, needs)
    return found


class _Needs(NamedTuple):
    """Where a packet's addresses must be for its way, and where not."""

    places: Mapping[Address, str]
    absent: frozenset[tuple[Address, str]]

    @classmethod
    def of(cls, crossing: Crossing, routes: Mapping[Address, str]) -> _Needs:
        """The destination is ahead. A workload's own source is where it comes from, for its route back is looked up; any
        other is not, as little as on the real host.
        """
        packet, came = crossing.packet, crossing.hop.in_interface
        ahead = {packet.destination: crossing.hop.out_interface}
        if routes.get(packet.source) == came:
            return cls({packet.source: came} | ahead, frozenset())
        return cls(ahead, frozenset({(packet.source, came)} if came in routes.values() else ()))


class Round:
    """Packets at one host that agree where every address is: over one interface, or, with none, the host's own."""

    def __init__(self) -> None:
        self.places: dict[Address, str] = {}
        self.crossings: list[Crossing] = []
        self._absent: set[tuple[Address, str]] = set()

    def takes(self, crossing: Crossing, needs: _Needs) -> bool:
        """Take *crossing* in, if what it *needs* fits."""
        if any(self.places.get(address, place) != place for address, place in needs.places.items()):
            return False
        if not self._absent.isdisjoint(needs.places.items()):
            return False
        if any(place == needs.places.get(address, self.places.get(address)) for address, place in needs.absent):
            return False
        self.places |= needs.places
        self._absent |= needs.absent
        self.crossings.append(crossing)
        return True


def volleys(crossings: Iterable[Crossing], most: int) -> Iterator[Sequence[Crossing]]:
    """*crossings* in their order, at most *most* together, and none with one that it could be the answer to."""
    volley: list[Crossing] = []
    answers: set[_Tuple] = set()
    for crossing in crossings:
        protocol, source, destination = _tuple(crossing.packet)
        if len(volley) == most or (protocol, source, destination) in answers:
            yield volley
            volley, answers = [], set()
        volley.append(crossing)
        answers.add((protocol, destination, source))
    if volley:
        yield volley


def _tuple(packet: Packet) -> _Tuple:
    """What connection tracking knows a flow by, where it looks at no more than ports."""
    source, destination = (packet.source, packet.source_port), (packet.destination, packet.destination_port)
    return packet.protocol, source, destination
