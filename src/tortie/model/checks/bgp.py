"""BGP: the cluster's settings, peers and filters."""

from __future__ import annotations

import re
from collections.abc import Iterator

from tortie.model.bgp import (
    BGPConfigurationSpec,
    BGPFilterOperation,
    BGPFilterPrefixLength,
    BGPFilterRule,
    BGPFilterSpec,
    BGPPeerSpec,
    Community,
    PrefixAdvertisement,
)
from tortie.model.checks.addresses import check_address, check_durations, check_range, is_address
from tortie.model.checks.metadata import check_port_number
from tortie.model.checks.rule import check_selector
from tortie.model.checks.violation import Violation, at_most, one_of, under
from tortie.model.codec import Document
from tortie.model.scalars import SEVERITIES
from tortie.net import Address, Family

_PEER = re.compile(r"\[(?P<v6>[^]]+)\]:(?P<port6>[0-9]+)|(?P<v4>[0-9.]+):(?P<port4>[0-9]+)|(?P<bare>[^][]+)")
_COMMUNITY_NAME = re.compile(r"[a-zA-Z0-9_.-]+")
_INTERFACE_GLOB = re.compile(r"[a-zA-Z0-9_.*-]{1,15}")
_CLUSTER_ONLY = (
    "nodeToNodeMeshEnabled", "asNumber", "serviceLoadBalancerIPs", "serviceExternalIPs", "serviceClusterIPs",
    "nodeMeshPassword", "nodeMeshMaxRestartTime",
)  # fmt: skip


# --- BGPConfiguration --------------------------------------------------------------------------------------------------------


def check_bgp_configuration_spec(spec: BGPConfigurationSpec) -> Iterator[Violation]:
    """The mesh, its times and ports, and what is announced."""
    yield from one_of(("logSeverityScreen",), spec.log_severity_screen, SEVERITIES)
    yield from check_durations(spec)
    for field, given in (
        ("nodeMeshMaxRestartTime", bool(spec.node_mesh_max_restart_time)),
        ("nodeMeshPassword", spec.node_mesh_password is not None),
    ):
        if given and not spec.node_to_node_mesh_enabled:
            yield Violation((field,), f"{field} needs the node-to-node mesh")
    yield from check_port_number(("listenPort",), spec.listen_port)
    for field, blocks in (
        ("serviceLoadBalancerIPs", spec.service_load_balancer_ips),
        ("serviceExternalIPs", spec.service_external_ips),
        ("serviceClusterIPs", spec.service_cluster_ips),
    ):
        for index, block in enumerate(blocks):
            yield from check_range((field, index, "cidr"), block.cidr)
    yield from check_address(("localWorkloadPeeringIPV4",), spec.local_workload_peering_ipv4, Family.V4)
    yield from check_address(("localWorkloadPeeringIPV6",), spec.local_workload_peering_ipv6, Family.V6)
    for index, name in enumerate(spec.ignored_interfaces):
        if name == "*" or not _INTERFACE_GLOB.fullmatch(name):
            yield Violation(
                ("ignoredInterfaces", index), f"{name!r} is not an interface's name, with '*' for a part of it"
            )
    yield from _check_announced_communities(spec)


def _check_announced_communities(spec: BGPConfigurationSpec) -> Iterator[Violation]:
    yield from at_most(("communities",), spec.communities, 500)
    yield from at_most(("prefixAdvertisements",), spec.prefix_advertisements, 500)
    if spec.communities and not spec.prefix_advertisements:
        yield Violation(("communities",), "communities are for prefixAdvertisements, and there are none")
    for index, community in enumerate(spec.communities):
        yield from under(("communities", index), _check_named_community(community))
    names = {community.name for community in spec.communities}
    for index, advertisement in enumerate(spec.prefix_advertisements):
        yield from under(("prefixAdvertisements", index), _check_advertisement(advertisement, names))


