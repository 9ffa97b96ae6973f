"""FelixConfiguration, part 4: the BPF dataplane. Read, checked and kept, so that files stay valid; Tortie has no such dataplane."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

import msgspec

from tortie.model.felix_tables import TableFields
from tortie.model.felix_values import (
    BPFConntrackLogLevel,
    BPFConntrackTimeouts,
    BPFLogLevel,
    BPFMapScaling,
    BPFOverlaySource,
    BPFReversePathFilter,
    BPFServiceMode,
    Count,
)
from tortie.model.scalars import Duration, PortNumber, Switch, UInt32
from tortie.net import Port


class BPFFields(TableFields, frozen=True, kw_only=True):
    """Fields of FelixConfiguration's spec; see ``tortie.model.felix``."""

    # programs
    bpf_enabled: bool | None = None
    """Whether the BPF dataplane is used. Default: false."""
    bpf_attach_type: Literal["TC", "TCX", "Netkit"] | None = None
    """How programs are attached to interfaces; falls back where the kernel is too old. Default: Netkit."""
    bpf_disable_unprivileged: bool | None = None
    """Whether programs of unprivileged users are forbidden on the host. Default: true."""
    bpf_jit_hardening: Literal["Auto", "Strict"] | None = msgspec.field(default=None, name="bpfJITHardening")
    """Whether the kernel's hardening of compiled programs is left as it is (Strict) or relaxed for speed (Auto). Default: Auto."""
    bpf_policy_debug_enabled: bool | None = None
    """Whether it is recorded which policy became which program. Default: true."""
    bpf_profiling: Switch | None = None
    """Whether programs are profiled. Default: Disabled."""
    bpf_export_buffer_size_mb: Count | None = msgspec.field(default=None, name="bpfExportBufferSizeMB")
    """The buffer for events, in MB. Default: 1."""

    # logging
    bpf_log_level: BPFLogLevel = ""
    """How much programs log: Off, Info, Debug. Default: Off."""
    bpf_log_filters: Mapping[str, str] | None = None
    """Log only packets that fit: interface, ``all``, ``weps`` or ``heps`` to a pcap filter. Default: all packets."""
    bpf_ctlb_log_filter: str = msgspec.field(default="", name="bpfCTLBLogFilter")
    """``all``: with bpfLogFilters, the connect-time load balancer logs as well. Default: it does not."""
    bpf_conntrack_log_level: BPFConntrackLogLevel = ""
    """How much the clean-up of connections logs: Off, Debug. Default: Off."""

    # interfaces
    bpf_data_iface_pattern: str = ""
    """The host's interfaces to the network, a regular expression. Default:
    ^((en|wl|ww|sl|ib)[Popsx].*|(eth|wlan|wwan|bond).*)."""
    bpf_l3_iface_pattern: str = msgspec.field(default="", name="bpfL3IfacePattern")
    """Tunnels of others among them, a regular expression. Default: none."""
    bpf_force_track_packets_from_ifaces: tuple[str, ...] | None = None
    """Interfaces whose packets the kernel tracks in any case; a ``+`` at the end stands for any text. Default: docker+."""
    bpf_disable_gro_for_ifaces: str = msgspec.field(default="", name="bpfDisableGROForIfaces")
    """The interfaces whose receive offload is turned off, a regular expression. Default: none."""
    bpf_redirect_to_peer: Literal["Enabled", "Disabled", "L2Only"] | None = None
    """Whether packets go straight into the pod's end of its link. Default: Enabled."""
    bpf_enforce_rpf: BPFReversePathFilter = msgspec.field(default="", name="bpfEnforceRPF")
    """Whether packets must come from where their source is: Disabled, Loose, Strict. Default: Loose."""
    bpf_overlay_host_source_ip: BPFOverlaySource = msgspec.field(default="", name="bpfOverlayHostSourceIP")
    """What the host's own packets into a tunnel come from: TunnelAddress, HostAddress. Default: TunnelAddress."""

    # services
    bpf_connect_time_load_balancing: Literal["TCP", "Enabled", "Disabled"] | None = None
    """Whether a service's backend is chosen when a socket connects, for TCP alone or for all. Default: TCP."""
    bpf_connect_time_load_balancing_enabled: bool | None = None
    """Deprecated for bpfConnectTimeLoadBalancing."""
    bpf_host_networked_nat_without_ctlb: Switch | None = msgspec.field(
        default=None, name="bpfHostNetworkedNATWithoutCTLB"
    )
    """Whether the host's own packets to services are translated where sockets are not. Default: Enabled."""
    bpf_external_service_mode: BPFServiceMode = ""
    """How answers to clients outside go: back through the first node (Tunnel), or straight (DSR). Default: Tunnel."""
    bpf_dsr_optout_cidrs: tuple[str, ...] | None = msgspec.field(default=None, name="bpfDSROptoutCIDRs")
    """Clients whose answers never go straight. Default: none."""
    bpf_exclude_cidrs_from_nat: tuple[str, ...] | None = msgspec.field(default=None, name="bpfExcludeCIDRsFromNAT")
    """Service addresses that are left to the host, such as a DNS cache. Default: none."""
    bpf_ext_to_service_connmark: UInt32 | None = None
    """A mark for connections from outside to services here. Default: 0."""
    bpf_psnat_ports: Port | None = msgspec.field(default=None, name="bpfPSNATPorts")
    """The ports that replace source ports in use. Default: 20000:29999."""
    bpf_maglev_max_services: Count | None = None
    """How many services can use Maglev. Default: 100."""
    bpf_maglev_max_endpoints_per_service: Count | None = None
    """How many backends such a service can have. Default: 100."""
    bpf_kube_proxy_min_sync_period: Duration | None = None
    """How long changes of services are collected. Default: 1s."""
    bpf_kube_proxy_iptables_cleanup_enabled: bool | None = None
    """Whether kube-proxy's rules are removed. Default: true."""
    bpf_kube_proxy_healthz_port: PortNumber | None = None
    """Where health is served as kube-proxy does; 0: nowhere. Default: 10256."""
    bpf_kube_proxy_endpoint_slices_enabled: bool | None = None
    """Deprecated, without effect."""

    # connections
    bpf_conntrack_timeouts: BPFConntrackTimeouts | None = None
    """How long connections are remembered."""
    bpf_conntrack_cleanup_mode: Literal["Auto", "Userspace", "BPFProgram"] | None = msgspec.field(
        default=None, name="bpfConntrackMode"
    )
    """What forgets them: the agent or a program in the kernel. Default: Auto."""
    bpf_host_conntrack_bypass: bool | None = None
    """Whether the kernel does not track them as well. Default: false."""
    bpf_ip_frag_timeout: Duration | None = msgspec.field(default=None, name="bpfIPFragTimeout")
    """How long fragments wait for the rest. Default: 0s, as the kernel does."""
    bpf_ip_fragment_reassembly_enabled: bool | None = msgspec.field(default=None, name="bpfIPFragmentReassemblyEnabled")
    """Whether fragments are put together before they are judged. Default: true."""

    # sizes of maps
    bpf_map_size_conntrack: Count | None = None
    """How many connections there can be. Default: 512000."""
    bpf_map_size_per_cpu_conntrack: Count | None = None
    """The same, per CPU; 0: bpfMapSizeConntrack applies. Default: 0."""
    bpf_map_size_conntrack_scaling: BPFMapScaling = ""
    """Whether that number doubles when it is reached: Disabled, DoubleIfFull. Default: DoubleIfFull."""
    bpf_map_size_conntrack_cleanup_queue: Count | None = None
    """How many connections can be forgotten at once. Default: 100000."""
    bpf_map_size_ip_sets: Count | None = msgspec.field(default=None, name="bpfMapSizeIPSets")
    """How many members all IP sets have. Default: 1048576."""
    bpf_map_size_if_state: Count | None = None
    """How many interfaces the host has. Default: 1000."""
    bpf_map_size_nat_frontend: Count | None = msgspec.field(default=None, name="bpfMapSizeNATFrontend")
    """How many addresses with ports services have. Default: 65536."""
    bpf_map_size_nat_backend: Count | None = msgspec.field(default=None, name="bpfMapSizeNATBackend")
    """How many backends services have. Default: 262144."""
    bpf_map_size_nat_affinity: Count | None = msgspec.field(default=None, name="bpfMapSizeNATAffinity")
    """How many clients stay with their backend. Default: 65536."""
    bpf_map_size_route: Count | None = None
    """How many routes there are. Default: 262144."""
