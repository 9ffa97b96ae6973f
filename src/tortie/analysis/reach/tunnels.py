"""The hosts' own tunnels as whole answers have them: with whom a host has one, and from whom it takes none (``tortie.verdict.tunnels``)."""

from __future__ import annotations

from tortie.analysis.reach import allowed, space
from tortie.analysis.reach.allowed import Allowed
from tortie.analysis.reach.hosts import tunnel_networks
from tortie.analysis.reach.population import Population
from tortie.analysis.reach.space import Region
from tortie.net import IPIP, UDP, Family, Network
from tortie.verdict.refs import NO_ADDRESS
from tortie.verdict.settings import Settings


class HostTunnels:
    """Of one state of a cluster."""

    def __init__(self, population: Population) -> None:
        self._population = population
        self._tunnels = population.cluster.tunnels
        self._known: dict[tuple[tuple[Network, ...], int], tuple[Allowed, Allowed]] = {}
        """By the settings that matter; most hosts have the same."""

    def of_hosts(self, settings: Settings) -> Allowed:
        """The tunnels' packets with whoever may use them."""
        return self._by_whom(settings)[0]

    def of_strangers(self, settings: Settings) -> Allowed:
        """The same packets with all others."""
        return self._by_whom(settings)[1]

    def _by_whom(self, settings: Settings) -> tuple[Allowed, Allowed]:
        key = settings.external_nodes, settings.vxlan_port
        if key not in self._known:
            families = [(self._carried(family, settings), self._may_use(family, settings)) for family in Family]
            others = [(region, self._population.everybody & ~ends) for region, ends in families]
            self._known[key] = allowed.collected(families), allowed.collected(others)
        return self._known[key]

    def _carried(self, family: Family, settings: Settings) -> Region:
        found = [space.of_protocol(IPIP)] if self._tunnels.has_ipip and family is Family.V4 else []
        if family in self._tunnels.vxlan:
            found.append(space.of_protocol(UDP, settings.vxlan_port, settings.vxlan_port))
        return space.intersection(space.union_of(found), space.OF_FAMILY[family])

    def _may_use(self, family: Family, settings: Settings) -> int:
        """Who has no address counts as the unspecified one."""
        found = 0
        for network in tunnel_networks(self._tunnels, settings):
            if network.family is family:
                found |= self._population.in_network(network)
                if network.contains(NO_ADDRESS[family]):
                    found |= self._population.without_address
        return found
