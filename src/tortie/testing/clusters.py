"""Random small clusters with everything that bears on policy, for differential tests. A seed always gives the same.

    cluster = random_cluster(Random(7), hosts=2)
    for flow in random_flows(Random(8), cluster, 100):   # tortie.testing.flows
        Cluster.of(cluster.calico()).judge(flow)

Everything is a value that ``tortie.model.codec`` can write, so that a found case can be kept as a file.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from random import Random
from typing import Any

import msgspec

from tortie.conversion import interface_name, meaning, workload_endpoint
from tortie.model import kubernetes
from tortie.model.endpoint import WorkloadEndpoint
from tortie.model.kinds import kind_of
from tortie.model.kubernetes_endpointslice import EndpointSlice
from tortie.model.meta import HostName, ObjectMeta, Resource
from tortie.model.policy import Profile, Tier, TierSpec
from tortie.model.qos import QoSControls
from tortie.net import MAC, Address, Network
from tortie.testing import kubernetes_policies
from tortie.testing.hostresources import random_host_endpoints, random_nodes, random_pools, random_settings
from tortie.testing.policies import (
    Setting,
    random_global_network_policy,
    random_network_policy,
    random_profile,
    random_staged_policy,
)
from tortie.testing.sets import random_endpoint_slices, random_network_sets
from tortie.testing.topology import OUTSIDE, UPLINKS, Topology, own_addresses, workload_addresses
from tortie.testing.vocabulary import (
    ACCOUNT_LABELS,
    ACCOUNTS,
    LABELS,
    NAMESPACE_LABELS,
    ORDERS,
    POLICY_NAMES,
    PORT_NAMES,
    PORT_NUMBERS,
    chance,
    random_labels,
    some,
)
from tortie.verdict.names import DEFAULT_ALLOW

_EXISTING_TIERS = ("default", "first", "last", "kube-admin", "kube-baseline")
_MISSING_TIERS = ("nowhere", "astray")
_PINNED = {"default": (1_000_000.0, "Deny"), "kube-admin": (1_000.0, "Pass"), "kube-baseline": (10_000_000.0, "Pass")}
"""Order and action of tiers that the API does not let anybody change."""

_KINDS = {
    "kubernetes": 3,
    "calico": 7,
    "global": 8,
    "cluster": 2,
    "staged kubernetes": 1,
    "staged": 2,
    "staged global": 2,
}
"""Of policies, and how often each is made."""


class RandomCluster(msgspec.Struct, frozen=True, kw_only=True):
    """A cluster's resources, as people and hosts write them."""

    hosts: tuple[HostName, ...]
    resources: tuple[Resource, ...]
    """Calico's kinds and Kubernetes' own; workload endpoints included."""

    def __repr__(self) -> str:
        """Short: a failing test says which seed to make it of."""
        return f"RandomCluster of {len(self.resources)} resources on {len(self.hosts)} hosts"

    @property
    def endpoints(self) -> tuple[WorkloadEndpoint, ...]:
        return tuple(resource for resource in self.resources if isinstance(resource, WorkloadEndpoint))

    @property
    def topology(self) -> Topology:
        return Topology.of(self.hosts, self.endpoints)

    def calico(self) -> tuple[Resource, ...]:
        """What oracle and calculation are told: Calico's kinds, those that Kubernetes objects mean among them, and EndpointSlices."""
        own = (r for r in self.resources if not kind_of(r).is_kubernetes or isinstance(r, EndpointSlice))
        return (*own, *(converted for resource in self.resources for converted in meaning(resource).values()))


