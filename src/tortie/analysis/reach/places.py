"""The address space in as few places as policy can tell apart: cut along every network that anything names.

Networks nest or are strangers, so they are a forest; a *place* is a network without those inside it. Everything that a rule can ask
about an address is then a matter of its place.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import NamedTuple

from tortie.net import Address, Family, Network

WHOLE = {Family.V4: Network.parse("0.0.0.0/0"), Family.V6: Network.parse("::/0")}


class Place(NamedTuple):
    """What is left of a network without the others inside it."""

    network: Network
    holes: tuple[Network, ...]
    """The largest of the others inside it."""

    def an_address(self, taken: Collection[Address]) -> Address | None:
        """The first address that is not *taken*; None: all of it is."""
        at, last = self.network.address, int(self.network.address) + self.network.size - 1
        holes = iter(self.holes)
        hole = next(holes, None)
        while True:
            if hole is not None and hole.contains(at):
                beyond = int(hole.address) + hole.size
                hole = next(holes, None)
            elif at not in taken:
                return at
            else:
                beyond = int(at) + 1
            if beyond > last:
                return None
            at = Address(beyond.to_bytes(len(at.packed), "big"))

    def __str__(self) -> str:
        return f"{self.network} except {', '.join(map(str, self.holes))}" if self.holes else str(self.network)


class Places:
    """All places, by number; both families' together."""

    def __init__(self, named: Iterable[Network]) -> None:
        networks = sorted({*WHOLE.values(), *named})
        self._numbers = {network: number for number, network in enumerate(networks)}
        self._by_length = {family: _by_length(self._numbers, family) for family in Family}
        """For every prefix length, the longest first: how far to shift an address, and the networks by what is left of it."""
        self._last = list(range(len(networks)))
        """Of each place the last one inside it: sorted, they follow it."""
        inside: list[list[Network]] = [[] for _ in networks]
        above: list[int] = []
        for number, network in enumerate(networks):
            while above and not networks[above[-1]].contains(network):
                above.pop()
            if above:
                inside[above[-1]].append(network)
            for outer in above:
                self._last[outer] = number
            above.append(number)
        self.places = tuple(Place(network, tuple(holes)) for network, holes in zip(networks, inside, strict=True))

    def __len__(self) -> int:
        return len(self.places)

    def at(self, address: Address | Network) -> int:
        """The number of the place where *address* is, which may be given as the network that holds just it."""
        bits = int.from_bytes(address.packed, "big")
        for shift, networks in self._by_length[address.family]:
            found = networks.get(bits >> shift)
            if found is not None:
                return found
        raise AssertionError(f"{address} is in no place, although {WHOLE[address.family]} is one")

    def within(self, network: Network) -> range:
        """The numbers of the places inside *network*, which must be a named one."""
        number = self._numbers[network]
        return range(number, self._last[number] + 1)


def _by_length(numbers: Mapping[Network, int], family: Family) -> list[tuple[int, dict[int, int]]]:
    by_shift: dict[int, dict[int, int]] = {}
    for network, number in numbers.items():
        if network.family is family:
            shift = family.bits - network.prefix_len
            by_shift.setdefault(shift, {})[int.from_bytes(network.packed, "big") >> shift] = number
    return sorted(by_shift.items())
