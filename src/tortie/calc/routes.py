"""Where each destination is: pools, blocks and addresses of the whole cluster, resolved for one host.

Of what encloses a destination, the narrowest of each kind counts: the pool says how packets travel, the block whose they are.
What is known of the address itself goes before its block: a workload or tunnel, then a host's own address.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Literal, TypeAlias, TypeVar

from tortie.calc.destinations import Destination, Destinations, Ref, RefKind
from tortie.calc.hoststate import EndpointId, PoolType, RouteRemove, RouteType, RouteUpdate, TunnelType
from tortie.calc.listing import Listing
from tortie.calc.nodes import NodeView
from tortie.calc.pools import PoolRouting
from tortie.model.blocks import BlockOwners
from tortie.model.meta import HostName
from tortie.net import Network

Source: TypeAlias = Literal["CalicoIPAM", "WorkloadIPs"]
"""Where remote workloads are known from (``routeSource``): IPAM's blocks, or each endpoint by itself."""

_KIND = {TunnelType.IPIP: RefKind.IPIP, TunnelType.VXLAN: RefKind.VXLAN, TunnelType.WIREGUARD: RefKind.WIREGUARD}
_TUNNEL = {kind: tunnel for tunnel, kind in _KIND.items()}

Endpoint: TypeAlias = tuple[HostName, tuple[Network, ...]]
"""A workload endpoint: its node and addresses, each a /32 or /128, once."""


