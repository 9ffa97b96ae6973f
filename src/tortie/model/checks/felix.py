"""FelixConfiguration: what its fields' types cannot say, as tables of the fields that share a rule."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from tortie.model.checks.addresses import (
    check_address,
    check_durations,
    check_interface_name,
    check_range,
    check_ranges,
    check_regex,
)
from tortie.model.checks.metadata import is_dns_label
from tortie.model.checks.rule import check_selector
from tortie.model.checks.violation import Violation, at_most, one_of, under
from tortie.model.felix import FelixConfigurationSpec
from tortie.model.felix_values import ProtoPort, RouteTableRange
from tortie.model.qos import dscp_number
from tortie.net import Family, Port

_HOST = re.compile(r"[a-zA-Z0-9:._+-]{1,64}")
_INTERFACE_FILTER = re.compile(r"[a-zA-Z0-9:._+-]{1,15}")
_TABLES = (1, 250)
"""The route tables that the older field could name."""


def check_felix_spec(spec: FelixConfigurationSpec) -> Iterator[Violation]:
    """All rules."""
    yield from check_durations(spec)
    for index, override in enumerate(spec.health_timeout_overrides):
        yield from under(("healthTimeoutOverrides", index), check_durations(override))
    yield from check_selector("nodeSelector", spec.node_selector)
    yield from _check_texts(spec)
    yield from _check_addresses(spec)
    yield from _check_ports(spec)
    yield from _check_masks(spec)
    yield from _check_tables(spec)


def _check_texts(spec: FelixConfigurationSpec) -> Iterator[Violation]:
    patterns: Mapping[str, str] = {
        "logDebugFilenameRegex": spec.log_debug_filename_regex,
        "mtuIfacePattern": spec.mtu_iface_pattern,
        "nftablesFlowTableDataIfacePattern": spec.nftables_flow_table_data_iface_pattern,
        "bpfDataIfacePattern": spec.bpf_data_iface_pattern,
        "bpfL3IfacePattern": spec.bpf_l3_iface_pattern,
        "bpfDisableGROForIfaces": spec.bpf_disable_gro_for_ifaces,
    }
    for field, text in patterns.items():
        yield from check_regex((field,), text)
    for item in spec.interface_exclude.split(","):
        if len(item) > 1 and item.startswith("/") and item.endswith("/"):
            yield from check_regex(("interfaceExclude",), item[1:-1])
    for field, name in (
        ("wireguardInterfaceName", spec.wireguard_interface_name),
        ("wireguardInterfaceNameV6", spec.wireguard_interface_name_v6),
    ):
        if name:
            yield from check_interface_name((field,), name)
    yield from _check_interface_filter(
        ("iptablesNATOutgoingInterfaceFilter",), spec.iptables_nat_outgoing_interface_filter
    )
    for index, text in enumerate(spec.bpf_force_track_packets_from_ifaces or ()):
        yield from _check_interface_filter(("bpfForceTrackPacketsFromIfaces", index), text)
    host, region = spec.prometheus_metrics_host, spec.openstack_region
    if host and not _HOST.fullmatch(host):
        yield Violation(("prometheusMetricsHost",), f"{host!r} is neither an address nor a name")
    if region and not is_dns_label(region):
        yield Violation(
            ("openstackRegion",), f"{region!r} is not a region: lower-case letters, digits and '-', at most 63"
        )
    if spec.bpf_ctlb_log_filter:
        yield from one_of(("bpfCTLBLogFilter",), spec.bpf_ctlb_log_filter, ("all",))
    if spec.istio_dscp_mark is not None:
        try:
            dscp_number(spec.istio_dscp_mark)
        except ValueError as error:
            yield Violation(("istioDSCPMark",), str(error))


def _check_interface_filter(path: tuple[str | int, ...], text: str) -> Iterator[Violation]:
    if text and not _INTERFACE_FILTER.fullmatch(text):
        yield Violation(path, f"{text!r} is not an interface's name, with or without a '+' at its end")


def _check_addresses(spec: FelixConfigurationSpec) -> Iterator[Violation]:
    yield from check_address(("natOutgoingAddress",), spec.nat_outgoing_address, Family.V4)
    yield from check_address(("deviceRouteSourceAddress",), spec.device_route_source_address, Family.V4)
    yield from check_address(("deviceRouteSourceAddressIPv6",), spec.device_route_source_address_ipv6, Family.V6)
    yield from check_ranges("externalNodesList", spec.external_nodes_cidr_list or (), Family.V4)
    yield from check_ranges("bpfDSROptoutCIDRs", spec.bpf_dsr_optout_cidrs or (), or_address=False)
    yield from check_ranges("bpfExcludeCIDRsFromNAT", spec.bpf_exclude_cidrs_from_nat or (), or_address=False)


# --- ports -------------------------------------------------------------------------------------------------------------------


def _check_ports(spec: FelixConfigurationSpec) -> Iterator[Violation]:
    for field, ports in (
        ("failsafeInboundHostPorts", spec.failsafe_inbound_host_ports),
        ("failsafeOutboundHostPorts", spec.failsafe_outbound_host_ports),
    ):
        for index, failsafe in enumerate(ports or ()):
            yield from under((field, index), _check_failsafe(failsafe))
    yield from at_most(("kubeNodePortRanges",), spec.kube_node_port_ranges or (), 7)
    for index, port in enumerate(spec.kube_node_port_ranges or ()):
        yield from _check_port_range(("kubeNodePortRanges", index), port)
    yield from _check_port_range(("natPortRange",), spec.nat_port_range)
    yield from _check_port_range(("bpfPSNATPorts",), spec.bpf_psnat_ports)


def _check_failsafe(failsafe: ProtoPort) -> Iterator[Violation]:
    if failsafe.protocol.upper() == "SCTP":
        # Calico's agent stops with it; where it is stored already, the other failsafes must not go with it.
        yield Violation(("protocol",), "failsafe ports are of TCP and UDP only", at_door_only=True, stops_agents=True)
    elif failsafe.protocol.upper() not in ("", "TCP", "UDP"):
        yield from one_of(("protocol",), failsafe.protocol, ("TCP", "UDP"))
    if failsafe.net:
        yield from check_range(("net",), failsafe.net, or_address=True)


def _check_port_range(path: tuple[str | int, ...], port: Port | None) -> Iterator[Violation]:
    if port is not None and (port.is_named or port.first == 0):
        yield Violation(path, f"{port} is not a port 1-65535 or a range such as 30000:32767")


# --- marks and tables --------------------------------------------------------------------------------------------------------


def _check_masks(spec: FelixConfigurationSpec) -> Iterator[Violation]:
    for field, mask in (("iptablesMarkMask", spec.iptables_mark_mask), ("nftablesMarkMask", spec.nftables_mark_mask)):
        if mask is not None and mask.bit_count() < 8:
            yield Violation((field,), f"{mask:#010x} has {mask.bit_count()} bits; at least 8 are needed")


def _check_tables(spec: FelixConfigurationSpec) -> Iterator[Violation]:
    if spec.route_table_range is not None and spec.route_table_ranges is not None:
        yield Violation(("routeTableRange",), "routeTableRange and routeTableRanges exclude each other")
    if spec.route_table_range is not None:
        yield from under(("routeTableRange",), _check_table_range(spec.route_table_range, *_TABLES))
    for index, tables in enumerate(spec.route_table_ranges or ()):
        yield from under(("routeTableRanges", index), _check_table_range(tables, 1, 4294967295))


def _check_table_range(tables: RouteTableRange, least: int, most: int) -> Iterator[Violation]:
    if not least <= tables.min <= tables.max <= most:
        yield Violation((), f"{tables.min}-{tables.max} is not a range of route tables within {least}-{most}")
