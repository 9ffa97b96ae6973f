"""Who has each address. Nearly always one peer, so that one is kept bare and only several are a set."""

from __future__ import annotations

from collections.abc import Iterable

from tortie.calc.peers import Peer
from tortie.net import Network


class Owners:
    """Peers by each of their networks, exactly as written: a network set's network owns no address within it."""

    def __init__(self) -> None:
        self._by_network: dict[Network, Peer | set[Peer]] = {}

    def add(self, peer: Peer) -> None:
        for network in peer.networks:
            known = self._by_network.get(network)
            if known is None:
                self._by_network[network] = peer
            elif isinstance(known, set):
                known.add(peer)
            else:
                self._by_network[network] = {known, peer}

    def discard(self, peer: Peer) -> None:
        for network in peer.networks:
            known = self._by_network.get(network)
            if known is peer:
                del self._by_network[network]
            elif isinstance(known, set):
                known.discard(peer)
                if len(known) == 1:
                    self._by_network[network] = known.pop()

    def of(self, network: Network) -> Iterable[Peer]:
        known = self._by_network.get(network)
        if known is None:
            return ()
        return known if isinstance(known, set) else (known,)