def random_cluster(rng: Random, hosts: int = 2) -> RandomCluster:
    """2 to 4 namespaces, 3 to 6 workloads with an address of each family on *hosts* hosts, and up to 8 policies."""
    host_names = tuple(HostName(f"host-{number}") for number in range(1, hosts + 1))
    namespaces = tuple(_namespace(rng, f"ns-{letter}") for letter in "abcd"[: rng.randint(2, 4)])
    names = [source.metadata.name for source in namespaces]
    endpoints = tuple(_endpoint(rng, number, rng.choice(names), host_names) for number in range(rng.randint(3, 6)))
    addresses = _addresses(host_names, endpoints)
    nets = _nets(addresses)
    # Few tiers and orders, or hardly two policies would be asked one after the other, and ties were rare.
    tiers = (*some(rng, (*_EXISTING_TIERS, *_MISSING_TIERS), 3), "default")
    setting = Setting(tiers=tiers, orders=some(rng, ORDERS, 2), namespaces=names, nets=nets)
    links = [endpoint.spec.interface_name for endpoint in endpoints]
    return RandomCluster(
        hosts=host_names,
        resources=(
            *(namespace for namespace in namespaces if chance(rng, 0.95)),
            *_accounts(rng, names),
            *_tiers(rng),
            *_profiles(rng, nets),
            *endpoints,
            *random_nodes(rng, host_names),
            *random_pools(rng),
            *random_host_endpoints(rng, host_names, addresses, links),
            *random_settings(rng, host_names, nets),
            *random_network_sets(rng, names, nets, addresses),
            *random_endpoint_slices(rng, names, addresses),
            *_policies(rng, setting),
        ),
    )


def _namespace(rng: Random, name: str) -> kubernetes.Namespace:
    return kubernetes.Namespace(metadata=ObjectMeta(name=name, labels=random_labels(rng, NAMESPACE_LABELS)))


def _accounts(rng: Random, namespaces: Sequence[str]) -> Iterator[kubernetes.ServiceAccount]:
    """Of each namespace some; workloads run under the others too."""
    for namespace in namespaces:
        for name in ACCOUNTS:
            if chance(rng, 0.8):
                metadata = ObjectMeta(name=name, namespace=namespace, labels=random_labels(rng, ACCOUNT_LABELS))
                yield kubernetes.ServiceAccount(metadata=metadata)


def _tiers(rng: Random) -> Iterator[Tier]:
    for name in _EXISTING_TIERS:
        order, action = _PINNED.get(name, (rng.choice((None, 10.0, 10.0, 2_000_000.0)), rng.choice(("Pass", "Deny"))))
        spec: dict[str, Any] = {"order": order, "default_action": action}
        yield Tier(metadata=ObjectMeta(name=name), spec=TierSpec(**spec))


def _profiles(rng: Random, nets: Sequence[Network]) -> Iterator[Profile]:
    """One with random rules; now and then one in place of that which is always there."""
    yield random_profile(rng, "custom", nets)
    if chance(rng, 0.05):
        yield random_profile(rng, DEFAULT_ALLOW, nets)


# --- workloads -----------------------------------------------------------------------------------------------------------


def _endpoint(rng: Random, number: int, namespace_name: str, hosts: Sequence[HostName]) -> WorkloadEndpoint:
    pod = kubernetes.Pod(
        metadata=ObjectMeta(name=f"pod-{number}", namespace=namespace_name, labels=random_labels(rng, LABELS)),
        spec=kubernetes.PodSpec(
            service_account_name=rng.choice(("", *ACCOUNTS)),
            containers=(kubernetes.Container(name="main", ports=_container_ports(rng)),),
        ),
    )
    host = rng.randrange(len(hosts))
    # One block of each family a host, as IPAM would have it: nets in rules then tell hosts apart.
    endpoint = workload_endpoint(
        pod,
        node=hosts[host],
        ifname=interface_name(namespace_name, pod.metadata.name),
        mac=MAC(bytes((2, 0, 0, 0, 0, number + 1))),
        networks=tuple(address.network() for address in workload_addresses(host, number)),
    )
    return _with_peculiarities(rng, endpoint)


