"""Packets that never come as far as a workload's policy.

The agent drops what would tunnel around policy, and what connection tracking calls invalid: a first packet that can begin no
flow. Neither is a matter of any policy, so no policy can allow it.
"""

from __future__ import annotations

from tortie.model.policy import Direction
from tortie.net import UDP, Family
from tortie.verdict.flow import Flow
from tortie.verdict.trace import Cause

_IPIP = 4
_VXLAN_PORT = 4789

_ICMP_REQUESTS = frozenset({8, 13, 15, 17})
"""Echo, timestamp, information and address mask: the ICMP types that can begin a flow (Linux, nf_conntrack_proto_icmp.c)."""

_ICMPV6_REQUESTS = frozenset({128, 139})
"""Echo and node information (Linux, nf_conntrack_proto_icmpv6.c)."""

_ICMPV6_UNTRACKED = frozenset({130, 131, 132, 133, 134, 135, 136, 143})
"""Multicast listener and neighbour discovery: not tracked, so never invalid (the same)."""


def unpoliced(flow: Flow, direction: Direction) -> Cause | None:
    """Why the flow's first packet is dropped at a workload without a look at policy; None if policy decides."""
    if flow.icmp is not None and not _may_begin_flow(flow.family, flow.icmp[0]):
        return Cause.INVALID
    if direction is Direction.EGRESS and _is_tunnel(flow):
        return Cause.TUNNEL
    return None


def _is_tunnel(flow: Flow) -> bool:
    return flow.protocol.number == _IPIP or (flow.protocol == UDP and flow.destination_port == _VXLAN_PORT)


def _may_begin_flow(family: Family, icmp_type: int) -> bool:
    if family is Family.V4:
        return icmp_type in _ICMP_REQUESTS
    return icmp_type in _ICMPV6_REQUESTS | _ICMPV6_UNTRACKED
