"""FelixConfiguration, part 2: what the agent does with interfaces, routes, hosts and traffic, whichever dataplane does it."""

from __future__ import annotations

from typing import Literal

import msgspec

from tortie.model.felix_process import ProcessFields
from tortie.model.felix_values import (
    Count,
    DropAcceptReturn,
    InsertAppend,
    LoopPrevention,
    ProtoPort,
    RouteSource,
    RouteTableRange,
    Spoofing,
)
from tortie.model.qos import DSCP
from tortie.model.scalars import Duration, PortNumber, RoutePriority, Switch, UInt8
from tortie.net import Port


class DataplaneFields(ProcessFields, frozen=True, kw_only=True):
    """Fields of FelixConfiguration's spec; see ``tortie.model.felix``."""

    # the driver
    use_internal_dataplane_driver: bool | None = None
    """Whether the agent programs the kernel itself rather than through another program. Default: true."""
    dataplane_driver: str = ""
    """That other program. Default: calico-iptables-plugin."""
    dataplane_watchdog_timeout: Duration | None = None
    """Deprecated for healthTimeoutOverrides: how long the dataplane may be silent. Default: 90s."""
    netlink_timeout: Duration | None = None
    """How long the kernel may take to answer. Default: 10s."""
    cgroup_v2_path: str = msgspec.field(default="", name="cgroupV2Path")
    """Where cgroups version 2 are mounted. Default: found by the agent."""
    policy_sync_path_prefix: str = ""
    """The directory of the socket that tells others about policy, such as a proxy that judges HTTP. Default: none."""
    endpoint_status_path_prefix: str = ""
    """The directory of the files that say which endpoints are ready. Default: /var/run/calico."""

    # interfaces
    interface_prefix: str = ""
    """What names of workloads' interfaces begin with, joined by commas: ``cali,tap``. Default: cali."""
    interface_exclude: str = ""
    """Interfaces that are no host endpoints, joined by commas; between slashes a regular expression. Default: kube-ipvs0."""
    interface_refresh_interval: Duration | None = None
    """How often interfaces are listed again; 0s: never. Default: 90s."""
    mtu_iface_pattern: str = msgspec.field(default="", name="mtuIfacePattern")
    """The interfaces whose MTU is the host's, a regular expression. Default:
    ^((en|wl|ww|sl|ib)[Pcopsvx].*|(eth|wlan|wwan).*)."""
    require_mtu_file: bool | None = msgspec.field(default=None, name="requireMTUFile")
    """Whether the CNI plugin waits for the host's MTU to be known. Default: false."""

    # workloads and hosts
    default_endpoint_to_host_action: DropAcceptReturn = ""
    """What happens to packets of a workload to its host, once its policy allows them: Drop, Accept, Return. Default: Drop."""
    failsafe_inbound_host_ports: tuple[ProtoPort, ...] | None = None
    """Ports to which a host endpoint is always open; an empty list: none. Default: tcp 22, 179, 2379, 2380, 5473, 6443, 6666,
    6667 and udp 68."""
    failsafe_outbound_host_ports: tuple[ProtoPort, ...] | None = None
    """Ports which a host endpoint can always reach; an empty list: none. Default: tcp 179, 2379, 2380, 5473, 6443, 6666, 6667
    and udp 53, 67."""
    chain_insert_mode: InsertAppend = ""
    """Whether our rules come before (Insert) or after (Append) those that are in the kernel's chains. Default: Insert."""
    disable_conntrack_invalid_check: bool | None = None
    """Whether packets that belong to no connection are judged by policy rather than dropped. Default: false."""
    workload_source_spoofing: Spoofing = ""
    """Whether pods may ask to send from other addresses (Any). Default: Disabled."""
    allow_vxlan_packets_from_workloads: bool | None = msgspec.field(default=None, name="allowVXLANPacketsFromWorkloads")
    """Whether workloads may send VXLAN. Default: false."""
    allow_ipip_packets_from_workloads: bool | None = msgspec.field(default=None, name="allowIPIPPacketsFromWorkloads")
    """Whether workloads may send IPIP. Default: false."""
    external_nodes_cidr_list: tuple[str, ...] | None = msgspec.field(default=None, name="externalNodesList")
    """IPv4 addresses and ranges from which tunnelled packets are accepted, beside our nodes'. Default: none."""
    service_loop_prevention: LoopPrevention = ""
    """What happens to packets to service addresses that nobody serves: Drop, Reject, Disabled. Default: Drop."""
    istio_ambient_mode: Switch | None = None
    """Whether Istio's ambient mesh is in use. Default: Disabled."""
    istio_dscp_mark: DSCP | None = msgspec.field(default=None, name="istioDSCPMark")
    """How its packets are marked: a DSCP number or name. Default: 23."""
    sidecar_acceleration_enabled: bool | None = None
    """Whether traffic between a pod and its sidecar takes a short cut. Default: false."""

    # addresses
    ipv6_support: bool | None = None
    """Whether there is IPv6. Default: true."""
    ip_forwarding: Switch | None = None
    """Whether the agent makes the host forward packets. Default: Enabled."""
    floating_ips: Switch | None = msgspec.field(default=None, name="floatingIPs")
    """Whether pods can have further addresses that lead to them. Default: Disabled."""
    nat_outgoing_address: str = msgspec.field(default="", name="natOutgoingAddress")
    """The IPv4 address that masqueraded packets leave with. Default: that of the interface."""
    nat_outgoing_exclusions: Literal["IPPoolsOnly", "IPPoolsAndHostIPs"] | None = msgspec.field(
        default=None, name="natOutgoingExclusions"
    )
    """Where packets of natOutgoing pools are not masqueraded: to pools, or also to hosts. Default: IPPoolsOnly."""
    nat_port_range: Port | None = msgspec.field(default=None, name="natPortRange")
    """The ports that masqueraded packets leave from, such as ``32768:65535``. Default: the kernel's choice."""
    local_subnet_l2_reachability: Literal["Disabled", "PodsAndLoadBalancers"] | None = msgspec.field(
        default=None, name="localSubnetL2Reachability"
    )
    """Whether the host answers ARP and neighbour discovery for its pods and load balancers. Default: Disabled."""
    local_subnet_l2_reachability_refresh_interval: Duration | None = msgspec.field(
        default=None, name="localSubnetL2ReachabilityRefreshInterval"
    )
    """How often that is looked at again. Default: 120s."""

    # routes
    device_route_source_address: str = ""
    """The source address of routes to workloads, IPv4. Default: the kernel's choice."""
    device_route_source_address_ipv6: str = msgspec.field(default="", name="deviceRouteSourceAddressIPv6")
    """The source address of routes to workloads, IPv6. Default: the kernel's choice."""
    device_route_protocol: UInt8 | None = None
    """The protocol number that marks our routes. Default: 3 (boot)."""
    remove_external_routes: bool | None = None
    """Whether routes that others add to workloads' interfaces are removed. Default: true."""
    route_refresh_interval: Duration | None = None
    """How often routes are compared with what they should be; 0s: never. Default: 90s."""
    route_source: RouteSource = ""
    """What routes are made of: IPAM's data (CalicoIPAM) or workloads' addresses (WorkloadIPs). Default: CalicoIPAM."""
    route_sync_disabled: bool | None = None
    """Whether routes are left alone, for policy without networking. Default: false."""
    route_table_ranges: tuple[RouteTableRange, ...] | None = None
    """The kernel's route tables that are ours, beside the main one. Default: 1-250."""
    route_table_range: RouteTableRange | None = None
    """Deprecated for routeTableRanges, which it excludes."""
    program_cluster_routes: Literal["Enabled", "Disabled", "EnabledIPIPOnly", "EnabledNoEncapOnly"] | None = None
    """Which routes to other nodes the agent programs; BGPConfiguration has the counterpart. Default: EnabledIPIPOnly."""
    ipv4_normal_route_priority: RoutePriority | None = None
    """The metric of routes to workloads, IPv4. Default: 1024."""
    ipv4_elevated_route_priority: RoutePriority | None = None
    """The metric of routes to a workload that is moving, IPv4. Default: 512."""
    ipv6_normal_route_priority: RoutePriority | None = None
    """The metric of routes to workloads, IPv6. Default: 1024."""
    ipv6_elevated_route_priority: RoutePriority | None = None
    """The metric of routes to a workload that is moving, IPv6. Default: 512."""
    live_migration_route_convergence_time: Duration | None = None
    """How long routes to a workload that has moved keep the elevated metric. Default: 30s."""

    # XDP
    xdp_enabled: bool | None = None
    """Whether untracked denials are programmed as XDP where they can be. Default: true."""
    generic_xdp_enabled: bool | None = msgspec.field(default=None, name="genericXDPEnabled")
    """Whether also on network cards without support for it. Default: false."""
    xdp_refresh_interval: Duration | None = None
    """How often XDP is compared with what it should be; 0s: never. Default: 90s."""

    # OpenStack, clouds, Windows
    endpoint_reporting_enabled: bool | None = None
    """Whether the state of endpoints is told to the datastore, for OpenStack. Default: false."""
    endpoint_reporting_delay: Duration | None = None
    """How long such news are collected. Default: 1s."""
    reporting_interval: Duration | None = None
    """How often the agent tells the datastore that it lives; 0s: never. Default: 30s."""
    reporting_ttl: Duration | None = msgspec.field(default=None, name="reportingTTL")
    """How long that is believed. Default: 90s."""
    metadata_addr: str = ""
    """The address or name of OpenStack's metadata server; ``none``: there is none. Default: 127.0.0.1."""
    metadata_port: PortNumber | None = None
    """The TCP port of OpenStack's metadata server. Default: 8775."""
    openstack_region: str = ""
    """The OpenStack region of the host, where there are several. Default: none."""
    aws_src_dst_check: Literal["DoNothing", "Enable", "Disable"] | None = None
    """Whether AWS checks addresses of the host's packets. Default: DoNothing."""
    windows_manage_firewall_rules: Switch | None = None
    """Whether Windows' firewall is opened for the agent's metrics. Default: Disabled."""
    max_ipset_size: Count | None = None
    """How many addresses an IP set of iptables may hold. Default: 1048576."""
