"""What stands in a lab's datastore before anything else: the cluster, its hosts, their pools, blocks and BGP peers, its DNS."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import msgspec

from tortie.conversion import meaning
from tortie.ipam import block_key, new_block
from tortie.lab import layout
from tortie.lab.layout import HostLayout
from tortie.model.blocks import BlockKey
from tortie.model.defaults import for_storage
from tortie.model.kinds import key_of
from tortie.model.kubernetes import Container, ContainerPort, Namespace, Pod, PodSpec, Service, ServicePort, ServiceSpec
from tortie.model.meta import ObjectMeta, Resource
from tortie.model.policy import Action, Profile, ProfileSpec, Rule, Tier, TierSpec
from tortie.model.topology import (
    BGPConfiguration,
    BGPConfigurationSpec,
    BGPPeer,
    BGPPeerSpec,
    BlockAffinity,
    ClusterInformation,
    ClusterInformationSpec,
    IPPool,
    IPPoolSpec,
    Node,
    NodeBGPSpec,
    NodeSpec,
)

_RESTART_TIME = f"{layout.RESTART_TIME_S}s"


def entries(
    hosts: Sequence[HostLayout], *, uid: Callable[[], str], creation_timestamp: str
) -> tuple[tuple[str, bytes], ...]:
    """The keys and values to write, in order, for a cluster of *hosts*; every resource gets a *uid* of its own."""
    return (
        *(
            (_key(resource), for_storage(resource, uid=uid(), creation_timestamp=creation_timestamp))
            for resource in _resources(hosts)
        ),
        *(entry for host in hosts for entry in _blocks(host)),
    )


def _resources(hosts: Sequence[HostLayout]) -> Iterator[Resource]:
    yield ClusterInformation(
        metadata=ObjectMeta(name="default"),
        spec=ClusterInformationSpec(cluster_type="tortie-lab", datastore_ready=True),
    )
    yield Tier(metadata=ObjectMeta(name="default"), spec=TierSpec(order=1_000_000))
    yield Tier(metadata=ObjectMeta(name="kube-admin"), spec=TierSpec(order=1_000, default_action="Pass"))
    yield Tier(metadata=ObjectMeta(name="kube-baseline"), spec=TierSpec(order=10_000_000, default_action="Pass"))
    allow = (Rule(action=Action.ALLOW),)
    yield Profile(
        metadata=ObjectMeta(name="projectcalico-default-allow"), spec=ProfileSpec(ingress=allow, egress=allow)
    )
    yield BGPConfiguration(
        metadata=ObjectMeta(name="default"),
        spec=BGPConfigurationSpec(as_number=layout.AS_NUMBER, node_mesh_max_restart_time=_RESTART_TIME),
    )
    for name, address in (("fabric-ipv4", layout.FABRIC_V4), ("fabric-ipv6", layout.FABRIC_V6)):
        yield BGPPeer(
            metadata=ObjectMeta(name=name),
            spec=BGPPeerSpec(peer_ip=str(address), as_number=layout.AS_NUMBER, max_restart_time=_RESTART_TIME),
        )
    for name, cidr, length in (
        ("ipv4", layout.POOL_V4, layout.BLOCK_LENGTH_V4),
        ("ipv6", layout.POOL_V6, layout.BLOCK_LENGTH_V6),
    ):
        yield IPPool(metadata=ObjectMeta(name=name), spec=IPPoolSpec(cidr=cidr, block_size=length))
    for host in hosts:
        yield _node(host)
    yield from _cluster_dns(hosts[0])


def _node(host: HostLayout) -> Node:
    bgp = NodeBGPSpec(ipv4_address=str(host.ipv4.network()), ipv6_address=str(host.ipv6.network()))
    labels = {"kubernetes.io/hostname": str(host.name)}
    return Node(metadata=ObjectMeta(name=host.name, labels=labels), spec=NodeSpec(bgp=bgp))


def _cluster_dns(host: HostLayout) -> Iterator[Resource]:
    """The namespace, pod and service of the DNS server, named and labelled as every cluster's are."""
    where, _, name = layout.DNS_WORKLOAD.partition("/")
    namespace = Namespace(metadata=ObjectMeta(name=where))
    yield namespace
    yield from meaning(namespace).values()
    metadata = ObjectMeta(namespace=where, name=name, labels={"k8s-app": "kube-dns"})
    ports = tuple(ServicePort(name=f"dns-{p.lower()}", port=layout.DNS_PORT, protocol=p) for p in ("UDP", "TCP"))
    container = Container(
        name="dns",
        image="tortie/lab-dns",
        command=("dns",),
        ports=tuple(ContainerPort(name=port.name, container_port=port.port, protocol=port.protocol) for port in ports),
    )
    yield Pod(metadata=metadata, spec=PodSpec(node_name=host.name, containers=(container,)))
    addresses = (str(layout.DNS_V4), str(layout.DNS_V6))
    spec = ServiceSpec(selector=metadata.labels, ports=ports, cluster_ip=addresses[0], cluster_ips=addresses)
    yield Service(metadata=metadata, spec=spec)


def _blocks(host: HostLayout) -> Iterator[tuple[str, bytes]]:
    for network in host.blocks:
        yield BlockKey(host.name, network).path, msgspec.json.encode(BlockAffinity())
        yield block_key(network), msgspec.json.encode(new_block(network, host.name))


def _key(resource: Resource) -> str:
    return key_of(resource).path
