"""Random resources that are about hosts: nodes, host endpoints, settings."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from random import Random
from typing import Any

from tortie.model.endpoint import EndpointPort, HostEndpoint, HostEndpointSpec
from tortie.model.felix import FelixConfiguration, FelixConfigurationSpec
from tortie.model.felix_values import ProtoPort
from tortie.model.ipam import IPPool, IPPoolSpec
from tortie.model.meta import HostName, ObjectMeta
from tortie.model.topology import Node, NodeBGPSpec, NodeSpec
from tortie.net import SCTP, TCP, UDP, Address, Family, Network
from tortie.testing.topology import UPLINKS, own_addresses
from tortie.testing.vocabulary import LABELS, NODE_LABELS, PORT_NAMES, PORT_NUMBERS, chance, random_labels, some
from tortie.verdict.names import DEFAULT_ALLOW


def random_nodes(rng: Random, hosts: Sequence[HostName]) -> Iterator[Node]:
    for index, host in enumerate(hosts):
        v4, v6 = own_addresses(index, UPLINKS[0])
        bgp = NodeBGPSpec(ipv4_address=f"{v4}/24", ipv6_address=f"{v6}/64")
        labels = random_labels(rng, NODE_LABELS)
        yield Node(metadata=ObjectMeta(name=host, labels=labels), spec=NodeSpec(bgp=bgp))


def random_pools(rng: Random) -> Iterator[IPPool]:
    """Of each family perhaps one, whose packets hosts may carry in a tunnel."""
    for cidr in ("10.65.0.0/16", "fd00:65::/64"):
        if chance(rng, 0.5):
            modes: list[dict[str, Any]] = [{"vxlan_mode": "Always"}, {"vxlan_mode": "CrossSubnet"}, {}]
            modes += [{"ipip_mode": "Always"}] * 3 if "." in cidr else []
            spec = IPPoolSpec(cidr=Network.parse(cidr), **rng.choice(modes))
            yield IPPool(metadata=ObjectMeta(name="v4" if "." in cidr else "v6"), spec=spec)


# --- host endpoints ------------------------------------------------------------------------------------------------------


def random_host_endpoints(
    rng: Random, hosts: Sequence[HostName], addresses: Sequence[Address], links: Sequence[str]
) -> Iterator[HostEndpoint]:
    """Of each host none to three, so that some stand on one interface; *links* are names of workloads' interfaces."""
    for index, host in enumerate(hosts):
        for name in rng.sample("abc", rng.choice((0, 1, 1, 1, 2, 3))):
            own = [address for uplink in UPLINKS for address in own_addresses(index, uplink)]
            yield HostEndpoint(
                metadata=ObjectMeta(name=f"{host}-{name}", labels=random_labels(rng, LABELS)),
                spec=HostEndpointSpec(
                    node=host,
                    **_where(rng, own, addresses, links),
                    profiles=rng.choice(((), (), (DEFAULT_ALLOW,), (DEFAULT_ALLOW,), ("custom",), ("missing",))),
                    ports=_ports(rng),
                ),
            )


def _where(rng: Random, own: Sequence[Address], addresses: Sequence[Address], links: Sequence[str]) -> dict[str, Any]:
    """By the interface's name, by addresses, or by both, which need not fit; or all that have none of their own."""
    match rng.choices(("name", "addresses", "all", "link"), (8, 6, 6, 1))[0]:
        case "name":
            expected = some(rng, sorted({*own, *addresses}), 2) if chance(rng, 0.5) else ()
            return {"interface_name": rng.choice((*UPLINKS, UPLINKS[0], "lo", "eth9")), "expected_ips": expected}
        case "addresses":
            return {"expected_ips": some(rng, (*own, addresses[0]), 3)}
        case "all":
            return {"interface_name": "*", "expected_ips": tuple(own) if chance(rng, 0.5) else ()}
        case _:
            return {"interface_name": rng.choice(links)}


def _ports(rng: Random) -> tuple[EndpointPort, ...]:
    return tuple(
        EndpointPort(name=name, protocol=rng.choice((TCP, TCP, UDP, SCTP)), port=rng.choice(PORT_NUMBERS))
        for name in rng.sample(PORT_NAMES, rng.choice((0, 0, 1, 2)))
    )


# --- settings ------------------------------------------------------------------------------------------------------------


def random_settings(rng: Random, hosts: Sequence[HostName], nets: Sequence[Network]) -> Iterator[FelixConfiguration]:
    """Mostly none; else of the whole cluster, of some nodes by their labels, or of one."""
    for name, selector in (("default", ""), ("some", 'rack == "one"'), (f"node.{hosts[0]}", "")):
        if chance(rng, 0.3):
            spec = FelixConfigurationSpec(node_selector=selector, **_fields(rng, nets))
            yield FelixConfiguration(metadata=ObjectMeta(name=name), spec=spec)


def _fields(rng: Random, nets: Sequence[Network]) -> dict[str, Any]:
    choices: dict[str, Any] = {
        "default_endpoint_to_host_action": rng.choice(("Drop", "Accept", "Accept", "Return")),
        "failsafe_inbound_host_ports": _failsafes(rng, nets),
        "failsafe_outbound_host_ports": _failsafes(rng, nets),
        "vxlan_port": rng.choice((4789, 4789, 8080)),
        "external_nodes_cidr_list": tuple(str(net) for net in some(rng, nets, 2) if net.family is Family.V4),
        "allow_vxlan_packets_from_workloads": chance(rng, 0.7),
        "allow_ipip_packets_from_workloads": chance(rng, 0.7),
        "disable_conntrack_invalid_check": chance(rng, 0.7),
        "workload_source_spoofing": rng.choice(("Any", "Any", "Disabled")),
        "interface_prefix": rng.choice(("cali", "cali,tap", "tap,cali")),
        "nftables_filter_deny_action": rng.choice(("Reject", "Reject", "Drop")),
        "log_prefix": rng.choice(("seen", "%t %k %p")),
        "log_action_rate_limit": rng.choice(("1/second", "9999/day")),
        "nftables_mark_mask": rng.choice((0xFFFF0000, 0xFF000000)),
    }
    return {name: value for name, value in choices.items() if chance(rng, 0.4)}


def _failsafes(rng: Random, nets: Sequence[Network]) -> tuple[ProtoPort, ...]:
    return tuple(
        ProtoPort(
            protocol=rng.choice(("", "TCP", "udp")),
            port=rng.choice(PORT_NUMBERS),
            net=str(rng.choice(nets)) if chance(rng, 0.4) else "",
        )
        for _ in range(rng.choice((0, 1, 2, 3)))
    )
