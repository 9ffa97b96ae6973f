"""Which host endpoint stands on which interface of a host, and what the interfaces are where nobody says.

Known for certain is only what the caller says of a host's interfaces. Without that they are guessed from resources:

- an interface that ``Node.spec.interfaces`` lists has the addresses given there, and loopback its own;
- any other that is not a workload's has the node's own addresses (``spec.bgp``, ``spec.addresses``) that none of those has; and of
  a family of which the Node gives no address at all, whatever the host's endpoints expect;
- the host is reached over the interface that has the address in question, else over the first that is listed, else over the first
  that a host endpoint names, else over one called ``uplink`` that nobody knows more of. Loopback is never meant.
"""

from __future__ import annotations

import contextlib
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

import msgspec

from tortie.model.topology import Node
from tortie.net import Address, Family
from tortie.verdict.endpoint import HostInterface
from tortie.verdict.names import LOOPBACK, WILDCARD
from tortie.verdict.settings import Settings

UNNAMED_UPLINK = "uplink"
_LOOPBACK_ADDRESSES = frozenset(map(Address.parse, ("127.0.0.1", "::1")))

InterfaceAddresses = Mapping[str, Collection[Address]]
"""The host's own interfaces by name, workloads' links left out, and the addresses of each."""


class Interfaces(msgspec.Struct, frozen=True, kw_only=True):
    """Of one host."""

    endpoints: tuple[HostInterface, ...]
    """The host endpoints of the host, by name."""
    settings: Settings
    known: Mapping[str, frozenset[Address]]
    others: frozenset[Address]
    """What any interface has that is not known."""

    @classmethod
    def of(
        cls,
        node: Node | None,
        endpoints: Sequence[HostInterface],
        settings: Settings,
        said: InterfaceAddresses | None,
    ) -> Interfaces:
        """By what the caller has *said*, or as guessed if it has said nothing; *endpoints* are the host's, by name."""
        endpoints = tuple(endpoints)
        if said is not None:
            known = {ifname: frozenset(addresses) for ifname, addresses in said.items()}
            return cls(endpoints=endpoints, settings=settings, known=known, others=frozenset())
        known = {LOOPBACK: _LOOPBACK_ADDRESSES} | _listed(node)
        others = set(own_addresses(node))
        expected = {network.address for endpoint in endpoints for network in endpoint.networks}
        for family in Family:
            if all(address.family is not family for address in others):
                others |= {address for address in expected if address.family is family}
        return cls(
            endpoints=endpoints, settings=settings, known=known, others=frozenset(others).difference(*known.values())
        )

    def addresses(self, ifname: str) -> frozenset[Address]:
        return self.known.get(ifname, self.others)

    def own_endpoint(self, ifname: str) -> HostInterface | None:
        """The endpoint of the interface itself: of several the first by name, whether it names the interface or expects its address."""
        if self.settings.looks_like_workload(ifname) or self.settings.excludes(ifname):
            return None
        addresses = self.addresses(ifname)
        return next((endpoint for endpoint in self.endpoints if endpoint.stands_on(ifname, addresses)), None)

    @property
    def wildcard(self) -> HostInterface | None:
        """The endpoint of all interfaces that have none of their own."""
        return next((endpoint for endpoint in self.endpoints if endpoint.is_wildcard), None)

    def towards(self, address: Address | None) -> str:
        """The interface over which the host is reached at *address*; None: at no address in particular."""
        listed = sorted(self.known.keys() - {LOOPBACK})
        having = [ifname for ifname in listed if address in self.known[ifname]]
        named = [
            endpoint.interface
            for endpoint in self.endpoints
            if endpoint.interface not in ("", WILDCARD, LOOPBACK)
            and not self.settings.looks_like_workload(endpoint.interface)
        ]
        return next(iter((*having, *listed, *named)), UNNAMED_UPLINK)


def own_addresses(node: Node | None) -> tuple[Address, ...]:
    """What *node* says its addresses are, those of BGP first."""
    if node is None:
        return ()
    bgp = node.spec.bgp
    texts = [bgp.ipv4_address, bgp.ipv6_address] if bgp is not None else []
    texts += [listed.address for listed in node.spec.addresses]
    return tuple(dict.fromkeys(_parsed(texts)))


def _listed(node: Node | None) -> dict[str, frozenset[Address]]:
    interfaces = node.spec.interfaces if node is not None else ()
    return {interface.name: frozenset(_parsed(interface.addresses)) for interface in interfaces}


def _parsed(texts: Iterable[str]) -> Iterator[Address]:
    for text in texts:
        with contextlib.suppress(ValueError):
            yield Address.parse(text.partition("/")[0])