def _container_ports(rng: Random) -> tuple[kubernetes.ContainerPort, ...]:
    names = some(rng, PORT_NAMES, 2)
    return tuple(
        kubernetes.ContainerPort(
            name=name,
            container_port=rng.choice(PORT_NUMBERS),
            protocol=rng.choice(("TCP", "TCP", "UDP", "SCTP")),
        )
        for name in names
    )


def _with_peculiarities(rng: Random, endpoint: WorkloadEndpoint) -> WorkloadEndpoint:
    """Now and then other profiles, sources that are not its own, or limits, wide enough that no test meets them."""
    of_namespace = endpoint.spec.profiles[:1]
    changes: dict[str, Any] = {}
    if chance(rng, 0.2):
        changes["profiles"] = rng.choice(
            ((), ("custom",), ("custom", *of_namespace), ("missing", *of_namespace), (*of_namespace, "missing"))
        )
    if chance(rng, 0.2):
        changes["allow_spoofed_source_prefixes"] = some(rng, ("198.51.100.0/24", "10.65.0.0/16", "2001:db8::/32"), 2)
    if chance(rng, 0.1):
        wide = QoSControls(ingress_packet_rate=10_000, ingress_packet_burst=10_000, egress_max_connections=1_000_000)
        changes["qos_controls"] = wide
    return msgspec.structs.replace(endpoint, spec=msgspec.structs.replace(endpoint.spec, **changes))


# --- what rules may name -------------------------------------------------------------------------------------------------


def _addresses(hosts: Sequence[HostName], endpoints: Sequence[WorkloadEndpoint]) -> list[Address]:
    """All there are: of workloads, of hosts, and outside."""
    of_workloads = [network.address for endpoint in endpoints for network in endpoint.spec.ip_networks]
    of_hosts = [a for index in range(len(hosts)) for uplink in UPLINKS for a in own_addresses(index, uplink)]
    return [*of_workloads, *of_hosts, *(address for addresses in OUTSIDE.values() for address in addresses)]


def _nets(addresses: Sequence[Address]) -> list[Network]:
    """Everything, the cluster, its hosts' blocks, parts of them, and single addresses."""
    wide = ("0.0.0.0/0", "::/0", "10.65.0.0/16", "fd00:65::/32", "10.65.0.0/24", "fd00:65::/64", "10.65.1.0/24")
    parts = ("10.65.0.0/30", "10.65.0.0/23", "fd00:65::/126", "fd00:65::/63")  # lengths that end within a byte
    return [*map(Network.parse, (*wide, *parts)), *(address.network() for address in addresses)]


# --- policies ------------------------------------------------------------------------------------------------------------


def _policies(rng: Random, setting: Setting) -> Iterator[Resource]:
    """Up to eight, and now and then of two kinds with one name."""
    for name in rng.sample(POLICY_NAMES, rng.choice((0, 2, 3, 4, 5, 6, 7, 8))):
        kinds = rng.choices(tuple(_KINDS), tuple(_KINDS.values()), k=2 if chance(rng, 0.1) else 1)
        yield from (_policy(rng, kind, name, setting) for kind in dict.fromkeys(kinds))


def _policy(rng: Random, kind: str, name: str, setting: Setting) -> Resource:
    namespace = rng.choice(setting.namespaces)
    match kind:
        case "kubernetes":
            return kubernetes_policies.random_kubernetes_policy(rng, name, namespace, setting.nets)
        case "staged kubernetes":
            return kubernetes_policies.random_staged_kubernetes_policy(rng, name, namespace, setting.nets)
        case "cluster":
            return kubernetes_policies.random_cluster_network_policy(rng, name, setting.nets)
        case "calico":
            return random_network_policy(rng, name, namespace, setting)
        case "staged":
            return random_staged_policy(rng, random_network_policy(rng, name, namespace, setting))
        case "staged global":
            return random_staged_policy(rng, random_global_network_policy(rng, name, setting))
        case _:
            return random_global_network_policy(rng, name, setting)
