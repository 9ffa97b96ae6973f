"""Whether the rules would let a flow begin that has begun already.

Rules let packets of known connections through before policy is asked. So whoever wants policy to count for flows that it let in
earlier has to ask anew, and end those that are refused. What is asked is what was asked of the flow's first packet, on all its way.

Over which interface a flow came or goes is not known later, unless its end is a workload here. So it is taken along every way that
it may have come, of which most are alike: interfaces that the same host endpoints' classes stand on are one way. A flow is refused
if it is so on each of them. From the host to its workloads, and to itself, nothing is asked.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from collections.abc import Set as AbstractSet
from itertools import product

import msgspec

from tortie.net import Address, Network
from tortie.ruleset.interpreter import Packet, base_chains, walk
from tortie.ruleset.places import HOST_PLACES
from tortie.ruleset.ruleset import Ruleset

ELSEWHERE = "?"
"""The interface to everybody who is no workload here, where the host has none that is known: no link is called so."""

_GROUPS = Network.parse("224.0.0.0/3"), Network.parse("ff00::/8")
"""Multicast, broadcast and reserved addresses."""


class FlowJudge:
    """Judges by one state of the ruleset, and of where the host's workloads are; *interfaces* are those to everybody else."""

    def __init__(
        self,
        ruleset: Ruleset,
        links: Mapping[Address, str],
        own: AbstractSet[Address],
        interfaces: Iterable[str] = (),
    ) -> None:
        self._ruleset = ruleset
        self._bases = base_chains(ruleset)
        self._links = links
        self._own = own
        self._elsewhere = _ways(ruleset, interfaces) or (ELSEWHERE,)

    def refuses(self, first: Packet) -> bool:
        """Whether a flow that begins with this packet would be refused; its interfaces are found."""
        receiver = first.translation.address if first.translation is not None else first.destination
        if first.source in self._own and (receiver in self._own or receiver in self._links):
            return False
        # What goes to many may be for the host, or for others, or for both.
        if any(group.contains(receiver) for group in _GROUPS):
            return False
        ways = product(self._interfaces(first.source), self._interfaces(receiver))
        return not any(self._accepts(first, *way) for way in ways)

    def _interfaces(self, address: Address) -> tuple[str, ...]:
        """Over which interfaces an address may be reached; empty names: it is the host's own."""
        link = self._links.get(address)
        if link is not None:
            return (link,)
        return ("",) if address in self._own else self._elsewhere

    def _accepts(self, first: Packet, in_interface: str, out_interface: str) -> bool:
        packet = msgspec.structs.replace(first, in_interface=in_interface, out_interface=out_interface)
        return walk(self._ruleset, packet, bases=self._bases).is_accepted


def _ways(ruleset: Ruleset, interfaces: Iterable[str]) -> tuple[str, ...]:
    """One of all interfaces that are judged alike at every place."""
    maps = [ruleset.maps.get(place.map_name, {}) for place in HOST_PLACES]
    return tuple({tuple(classes.get(name) for classes in maps): name for name in sorted(interfaces)}.values())
