"""What policy knows by labels: workload endpoints, host endpoints and network sets, each with all the labels it has from anywhere."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec

from tortie.model.endpoint import (
    EndpointPort,
    HostEndpoint,
    WorkloadEndpoint,
    WorkloadEndpointPort,
    WorkloadEndpointSpec,
)
from tortie.model.policy import Profile
from tortie.model.sets import GlobalNetworkSet, NetworkSet, networks
from tortie.net import Address, Family, Network, Protocol
from tortie.verdict.names import NAMESPACE, ORCHESTRATOR, SERVICE_ACCOUNT, WILDCARD
from tortie.verdict.refs import NO_ADDRESS, EndpointRef


class Peer(msgspec.Struct, frozen=True, kw_only=True):
    """Anything that a rule's selectors can find, by the addresses that it has."""

    labels: Mapping[str, str]
    networks: tuple[Network, ...]
    """An endpoint's are single addresses."""
    ports: tuple[WorkloadEndpointPort | EndpointPort, ...] = ()

    def has(self, address: Address) -> bool:
        return any(network.contains(address) for network in self.networks)

    def has_port(self, name: str, protocol: Protocol, number: int | None) -> bool:
        """Whether *number* of *protocol* is its port called *name*."""
        return any(port.name == name and port.protocol == protocol and port.port == number for port in self.ports)


class Endpoint(Peer, frozen=True, kw_only=True):
    """A workload endpoint."""

    namespace: str
    name: str
    workload: str
    """The pod's or other workload's name: ``namespace/workload`` is how people call it."""
    rank: tuple[str, str, str]
    """Orchestrator, workload and interface in it: of two that claim one link the lower rank has it."""
    profiles: tuple[str, ...]
    node: str
    interface: str
    """The link on the node."""
    spoofable: tuple[Network, ...]
    """Sources that it may use although they are not its own, if the host's settings let it."""

    @property
    def addresses(self) -> tuple[Address, ...]:
        return tuple(network.address for network in self.networks)

    def at(self, family: Family) -> EndpointRef:
        """This endpoint by its first address of *family*; LookupError if it has addresses, but none of that family."""
        if not self.networks:
            return EndpointRef(self.namespace, self.name, NO_ADDRESS[family])
        for address in self.addresses:
            if address.family is family:
                return EndpointRef(self.namespace, self.name, address)
        raise LookupError(f"{self.namespace}/{self.workload} has no IPv{family} address")


class HostInterface(Peer, frozen=True, kw_only=True):
    """A host endpoint. As a peer it is found by its expected addresses only, whatever its interface has."""

    name: str
    node: str
    interface: str
    """``*``: all that have none of their own; empty: any that has one of the expected addresses."""
    profiles: tuple[str, ...]

    @property
    def is_wildcard(self) -> bool:
        return self.interface == WILDCARD

    def stands_on(self, ifname: str, addresses: frozenset[Address]) -> bool:
        """Whether it claims the interface of that name and those addresses; a name, if it says one, is all that counts."""
        if self.interface:
            return self.interface == ifname
        return any(network.address in addresses for network in self.networks)


def workload_endpoint(resource: WorkloadEndpoint, profiles: Mapping[str, Profile]) -> Endpoint:
    """The endpoint that *resource* describes. What it is wins over its own labels, and those over its profiles'."""
    spec, metadata = resource.spec, resource.metadata
    # pcns. and pcsa. labels come from profiles only; else a workload could claim another namespace's.
    own = {key: value for key, value in metadata.labels.items() if not key.startswith(("pcns.", "pcsa."))}
    identity = {
        NAMESPACE: metadata.namespace,
        ORCHESTRATOR: spec.orchestrator,
        SERVICE_ACCOUNT: spec.service_account_name,
    }
    return Endpoint(
        namespace=metadata.namespace,
        name=metadata.name,
        workload=spec.pod or spec.workload or spec.container_id,
        rank=(spec.orchestrator, f"{metadata.namespace}/{_identity(spec)}", spec.endpoint),
        labels=_inherited(spec.profiles, profiles) | own | {key: value for key, value in identity.items() if value},
        networks=tuple(network.address.network() for network in spec.ip_networks),
        ports=spec.ports,
        profiles=spec.profiles,
        node=spec.node,
        interface=spec.interface_name,
        spoofable=tuple(Network.parse(text, strict=False) for text in spec.allow_spoofed_source_prefixes),
    )


def _identity(spec: WorkloadEndpointSpec) -> str:
    """What the orchestrator knows the workload by."""
    of_orchestrator = {"k8s": spec.pod, "cni": spec.container_id}.get(spec.orchestrator, spec.workload)
    return of_orchestrator or spec.pod or spec.workload or spec.container_id


def host_endpoint(resource: HostEndpoint, profiles: Mapping[str, Profile]) -> HostInterface:
    """The host endpoint that *resource* describes."""
    spec = resource.spec
    return HostInterface(
        name=resource.metadata.name,
        labels={**_inherited(spec.profiles, profiles), **resource.metadata.labels},
        networks=tuple(address.network() for address in spec.expected_ips),
        ports=spec.ports,
        profiles=spec.profiles,
        node=spec.node,
        interface=spec.interface_name,
    )


def network_set(resource: NetworkSet | GlobalNetworkSet, profiles: Mapping[str, Profile]) -> Peer:
    """What *resource* brings. A namespaced one has its namespace's label, and through the profile the namespace's own labels."""
    labels = dict(resource.metadata.labels)
    if isinstance(resource, NetworkSet):
        namespace = resource.metadata.namespace
        labels = _inherited((f"kns.{namespace}",), profiles) | labels | {NAMESPACE: namespace}
    return Peer(labels=labels, networks=networks(resource.spec))


def _inherited(names: Sequence[str], profiles: Mapping[str, Profile]) -> dict[str, str]:
    """The labels that profiles give; of several with one label the first counts."""
    labels: dict[str, str] = {}
    for name in reversed(names):
        if name in profiles:
            labels |= profiles[name].spec.labels_to_apply
    return labels