def _check_named_community(community: Community) -> Iterator[Violation]:
    if not _COMMUNITY_NAME.fullmatch(community.name):
        yield Violation(("name",), f"{community.name!r} is not a community's name: letters, digits, '_', '.' and '-'")
    yield from _check_community(("value",), community.value)


def _check_advertisement(advertisement: PrefixAdvertisement, names: set[str]) -> Iterator[Violation]:
    yield from check_range(("cidr",), advertisement.cidr)
    yield from at_most(("communities",), advertisement.communities, 50)
    for index, text in enumerate(advertisement.communities):
        if text not in names and not _is_community(text):
            message = f"{text!r} is neither the name of a community above nor a value such as 65001:100"
            yield Violation(("communities", index), message)


def _is_community(text: str) -> bool:
    """``aa:nn`` of 16-bit numbers, or ``aa:nn:mm`` of 32-bit numbers."""
    parts = text.split(":")
    limit = {2: 1 << 16, 3: 1 << 32}.get(len(parts), 0)
    return all(part.isascii() and part.isdecimal() and int(part) < limit for part in parts)


def _check_community(path: tuple[str | int, ...], text: str) -> Iterator[Violation]:
    if not _is_community(text):
        yield Violation(path, f"{text!r} is not a community: aa:nn of numbers to 65535, or aa:nn:mm to 4294967295")


def check_node_bgp_configuration(document: Document) -> Iterator[Violation]:
    """Settings of one node cannot be those of the whole cluster."""
    if not document["metadata"]["name"].startswith("node."):
        return
    for field in _CLUSTER_ONLY:
        if field in (document.get("spec") or {}):
            yield Violation(("spec", field), f"{field} is of the whole cluster; only the one named default can have it")


# --- BGPPeer -----------------------------------------------------------------------------------------------------------------


def check_bgp_peer_spec(spec: BGPPeerSpec) -> Iterator[Violation]:
    """Which nodes, which peer, and what excludes what."""
    yield from check_durations(spec)
    for field, selector in (
        ("nodeSelector", spec.node_selector),
        ("peerSelector", spec.peer_selector),
        ("localWorkloadSelector", spec.local_workload_selector),
    ):
        yield from check_selector(field, selector)
    if spec.peer_ip and _peer_address(spec.peer_ip) is None:
        yield Violation(
            ("peerIP",), f"{spec.peer_ip!r} is not a peer such as 10.0.0.1, 10.0.0.1:1179, fd00::1 or [fd00::1]:1179"
        )
    yield from _check_peer_choices(spec)
    yield from _check_reachable_by(spec)
    if spec.num_allowed_local_as_numbers is not None and spec.num_allowed_local_as_numbers < 0:
        yield Violation(("numAllowedLocalASNumbers",), f"{spec.num_allowed_local_as_numbers} is not a number from 0 on")


def _check_peer_choices(spec: BGPPeerSpec) -> Iterator[Violation]:
    exclusive = (
        ("nodeSelector", spec.node_selector, "node", spec.node),
        ("peerSelector", spec.peer_selector, "peerIP", spec.peer_ip),
        ("localWorkloadSelector", spec.local_workload_selector, "peerIP", spec.peer_ip),
        ("localWorkloadSelector", spec.local_workload_selector, "peerSelector", spec.peer_selector),
        ("nextHopMode", spec.next_hop_mode, "keepOriginalNextHop", spec.keep_original_next_hop),
    )
    for field, value, other, other_value in exclusive:
        if value and other_value:
            yield Violation((field,), f"{other} and {field} exclude each other")
    if spec.peer_selector and spec.as_number:
        yield Violation(("asNumber",), "asNumber and peerSelector exclude each other: the nodes know their own")
    if spec.local_workload_selector and not spec.as_number:
        yield Violation(("asNumber",), "localWorkloadSelector needs asNumber")


