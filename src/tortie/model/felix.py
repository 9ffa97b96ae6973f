"""FelixConfiguration: the settings of the agent on each host. This last part has tunnels, flow logs and the kind itself.

The spec's fields are declared by theme in a chain of structs, since one module could not hold them and a struct has one line
of ancestors: ``felix_process``, ``felix_dataplane``, ``felix_tables``, ``felix_bpf``, and here. A field that is absent has the
default its description names; only ``STORED_DEFAULTS`` are written out, as Calico does. Not all fields mean something to
Tortie's agent; all of them are checked and kept.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

import msgspec

from tortie.model.felix_bpf import BPFFields
from tortie.model.felix_values import VNI, Count, ListeningPort, OnOff, PolicyEvaluation, RulePriority
from tortie.model.meta import Resource
from tortie.model.scalars import Duration

STORED_DEFAULTS: Mapping[str, Any] = {
    "nftablesMode": "Auto", "nftablesFlowTableOffload": "Disabled", "bpfLogLevel": "",
    "bpfConnectTimeLoadBalancing": "TCP", "bpfHostNetworkedNATWithoutCTLB": "Enabled", "floatingIPs": "Disabled",
}  # fmt: skip
"""What Calico writes into every stored object."""


class FelixConfigurationSpec(BPFFields, frozen=True, kw_only=True):
    """Settings of the agent. Of several objects, a field is taken from ``node.<name>`` before one with nodeSelector before ``default``."""

    node_selector: str = ""
    """The nodes that these settings are for; only in objects named neither ``default`` nor ``node.<name>``."""

    # VXLAN and IPIP
    vxlan_enabled: bool | None = None
    """Whether the host has a VXLAN tunnel. Default: as the pools need it."""
    vxlan_mtu: Count | None = msgspec.field(default=None, name="vxlanMTU")
    """The MTU of the VXLAN tunnel for IPv4; 0: the host's, less 50. Default: 0."""
    vxlan_mtu_v6: Count | None = msgspec.field(default=None, name="vxlanMTUV6")
    """The MTU of the VXLAN tunnel for IPv6; 0: the host's, less 70. Default: 0."""
    vxlan_port: ListeningPort | None = None
    """The UDP port of VXLAN. Default: 4789."""
    vxlan_vni: VNI | None = msgspec.field(default=None, name="vxlanVNI")
    """The network id of VXLAN. Default: 4096."""
    ipip_enabled: bool | None = None
    """Whether the host has an IPIP tunnel. Default: as the pools need it."""
    ipip_mtu: Count | None = msgspec.field(default=None, name="ipipMTU")
    """The MTU of the IPIP tunnel; 0: the host's, less 20. Default: 0."""

    # WireGuard
    wireguard_enabled: bool | None = None
    """Whether IPv4 between nodes is encrypted. Default: false."""
    wireguard_enabled_v6: bool | None = msgspec.field(default=None, name="wireguardEnabledV6")
    """Whether IPv6 between nodes is encrypted. Default: false."""
    wireguard_host_encryption_enabled: bool | None = None
    """Whether also the hosts' own traffic is. Default: false."""
    wireguard_interface_name: str = ""
    """The name of the interface for IPv4. Default: wireguard.cali."""
    wireguard_interface_name_v6: str = msgspec.field(default="", name="wireguardInterfaceNameV6")
    """The name of the interface for IPv6. Default: wg-v6.cali."""
    wireguard_listening_port: ListeningPort | None = None
    """The UDP port for IPv4. Default: 51820."""
    wireguard_listening_port_v6: ListeningPort | None = msgspec.field(default=None, name="wireguardListeningPortV6")
    """The UDP port for IPv6. Default: 51821."""
    wireguard_mtu: Count | None = msgspec.field(default=None, name="wireguardMTU")
    """The MTU of the interface for IPv4; 0: the host's, less 60. Default: 0."""
    wireguard_mtu_v6: Count | None = msgspec.field(default=None, name="wireguardMTUV6")
    """The MTU of the interface for IPv6; 0: the host's, less 80. Default: 0."""
    wireguard_persistent_keep_alive: Duration | None = msgspec.field(default=None, name="wireguardKeepAlive")
    """How often a silent peer is sent something; 0s: never. Default: 0s."""
    wireguard_routing_rule_priority: RulePriority | None = None
    """The priority of the rule that sends packets into the tunnel. Default: 99."""
    wireguard_threading_enabled: bool | None = None
    """Whether each interface has a kernel thread of its own. Default: false."""

    # flow logs
    flow_logs_collector_debug_trace: bool | None = None
    """Whether the collector logs what it does. Default: false."""
    flow_logs_flush_interval: Duration | None = None
    """How often flows are reported. Default: 300s."""
    flow_logs_goldmane_server: str = ""
    """Where flows are reported to, host and port. Default: nowhere."""
    flow_logs_local_reporter: OnOff = ""
    """Whether flows can be read from a socket on the host: Enabled, Disabled. Default: Disabled."""
    flow_logs_policy_evaluation_mode: PolicyEvaluation = ""
    """Whether connections are judged again when policy changes, for the report: Continuous, None. Default: Continuous."""


class FelixConfiguration(Resource, frozen=True, kw_only=True, tag="FelixConfiguration"):
    """Settings of the agent: named ``default``, ``node.<name>`` for one node, or otherwise with a nodeSelector for some.

    An annotation ``config.projectcalico.org/<Name>`` overrides any field, by the name of the environment's variable, unchecked.
    """

    api_version: Literal["projectcalico.org/v3"] = "projectcalico.org/v3"
    spec: FelixConfigurationSpec
