"""FelixConfiguration, part 3: how rules are written with iptables and with nftables."""

from __future__ import annotations

from typing import Literal

import msgspec

from tortie.model.felix_dataplane import DataplaneFields
from tortie.model.felix_values import AcceptReturn, DropReject, IptablesBackend
from tortie.model.scalars import Duration, UInt32
from tortie.net import Port


class TableFields(DataplaneFields, frozen=True, kw_only=True):
    """Fields of FelixConfiguration's spec; see ``tortie.model.felix``."""

    # iptables
    iptables_backend: IptablesBackend = ""
    """Which iptables: Legacy, NFT, or Auto, as the host has it. Default: Auto."""
    iptables_filter_allow_action: AcceptReturn = ""
    """What happens to packets that policy allows: Accept, or Return to the host's own rules. Default: Accept."""
    iptables_filter_deny_action: DropReject = ""
    """What happens to packets that policy denies: Drop, or Reject with an answer. Default: Drop."""
    iptables_mangle_allow_action: AcceptReturn = ""
    """What happens to packets that preDNAT policy allows: Accept or Return. Default: Accept."""
    iptables_mark_mask: UInt32 | None = None
    """The bits of a packet's mark that are ours, at least 8. Default: 0xffff0000."""
    iptables_nat_outgoing_interface_filter: str = msgspec.field(default="", name="iptablesNATOutgoingInterfaceFilter")
    """Masquerade only on this interface; a ``+`` at the end stands for any text. Default: on all."""
    iptables_refresh_interval: Duration | None = None
    """How often rules are compared with what they should be; 0s: never. Default: 180s."""
    iptables_post_write_check_interval: Duration | None = None
    """How long after a change they are read back. Default: 5s."""
    iptables_lock_file_path: str = ""
    """Where iptables' lock is. Default: /run/xtables.lock."""
    iptables_lock_timeout: Duration | None = None
    """How long the agent waits for that lock; 0s: it takes none. Default: 0s."""
    iptables_lock_probe_interval: Duration | None = None
    """How often it tries to take it. Default: 50ms."""
    ipsets_refresh_interval: Duration | None = None
    """How often IP sets are compared with what they should be; 0s: never. Default: 90s."""
    kube_node_port_ranges: tuple[Port, ...] | None = None
    """Ports of NodePort services, where kube-proxy uses IPVS; at most 7 ranges. Default: 30000:32767."""

    # nftables
    nftables_mode: Literal["Auto", "Enabled", "Disabled"] | None = None
    """Whether rules are written with nftables; Auto: as kube-proxy does. Default: Auto."""
    nftables_filter_allow_action: AcceptReturn = ""
    """What happens to packets that policy allows: Accept, or Return to the host's own rules. Default: Accept."""
    nftables_filter_deny_action: DropReject = ""
    """What happens to packets that policy denies: Drop, or Reject with an answer. Default: Drop."""
    nftables_mangle_allow_action: AcceptReturn = ""
    """What happens to packets that preDNAT policy allows: Accept or Return. Default: Accept."""
    nftables_mark_mask: UInt32 | None = None
    """The bits of a packet's mark that are ours, at least 8. Default: 0xffff0000."""
    nftables_refresh_interval: Duration | None = None
    """How often rules are compared with what they should be; 0s: never. Default: 180s."""
    nftables_flow_table_offload: Literal["All", "Disabled"] | None = None
    """Whether packets of known connections take a short cut past the rules. Default: Disabled."""
    nftables_flow_table_data_iface_pattern: str = ""
    """The interfaces of that short cut, a regular expression. Default: none."""