def _check_reachable_by(spec: BGPPeerSpec) -> Iterator[Violation]:
    if not spec.reachable_by:
        return
    if not spec.peer_ip:
        yield Violation(("reachableBy",), "reachableBy needs peerIP")
    peer = _peer_address(spec.peer_ip)
    yield from check_address(("reachableBy",), spec.reachable_by, peer.family if peer else None)


def _peer_address(text: str) -> Address | None:
    found = _PEER.fullmatch(text)
    if found is None:
        return None
    address = found["v6"] or found["v4"] or found["bare"]
    port = found["port6"] or found["port4"]
    family = Family.V6 if found["v6"] else Family.V4 if found["v4"] else None
    if not is_address(address, family) or (port is not None and not 1 <= int(port) <= 65535):
        return None
    return Address.parse(address)


# --- BGPFilter ---------------------------------------------------------------------------------------------------------------


def check_bgp_filter_spec(spec: BGPFilterSpec) -> Iterator[Violation]:
    """Rules of each direction and family."""
    for field, rules, family in (
        ("exportV4", spec.export_v4, Family.V4),
        ("importV4", spec.import_v4, Family.V4),
        ("exportV6", spec.export_v6, Family.V6),
        ("importV6", spec.import_v6, Family.V6),
    ):
        for index, rule in enumerate(rules):
            yield from under((field, index), check_bgp_filter_rule(rule, family))


def check_bgp_filter_rule(rule: BGPFilterRule, family: Family) -> Iterator[Violation]:
    """What a rule matches, and what it does."""
    if rule.cidr:
        yield from check_range(("cidr",), rule.cidr, family)
    if bool(rule.cidr) != (rule.match_operator is not None):
        missing = "matchOperator" if rule.cidr else "cidr"
        yield Violation(
            ("cidr" if rule.cidr else "matchOperator",), f"cidr and matchOperator need each other; {missing} is missing"
        )
    if rule.prefix_length is not None:
        if not rule.cidr:
            yield Violation(("prefixLength",), "prefixLength needs cidr")
        yield from under(("prefixLength",), _check_prefix_length(rule.prefix_length, family))
    if rule.interface and not _INTERFACE_GLOB.fullmatch(rule.interface):
        yield Violation(("interface",), f"{rule.interface!r} is not an interface's name, with '*' for any text")
    if rule.communities is not None:
        if len(rule.communities.values) != 1:
            yield Violation(
                ("communities", "values"), f"exactly one value is needed, not {len(rule.communities.values)}"
            )
        for index, text in enumerate(rule.communities.values):
            yield from _check_community(("communities", "values", index), text)
    yield from _check_operations(rule)


def _check_prefix_length(bounds: BGPFilterPrefixLength, family: Family) -> Iterator[Violation]:
    for field, value in (("min", bounds.min), ("max", bounds.max)):
        if value is not None and not 0 <= value <= family.bits:
            yield Violation((field,), f"{value} is not a prefix length 0-{family.bits}")


def _check_operations(rule: BGPFilterRule) -> Iterator[Violation]:
    if rule.operations and rule.action != "Accept":
        yield Violation(("operations",), f"only accepted routes can be changed, and the action is {rule.action}")
    yield from at_most(("operations",), rule.operations, 10)
    for index, operation in enumerate(rule.operations):
        yield from under(("operations", index), check_bgp_filter_operation(operation))


def check_bgp_filter_operation(operation: BGPFilterOperation) -> Iterator[Violation]:
    """Exactly one change."""
    given = (operation.add_community, operation.prepend_as_path, operation.set_priority)
    if sum(change is not None for change in given) != 1:
        yield Violation((), "an operation needs exactly one of addCommunity, prependASPath and setPriority")
    if operation.add_community is not None:
        yield from _check_community(("addCommunity", "value"), operation.add_community.value)
    if operation.prepend_as_path is not None:
        prefix = operation.prepend_as_path.prefix
        yield from at_most(("prependASPath", "prefix"), prefix, 10)
        if not prefix:
            yield Violation(("prependASPath", "prefix"), "an AS number is needed")
