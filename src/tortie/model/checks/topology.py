"""Nodes, pools and BGP."""

from __future__ import annotations

import re
from collections.abc import Iterator

from tortie.model.checks.rule import check_selector
from tortie.model.checks.violation import Violation, distinct, one_of, under
from tortie.model.topology import BGPConfigurationSpec, BGPPeerSpec, IPPoolSpec, NodeBGPSpec, NodeSpec
from tortie.net import Address, Family, Network

_MODES = ("Never", "Always", "CrossSubnet")
_SEVERITIES = ("Trace", "Debug", "Info", "Warning", "Error", "Fatal")
_BLOCK_SIZES = {Family.V4: (20, 32, 26), Family.V6: (116, 128, 122)}
"""The smallest, largest and default prefix length of a block."""
_LINK_LOCAL = (Network.parse("169.254.0.0/16"), Network.parse("fe80::/10"))
_DURATION = re.compile(r"([0-9]+(\.[0-9]+)?(ms|s|m|h))*")
_PEER = re.compile(r"\[(?P<v6>[^]]+)\]:(?P<port6>[0-9]+)|(?P<v4>[0-9.]+):(?P<port4>[0-9]+)|(?P<bare>[^][]+)")


def check_node_spec(spec: NodeSpec) -> Iterator[Violation]:
    """A node's BGP part says something, and its addresses are such."""
    if spec.bgp is None:
        return
    if spec.bgp == NodeBGPSpec():
        yield Violation(("bgp",), "bgp is empty; leave it out, or give addresses or an AS number")
    for field, text, family in (
        ("ipv4Address", spec.bgp.ipv4_address, Family.V4),
        ("ipv6Address", spec.bgp.ipv6_address, Family.V6),
    ):
        yield from under(("bgp", field), _check_interface_address(text, family))
    cluster = spec.bgp.route_reflector_cluster_id
    if cluster and not _is_address(cluster, Family.V4):
        yield Violation(("bgp", "routeReflectorClusterID"), f"{cluster!r} does not have the form of an IPv4 address")


def _check_interface_address(text: str, family: Family) -> Iterator[Violation]:
    address, slash, length = text.partition("/")
    if text and (
        not _is_address(address, family) or (slash and not (length.isdecimal() and int(length) <= family.bits))
    ):
        yield Violation((), f"{text!r} is not an IPv{family} address, with or without its subnet's prefix length")


def _is_address(text: str, family: Family) -> bool:
    try:
        return Address.parse(text).family is family
    except ValueError:
        return False


def check_pool_spec(spec: IPPoolSpec) -> Iterator[Violation]:
    """A pool's addresses, blocks, encapsulation and uses."""
    yield from one_of(("ipipMode",), spec.ipip_mode, _MODES)
    yield from one_of(("vxlanMode",), spec.vxlan_mode, _MODES)
    yield from one_of(("assignmentMode",), spec.assignment_mode, ("Automatic", "Manual"))
    yield from check_selector("nodeSelector", spec.node_selector)
    yield from _check_pool_network(spec)
    yield from _check_pool_uses(spec)
    if "Never" not in (spec.ipip_mode, spec.vxlan_mode):
        yield Violation(("vxlanMode",), "ipipMode and vxlanMode exclude each other; one of them must be Never")
    if spec.ipip_mode != "Never" and spec.cidr.family is Family.V6:
        yield Violation(("ipipMode",), "IPIP carries IPv4 only; an IPv6 pool needs ipipMode Never")


def _check_pool_network(spec: IPPoolSpec) -> Iterator[Violation]:
    smallest, largest, default = _BLOCK_SIZES[spec.cidr.family]
    size = spec.block_size or default
    if not smallest <= size <= largest:
        yield Violation(("blockSize",), f"{size} is not a block size for IPv{spec.cidr.family}: {smallest}-{largest}")
    elif spec.cidr.prefix_len > size and not spec.disabled:
        yield Violation(("cidr",), f"{spec.cidr} is smaller than one block (/{size})")
    for network in _LINK_LOCAL:
        if network.contains(spec.cidr) or spec.cidr.contains(network):
            yield Violation(("cidr",), f"{spec.cidr} overlaps the link-local range {network}")


def _check_pool_uses(spec: IPPoolSpec) -> Iterator[Violation]:
    yield from distinct(("allowedUses",), spec.allowed_uses)
    for index, use in enumerate(spec.allowed_uses):
        yield from one_of(("allowedUses", index), use, ("Workload", "Tunnel", "LoadBalancer"))
    if "LoadBalancer" not in spec.allowed_uses:
        return
    if len(spec.allowed_uses) > 1:
        yield Violation(("allowedUses",), "LoadBalancer excludes the other uses")
    if spec.disable_bgp_export:
        yield Violation(("disableBGPExport",), "a LoadBalancer pool cannot have disableBGPExport")
    if (spec.ipip_mode, spec.vxlan_mode) != ("Never", "Never"):
        yield Violation(("allowedUses",), "a LoadBalancer pool has neither IPIP nor VXLAN")
    if spec.node_selector != "all()":
        yield Violation(("nodeSelector",), "a LoadBalancer pool needs nodeSelector all()")


def check_bgp_configuration_spec(spec: BGPConfigurationSpec) -> Iterator[Violation]:
    """The mesh, its times and ports."""
    yield from one_of(("logSeverityScreen",), spec.log_severity_screen, _SEVERITIES)
    yield from _check_duration("nodeMeshMaxRestartTime", spec.node_mesh_max_restart_time)
    if spec.node_mesh_max_restart_time and not spec.node_to_node_mesh_enabled:
        yield Violation(("nodeMeshMaxRestartTime",), "nodeMeshMaxRestartTime needs the node-to-node mesh")
    if not 1 <= spec.listen_port <= 65535:
        yield Violation(("listenPort",), f"{spec.listen_port} is not a port 1-65535")


def _check_duration(field: str, text: str) -> Iterator[Violation]:
    if not _DURATION.fullmatch(text):
        yield Violation((field,), f"{text!r} is not a duration such as 90s, 2m or 1h30m")


def check_bgp_peer_spec(spec: BGPPeerSpec) -> Iterator[Violation]:
    """Where the peer is."""
    yield from _check_duration("maxRestartTime", spec.max_restart_time)
    if spec.peer_ip and not _is_peer(spec.peer_ip):
        yield Violation(
            ("peerIP",), f"{spec.peer_ip!r} is not a peer such as 10.0.0.1, 10.0.0.1:1179, fd00::1 or [fd00::1]:1179"
        )


def _is_peer(text: str) -> bool:
    found = _PEER.fullmatch(text)
    if found is None:
        return False
    if found["bare"]:
        return _is_address(text, Family.V4) or _is_address(text, Family.V6)
    family, address, port = (
        (Family.V6, found["v6"], found["port6"]) if found["v6"] else (Family.V4, found["v4"], found["port4"])
    )
    return _is_address(address, family) and 1 <= int(port) <= 65535
