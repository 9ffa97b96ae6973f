"""What is known of each destination: pools, IPAM blocks, addresses of hosts, workloads and tunnels, by network.

A destination's answer depends on every network around it, so there are two questions: what encloses a network, and what lies
within one. Both look at each prefix length that occurs; the second tries every network of that length within a small one.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from enum import IntEnum

import msgspec

from tortie.calc.pools import PoolRouting
from tortie.model.meta import HostName
from tortie.net import Network


class RefKind(IntEnum):
    """Why an address is known to be on a node; of several reasons the lowest counts."""

    WORKLOAD = 0
    IPIP = 1
    VXLAN = 2
    WIREGUARD = 3


class Ref(msgspec.Struct, frozen=True, order=True):
    """An address is on a node, for a reason."""

    node: HostName
    kind: RefKind


class Destination(msgspec.Struct):
    """What is known of exactly one network."""

    pool: PoolRouting | None = None
    block: HostName | None = None
    """Whose block it is."""
    strays: dict[Network, HostName] = msgspec.field(default_factory=dict)
    """Which node has given out this address, by the block that says so, which is another one's or nobody's."""
    hosts: Counter[HostName] = msgspec.field(default_factory=Counter)
    """The nodes that say it is theirs."""
    refs: Counter[Ref] = msgspec.field(default_factory=Counter)

    @property
    def stray(self) -> HostName | None:
        """What the narrowest block says. Blocks do not overlap, except while some go and others come."""
        return self.strays[max(self.strays, key=lambda block: block.prefix_len)] if self.strays else None

    def is_empty(self) -> bool:
        return not (self.pool or self.block or self.strays or self.hosts or self.refs)


class Destinations:
    """Destinations by network."""

    def __init__(self) -> None:
        self._known: dict[Network, Destination] = {}
        self._lengths: Counter[tuple[int, int]] = Counter()
        """How many networks of (address bytes, prefix length) are known."""

    def at(self, network: Network) -> Destination:
        """What is known of *network*, to be changed; ``settle`` must follow."""
        found = self._known.get(network)
        if found is None:
            found = self._known[network] = Destination()
            self._lengths[len(network.packed), network.prefix_len] += 1
        return found

    def settle(self, network: Network) -> None:
        """Forget *network* if nothing is known of it any more."""
        found = self._known.get(network)
        if found is not None and found.is_empty():
            del self._known[network]
            length = len(network.packed), network.prefix_len
            self._lengths[length] -= 1
            if not self._lengths[length]:
                del self._lengths[length]

    def enclosing(self, network: Network) -> Iterator[Destination]:
        """*network* itself and what it lies in, the widest first."""
        bits = len(network.packed) * 8
        number = int.from_bytes(network.packed, "big")
        for size, prefix_len in sorted(self._lengths):
            if size != len(network.packed) or prefix_len > network.prefix_len:
                continue
            shift = bits - prefix_len
            found = self._known.get(Network((number >> shift << shift).to_bytes(size, "big"), prefix_len))
            if found is not None:
                yield found

    def within(self, network: Network) -> Iterator[Network]:
        """The known networks that lie in *network*, itself among them."""
        bits = len(network.packed) * 8
        lengths = [n for size, n in self._lengths if size * 8 == bits and n >= network.prefix_len]
        if sum(1 << n - network.prefix_len for n in lengths) > len(self._known):
            yield from (known for known in self._known if network.contains(known))
            return
        for prefix_len in lengths:
            for offset in range(0, network.size, 1 << bits - prefix_len):
                part = Network((network.address + offset).packed, prefix_len)
                if part in self._known:
                    yield part

    def __contains__(self, network: Network) -> bool:
        return network in self._known