class RouteResolver:
    """The routes of one host. Updates note what they touch; ``flush`` resolves that."""

    def __init__(self, host: HostName) -> None:
        self._host = host
        self._source: Source = "CalicoIPAM"
        self._known = Destinations()
        self._nodes: dict[HostName, NodeView] = {}
        self._blocks: dict[Network, BlockOwners] = {}
        self._endpoints: dict[EndpointId, Endpoint] = {}
        """Those that make routes: this host's, and all where blocks do not say where workloads are."""
        self._dirty: set[Network] = set()
        self._sent: dict[Network, RouteUpdate] = {}
        self._sent_of: Listing[str, Network] = Listing()
        """The destinations that were sent with each node."""

    # --- what is told ------------------------------------------------------------------------------------------------------

    def set_source(self, source: Source, endpoints: Iterable[tuple[EndpointId, Endpoint]]) -> None:
        """Know remote workloads from *source* from now on; *endpoints* are all of the cluster's."""
        if source == self._source:
            return
        blocks = dict(self._blocks)
        for network in blocks:
            self._contribute_block(network, None)
        self._source = source
        for network, owners in blocks.items():
            self._contribute_block(network, owners)
        for endpoint_id in list(self._endpoints):
            self.set_endpoint(endpoint_id, None)
        for endpoint_id, endpoint in endpoints:
            self.set_endpoint(endpoint_id, endpoint)

    def set_pool(self, network: Network, pool: PoolRouting | None) -> None:
        """A pool is there, is another, or is gone (None)."""
        self._dirty.update(self._known.within(network))
        self._known.at(network).pool = pool
        self._touch(network)

    def set_block(self, network: Network, owners: BlockOwners | None) -> None:
        """Whose an IPAM block and its addresses are; None: there is no such block."""
        if self._blocks.get(network) == owners:
            return
        self._contribute_block(network, owners)
        self._blocks.pop(network, None)
        if owners is not None:
            self._blocks[network] = owners

    def _contribute_block(self, network: Network, owners: BlockOwners | None) -> None:
        if self._source != "CalicoIPAM":
            return
        self._dirty.update(self._known.within(network))
        before = self._blocks.get(network)
        for stray in before.strays if before is not None else ():
            self._known.at(stray).strays.pop(network, None)
            self._touch(stray)
        self._known.at(network).block = owners.node if owners is not None else None
        self._touch(network)
        for stray, node in owners.strays.items() if owners is not None else ():
            self._known.at(stray).strays[network] = node
            self._touch(stray)

    def set_endpoint(self, endpoint_id: EndpointId, endpoint: Endpoint | None) -> None:
        """A workload endpoint is there, is another, or is gone (None)."""
        before = self._endpoints.pop(endpoint_id, None)
        if before is not None:
            self._count(before, RefKind.WORKLOAD, -1)
        if endpoint is not None and (endpoint[0] == self._host or self._source == "WorkloadIPs"):
            self._endpoints[endpoint_id] = endpoint
            self._count(endpoint, RefKind.WORKLOAD, +1)

    def set_node(self, name: HostName, node: NodeView | None) -> None:
        """What a node is now; None: it is gone."""
        before = self._nodes.pop(name, None)
        if node is not None:
            self._nodes[name] = node
        for version, step in ((before, -1), (node, +1)):
            if version is None:
                continue
            for found in version.addresses.values():
                self._count_host(found.address.network(), name, step)
            for tunnel, address in version.tunnels:
                self._count((name, (address.network(),)), _KIND[tunnel], step)
        self._dirty |= self._sent_of.of(name)
        if name == self._host:  # which nodes are in our subnet is another matter now
            self._dirty.update(self._sent)

    def _count(self, endpoint: Endpoint, kind: RefKind, step: int) -> None:
        node, networks = endpoint
        for network in networks:
            _add(self._known.at(network).refs, Ref(node, kind), step)
            self._touch(network)

    def _count_host(self, network: Network, node: HostName, step: int) -> None:
        _add(self._known.at(network).hosts, node, step)
        self._touch(network)

    def _touch(self, network: Network) -> None:
        self._known.settle(network)
        self._dirty.add(network)

    # --- what is made of it ------------------------------------------------------------------------------------------------

    def flush(self) -> tuple[list[RouteRemove], list[RouteUpdate]]:
        """What is gone, and what is new or different, since the last call; both by destination."""
        removes, updates = [], []
        for network in sorted(self._dirty):
            route = self._resolve(network) if network in self._known else None
            before = self._sent.get(network)
            if route == before:
                continue
            if before is not None:
                del self._sent[network]
                self._sent_of.discard(network, (before.node,))
            if route is None:
                removes.append(RouteRemove(destination=network))
            else:
                self._sent[network] = route
                self._sent_of.add(network, (route.node,))
                updates.append(route)
        self._dirty.clear()
        return removes, updates

    def _resolve(self, network: Network) -> RouteUpdate | None:
        enclosing = list(self._known.enclosing(network))
        here = enclosing[-1]
        pool = next((known.pool for known in reversed(enclosing) if known.pool is not None), None)
        block = next((known.block for known in reversed(enclosing) if known.block is not None), None)
        ref = min(here.refs) if here.refs else None
        node = _node(here, ref, block)
        types = self._types(here, ref, node)
        if not types:
            return None
        # a pool's own network may lie in nobody's block, and then it is nowhere
        found = self._nodes[node].addresses.get(network.family) if node in self._nodes else None
        return RouteUpdate(
            destination=network,
            types=types,
            pool=pool.type if pool is not None else PoolType.NONE,
            node=node or "",
            node_address=found.address if found is not None else None,
            same_subnet=pool is not None and pool.crosses_subnets_only and self._is_near(node, network),
            nat_outgoing=pool is not None and pool.nat_outgoing,
            borrowed=block is not None and node != block and not here.hosts,
            local_workload=ref is not None and ref == Ref(self._host, RefKind.WORKLOAD),
            tunnels=frozenset(_TUNNEL[r.kind] for r in here.refs if r.node == node and r.kind in _TUNNEL),
        )

    def _types(self, here: Destination, ref: Ref | None, node: HostName | None) -> frozenset[RouteType]:
        types = {RouteType.POOL} if here.pool is not None else set()
        is_local = node == self._host
        if ref is not None and ref.kind is not RefKind.WORKLOAD:
            types.add(RouteType.LOCAL_TUNNEL if is_local else RouteType.REMOTE_TUNNEL)
        if ref is None and here.hosts:
            types.add(RouteType.LOCAL_HOST if is_local else RouteType.REMOTE_HOST)
        is_workload = ref is not None and ref.kind is RefKind.WORKLOAD
        is_given = ref is None and not here.hosts and here.stray is not None
        if is_workload or is_given or here.block is not None:
            types.add(RouteType.LOCAL_WORKLOAD if is_local else RouteType.REMOTE_WORKLOAD)
        return frozenset(types)

    def _is_near(self, node: HostName | None, network: Network) -> bool:
        """Whether *node* is another one, in this host's subnet."""
        if node is None or node == self._host or node not in self._nodes or self._host not in self._nodes:
            return False
        ours = self._nodes[self._host].addresses.get(network.family)
        theirs = self._nodes[node].addresses.get(network.family)
        return ours is not None and theirs is not None and ours.subnet.contains(theirs.address)


def _node(here: Destination, ref: Ref | None, block: HostName | None) -> HostName | None:
    if ref is not None:
        return ref.node
    if here.hosts:
        return min(here.hosts)
    return here.stray or block


_Key = TypeVar("_Key")


def _add(counts: Counter[_Key], key: _Key, step: int) -> None:
    counts[key] += step
    if not counts[key]:
        del counts[key]
