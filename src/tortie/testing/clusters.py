"""Random small clusters and the flows to try in them, for differential tests. A seed always gives the same.

    cluster = random_cluster(Random(7), hosts=2)
    for flow in random_flows(Random(8), cluster, 100):
        Cluster.of(cluster.calico()).judge(flow)

Everything is a value that ``tortie.model.codec`` can write, so that a found case can be kept as a file.
"""

from __future__ import annotations

from collections.abc import Sequence
from random import Random

import msgspec

from tortie.conversion import interface_name, meaning, workload_endpoint
from tortie.model import kubernetes
from tortie.model.endpoint import WorkloadEndpoint
from tortie.model.kinds import kind_of
from tortie.model.meta import HostName, ObjectMeta, Resource
from tortie.model.policy import Profile, ProfileSpec, Tier, TierSpec
from tortie.net import ICMP, ICMPV6, MAC, SCTP, TCP, UDP, Address, Family, Network, Protocol
from tortie.testing import policies as random_policies
from tortie.testing.policies import Vocabulary, chance, some
from tortie.verdict import EndpointRef, Flow

OUTSIDE = tuple(Address.parse(text) for text in ("192.0.2.1", "198.51.100.7", "2001:db8:1::1", "2001:db8:2::7"))
"""Addresses of nobody in the cluster, two of each family."""

_EXISTING_TIERS = ("default", "first", "last")
_MISSING_TIER = "nowhere"


class RandomCluster(msgspec.Struct, frozen=True, kw_only=True):
    """A cluster's resources, as people and hosts write them."""

    hosts: tuple[HostName, ...]
    resources: tuple[Resource, ...]
    """Calico's kinds and Kubernetes' Namespace and NetworkPolicy; workload endpoints included."""

    @property
    def endpoints(self) -> tuple[WorkloadEndpoint, ...]:
        return tuple(resource for resource in self.resources if isinstance(resource, WorkloadEndpoint))

    def calico(self) -> tuple[Resource, ...]:
        """The resources of Calico's kinds, those that the Kubernetes objects mean among them."""
        own = [resource for resource in self.resources if not kind_of(resource).is_kubernetes]
        meant = [converted for resource in self.resources for converted in meaning(resource).values()]
        return (*own, *meant)


def random_cluster(rng: Random, hosts: int = 2) -> RandomCluster:
    """2 to 4 namespaces, 3 to 6 workloads with an address of each family on *hosts* hosts, and up to 6 policies."""
    host_names = tuple(HostName(f"host-{number}") for number in range(1, hosts + 1))
    namespaces = tuple(_namespace(rng, f"ns-{letter}") for letter in "abcd"[: rng.randint(2, 4)])
    names = [source.metadata.name for source in namespaces]
    endpoints = tuple(_endpoint(rng, number, rng.choice(names), host_names) for number in range(rng.randint(3, 6)))
    nets = _nets(endpoints)
    resources: list[Resource] = [*namespaces, *_tiers(rng), *_profiles(rng, names, nets), *endpoints]
    resources += _policies(rng, names, nets)
    return RandomCluster(hosts=host_names, resources=tuple(resources))


def _namespace(rng: Random, name: str) -> kubernetes.Namespace:
    return kubernetes.Namespace(metadata=ObjectMeta(name=name, labels=_labels(rng, random_policies.NAMESPACE_LABELS)))


def _labels(rng: Random, vocabulary: Vocabulary) -> dict[str, str]:
    return {label: rng.choice(values) for label, values in vocabulary.items() if chance(rng, 0.7)}


def _tiers(rng: Random) -> list[Tier]:
    def tier(name: str) -> Tier:
        if name == "default":
            return Tier(metadata=ObjectMeta(name=name), spec=TierSpec(order=1_000_000.0))  # The API pins both fields.
        order = rng.choice((None, 10.0, 10.0, 2_000_000.0))
        spec = TierSpec(order=order, default_action="Pass" if chance(rng, 0.5) else "Deny")
        return Tier(metadata=ObjectMeta(name=name), spec=spec)

    return [tier(name) for name in _EXISTING_TIERS]


def _profiles(rng: Random, namespaces: Sequence[str], nets: Sequence[Network]) -> list[Profile]:
    """Those of service accounts, some of which have none, and one with random rules."""
    accounts = [
        Profile(
            metadata=ObjectMeta(name=f"ksa.{name}.{account}"),
            spec=ProfileSpec(
                labels_to_apply={
                    "pcsa.projectcalico.org/name": account,
                    **{f"pcsa.{k}": v for k, v in _labels(rng, random_policies.ACCOUNT_LABELS).items()},
                }
            ),
        )
        for name in namespaces
        for account in random_policies.ACCOUNTS
        if chance(rng, 0.8)
    ]
    return [*accounts, random_policies.random_profile(rng, "custom", nets)]


# --- workloads -----------------------------------------------------------------------------------------------------------


