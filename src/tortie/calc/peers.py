"""What a rule's selectors can find: workload endpoints, host endpoints and network sets, by labels and addresses.

There may be a hundred thousand of them on one host, so a peer is small, and nothing of the resource behind it is kept.
"""

from __future__ import annotations

import functools
import sys
from collections.abc import Iterable, Iterator
from typing import NamedTuple, TypeAlias

import msgspec

from tortie.calc.hoststate import AddressPort, Member
from tortie.calc.labels import LabelsOfProfile, effective_labels, packed, workload_labels
from tortie.calc.rules import NamedPort
from tortie.calc.scoping import NAMESPACE_LABEL
from tortie.model.endpoint import EndpointPort, HostEndpoint, WorkloadEndpoint, WorkloadEndpointPort
from tortie.model.lean import LeanEndpoint
from tortie.model.sets import GlobalNetworkSet, NetworkSet, networks
from tortie.net import Network, Protocol

PeerId: TypeAlias = tuple[str, ...]
"""(namespace, name) of a workload endpoint; (kind, namespace, name) of another."""


class PeerPort(NamedTuple):
    """A port that rules can call by its name."""

    name: str
    protocol: Protocol
    port: int


class Peer(msgspec.Struct, frozen=True, eq=False, gc=False):
    """One peer as it was at one time. Known by identity: its next version is another object."""

    names: tuple[str, ...]
    """Of its own labels."""
    values: tuple[str, ...]
    """Of its own labels, in the same order."""
    profiles: tuple[str, ...]
    networks: tuple[Network, ...]
    """Each once. An endpoint's are each a /32 or /128."""
    ports: tuple[PeerPort, ...] = ()
    node: str = ""
    """Where an endpoint is; empty for a network set."""

    def is_like(self, other: Peer) -> bool:
        """Whether nothing about it differs."""
        return (
            self.networks == other.networks
            and self.values == other.values
            and self.names == other.names
            and self.profiles == other.profiles
            and self.ports == other.ports
            and self.node == other.node
        )

    def effective_labels(self, labels_of: LabelsOfProfile) -> dict[str, str]:
        return effective_labels(self.names, self.values, self.profiles, labels_of)

    def members(self, port: NamedPort | None) -> Iterator[Member]:
        """Its members in a set of addresses, or of *port*."""
        if port is None:
            yield from self.networks
            return
        for owned in self.ports:
            if owned.name == port.name and port.protocol in (None, owned.protocol):
                for network in self.networks:
                    yield AddressPort(network.address, owned.protocol, owned.port)


def peer_of_lean(endpoint: LeanEndpoint, namespace: str) -> Peer:
    """An endpoint of another host, as the lean reader sees it."""
    labels = workload_labels(
        endpoint.labels,
        namespace=namespace,
        orchestrator=endpoint.orchestrator,
        service_account=endpoint.service_account_name,
    )
    ports = _workload_ports(endpoint.ports) if endpoint.ports else ()
    addresses = endpoint.networks if len(endpoint.networks) == 1 else tuple(dict.fromkeys(endpoint.networks))
    return Peer(*packed(labels), endpoint.profiles, addresses, ports, sys.intern(endpoint.node))


def peer_of_workload(endpoint: WorkloadEndpoint) -> Peer:
    """What *endpoint* brings: its addresses, whatever prefix length they are written with, and its named ports."""
    spec = endpoint.spec
    labels = workload_labels(
        endpoint.metadata.labels,
        namespace=endpoint.metadata.namespace,
        orchestrator=spec.orchestrator,
        service_account=spec.service_account_name,
    )
    addresses = tuple(dict.fromkeys(network.address.network() for network in spec.ip_networks))
    return Peer(*packed(labels), spec.profiles, addresses, _workload_ports(spec.ports), spec.node)


def peer_of_host_endpoint(endpoint: HostEndpoint) -> Peer:
    """A host endpoint is a peer through its expectedIPs only, never through addresses that its interface has."""
    spec = endpoint.spec
    addresses = tuple(dict.fromkeys(address.network() for address in spec.expected_ips))
    return Peer(*packed(endpoint.metadata.labels), spec.profiles, addresses, _named_ports(spec.ports), spec.node)


def peer_of_network_set(found: NetworkSet | GlobalNetworkSet) -> Peer:
    """A namespaced set has its namespace's label, and through its profile the namespace's own labels."""
    members = tuple(dict.fromkeys(part for network in networks(found.spec) for part in halves_of_everything(network)))
    labels = dict(found.metadata.labels)
    if isinstance(found, GlobalNetworkSet):
        return Peer(*packed(labels), (), members)
    labels[NAMESPACE_LABEL] = found.metadata.namespace
    return Peer(*packed(labels), (f"kns.{found.metadata.namespace}",), members)


def halves_of_everything(network: Network) -> tuple[Network, ...]:
    """Everything of a family as its two halves, since kernel sets know no /0; any other network as it is."""
    if network.prefix_len:
        return (network,)
    rest = bytes(len(network.packed) - 1)
    return Network(b"\x00" + rest, 1), Network(b"\x80" + rest, 1)


@functools.lru_cache(maxsize=4096)
def _workload_ports(ports: tuple[WorkloadEndpointPort, ...]) -> tuple[PeerPort, ...]:
    return _named_ports(ports)


def _named_ports(ports: Iterable[WorkloadEndpointPort | EndpointPort]) -> tuple[PeerPort, ...]:
    return tuple(dict.fromkeys(PeerPort(port.name, port.protocol, port.port) for port in ports if port.name))
