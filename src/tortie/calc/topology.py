"""The cluster's nodes, pools and blocks: what follows from them for this host, beside policy.

Node ──────────┬──► hosts
               ├──► VXLAN tunnel endpoints of the others
IPPool ────────┼─┬► pools ──► encapsulation
IPAM blocks ───┼─┤
endpoints ─────┴─┴► RouteResolver ──► routes
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Protocol

from tortie.calc.hoststate import (
    Encapsulation,
    EndpointId,
    HostRemove,
    HostStateDelta,
    HostUpdate,
    PoolRemove,
    PoolUpdate,
    VtepRemove,
    VtepUpdate,
)
from tortie.calc.nodes import host_update, view
from tortie.calc.pools import encapsulation_of, pool_update, routing_of
from tortie.calc.routes import Endpoint, RouteResolver, Source
from tortie.calc.sequencer import Outbox
from tortie.calc.vteps import vtep_update
from tortie.model.blocks import BlockOwners
from tortie.model.ipam import IPPool
from tortie.model.meta import HostName
from tortie.model.topology import Node
from tortie.net import Network


class Peers(Protocol):
    """All workload endpoints of the cluster, for the rare case that each is a route."""

    def endpoints(self) -> Iterable[tuple[EndpointId, Endpoint]]: ...


class Topology:
    """Nodes, pools and blocks as they are now; ``flush`` tells what follows and differs from what was told."""

    def __init__(self, host: HostName) -> None:
        self._host = host
        self._resolver = RouteResolver(host)
        self._pools: dict[str, IPPool] = {}
        self._hosts: Outbox[str, HostUpdate] = Outbox()
        self._vteps: Outbox[str, VtepUpdate] = Outbox()
        self._pool_updates: Outbox[Network, PoolUpdate] = Outbox()
        self._encapsulation = Encapsulation()
        self._are_pools_dirty = False
        self._source: Source = "CalicoIPAM"

    # --- what is told ------------------------------------------------------------------------------------------------------

    def set_node(self, name: HostName, node: Node | None) -> None:
        seen = view(node) if node is not None else None
        self._resolver.set_node(name, seen)
        self._hosts.stage(name, host_update(name, seen) if seen is not None else None)
        if name != self._host:
            self._vteps.stage(name, vtep_update(name, seen) if seen is not None else None)

    def set_pool(self, name: str, pool: IPPool | None) -> None:
        """Of pools with one network, which only a mistake makes, the first by name counts."""
        networks = {found.spec.cidr for found in (self._pools.pop(name, None), pool) if found is not None}
        if pool is not None:
            self._pools[name] = pool
        for network in networks:
            found = min((n for n, p in self._pools.items() if p.spec.cidr == network), default=None)
            now = self._pools[found] if found is not None else None
            self._resolver.set_pool(network, routing_of(now) if now is not None else None)
            self._pool_updates.stage(network, pool_update(now) if now is not None else None)
        self._are_pools_dirty = True

    def set_block(self, network: Network, owners: BlockOwners | None) -> None:
        self._resolver.set_block(network, owners)

    def set_endpoint(self, endpoint_id: EndpointId, endpoint: Endpoint | None) -> None:
        self._resolver.set_endpoint(endpoint_id, endpoint)

    # --- what is made of it ------------------------------------------------------------------------------------------------

    def flush(self, settings: Mapping[str, object] | None, peers: Peers) -> Iterator[HostStateDelta]:
        """Tell what differs. What goes does so before what comes; *settings* are all there are, if they changed."""
        if settings is not None:
            source: Source = "WorkloadIPs" if settings.get("routeSource") == "WorkloadIPs" else "CalicoIPAM"
            if source != self._source:
                self._source = source
                self._resolver.set_source(source, peers.endpoints())
        gone_routes, routes = self._resolver.flush()
        vteps, gone_vteps = self._vteps.flush()
        hosts, gone_hosts = self._hosts.flush()
        pools, gone_pools = self._pool_updates.flush()
        yield from gone_routes
        yield from (VtepRemove(node=name) for name in gone_vteps)
        yield from (vtep for _, vtep in vteps)
        yield from routes
        yield from (HostRemove(node=name) for name in gone_hosts)
        yield from (host for _, host in hosts)
        yield from (PoolRemove(cidr=network) for network in gone_pools)
        yield from (pool for _, pool in pools)
        yield from self._flush_encapsulation()

    def _flush_encapsulation(self) -> Iterator[Encapsulation]:
        if not self._are_pools_dirty:
            return
        self._are_pools_dirty = False
        needed = encapsulation_of(map(pool_update, self._pools.values()))
        if needed != self._encapsulation:
            self._encapsulation = needed
            yield needed