def _endpoint(rng: Random, number: int, namespace_name: str, hosts: Sequence[HostName]) -> WorkloadEndpoint:
    pod = kubernetes.Pod(
        metadata=ObjectMeta(
            name=f"pod-{number}", namespace=namespace_name, labels=_labels(rng, random_policies.LABELS)
        ),
        spec=kubernetes.PodSpec(
            service_account_name=rng.choice(("", *random_policies.ACCOUNTS)),
            containers=(kubernetes.Container(name="main", ports=_container_ports(rng)),),
        ),
    )
    host = rng.randrange(len(hosts))
    # One block of each family a host, as IPAM would have it: nets in rules then tell hosts apart.
    networks = (Network.parse(f"10.65.{host}.{number + 1}"), Network.parse(f"fd00:65:0:{host}::{number + 1}"))
    endpoint = workload_endpoint(
        pod,
        node=hosts[host],
        ifname=interface_name(namespace_name, pod.metadata.name),
        mac=MAC(bytes((2, 0, 0, 0, 0, number + 1))),
        networks=networks,
    )
    return _with_other_profiles(rng, endpoint) if chance(rng, 0.2) else endpoint


def _container_ports(rng: Random) -> tuple[kubernetes.ContainerPort, ...]:
    names = some(rng, random_policies.PORT_NAMES, 2)
    return tuple(
        kubernetes.ContainerPort(
            name=name,
            container_port=rng.choice(random_policies.PORT_NUMBERS),
            protocol=rng.choice(("TCP", "TCP", "UDP", "SCTP")),
        )
        for name in names
    )


def _with_other_profiles(rng: Random, endpoint: WorkloadEndpoint) -> WorkloadEndpoint:
    of_namespace = endpoint.spec.profiles[:1]
    profiles = rng.choice(
        ((), ("custom",), ("custom", *of_namespace), ("missing", *of_namespace), (*of_namespace, "missing"))
    )
    return msgspec.structs.replace(endpoint, spec=msgspec.structs.replace(endpoint.spec, profiles=profiles))


# --- policies ------------------------------------------------------------------------------------------------------------


def _nets(endpoints: Sequence[WorkloadEndpoint]) -> list[Network]:
    """What rules may name: everything, the cluster, its hosts' blocks, single workloads, and the outside."""
    wide = ("0.0.0.0/0", "::/0", "10.65.0.0/16", "fd00:65::/32", "10.65.0.0/24", "fd00:65::/64", "10.65.1.0/24")
    parts = ("10.65.0.0/30", "10.65.0.0/23", "fd00:65::/126", "fd00:65::/63")  # lengths that end within a byte
    workloads = [network for endpoint in endpoints for network in endpoint.spec.ip_networks]
    return [*map(Network.parse, (*wide, *parts)), *workloads, *(address.network() for address in OUTSIDE)]


def _policies(rng: Random, namespaces: Sequence[str], nets: Sequence[Network]) -> list[Resource]:
    tiers = (*_EXISTING_TIERS, "default", "default", _MISSING_TIER)
    made: list[Resource] = []
    for name in rng.sample(random_policies.POLICY_NAMES, rng.choice((0, 1, 2, 3, 4, 5, 6, 6))):
        where = rng.choice(namespaces)
        match rng.choice(("kubernetes", "calico", "calico", "global")):
            case "kubernetes":
                made.append(random_policies.random_kubernetes_policy(rng, name, where, nets))
            case "calico":
                made.append(random_policies.random_network_policy(rng, name, where, tiers, nets))
            case _:
                made.append(random_policies.random_global_network_policy(rng, name, tiers, nets))
    return made


# --- flows ---------------------------------------------------------------------------------------------------------------


def random_flows(
    rng: Random, cluster: RandomCluster, count: int, protocols: Sequence[Protocol] = (TCP, TCP, UDP, SCTP, ICMP)
) -> tuple[Flow, ...]:
    """*count* flows with a workload at one end at least, and never the same one at both.

    *protocols* are those to choose from, as often as they are listed; ICMP stands for the family's.
    """
    return tuple(_flow(rng, cluster.endpoints, protocols) for _ in range(count))


def _flow(rng: Random, endpoints: Sequence[WorkloadEndpoint], protocols: Sequence[Protocol]) -> Flow:
    family = rng.choice((Family.V4, Family.V6))
    inside, other = (_ref(endpoint, family) for endpoint in rng.sample(endpoints, 2))
    far = rng.choice([address for address in OUTSIDE if address.family is family]) if chance(rng, 0.25) else other
    source, destination = (inside, far) if chance(rng, 0.5) else (far, inside)
    protocol = rng.choice(protocols)
    if protocol == ICMP:
        return Flow(
            source=source,
            destination=destination,
            protocol=ICMP if family is Family.V4 else ICMPV6,
            icmp_type=rng.choice(random_policies.ICMP_TYPES[family]),
            icmp_code=rng.choice((0, 0, 1)),
        )
    return Flow(
        source=source,
        destination=destination,
        protocol=protocol,
        source_port=rng.choice((*random_policies.PORT_NUMBERS, 40000, 50000, 60000)),
        destination_port=rng.choice((*random_policies.PORT_NUMBERS, *random_policies.PORT_NUMBERS, 1, 65535)),
    )


def _ref(endpoint: WorkloadEndpoint, family: Family) -> EndpointRef:
    addresses = [network.address for network in endpoint.spec.ip_networks]
    of_family = next(address for address in addresses if address.family is family)
    return EndpointRef(endpoint.metadata.namespace, endpoint.metadata.name, of_family)
