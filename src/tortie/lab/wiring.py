"""Links, addresses and routes of a lab, as lines for ``ip -batch``.

One run of ``ip`` per namespace takes about 3 ms, however many lines it has; a lab makes its links once. The names of network
namespaces are those below ``/run/netns``. What the lab gives a workload is what a CNI plugin would: the link's two ends and
the inside; the host's end (routes, neighbours, sysctls) is the agent's.
"""

from __future__ import annotations

import hashlib
import subprocess
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TypeAlias

from tortie.lab import layout
from tortie.lab.errors import LabError
from tortie.lab.layout import HostLayout
from tortie.net import MAC, Address

Lines: TypeAlias = tuple[str, ...]

HOST_END_MAC = MAC.parse("ee:ee:ee:ee:ee:ee")
"""Of the host's end of every workload's link, so that its link-local address is the same everywhere."""

WORKLOAD_GATEWAY_V4 = "169.254.1.1"
WORKLOAD_GATEWAY_V6 = "fe80::ecee:eeff:feee:eeee"
"""The link-local address that follows from ``HOST_END_MAC`` (RFC 4291 appendix A)."""


class WiringError(LabError):
    """``ip`` refused a line; the text is its own."""


def run(network: str, lines: Iterable[str]) -> None:
    """Run *lines* in the network namespace named *network*; WiringError at the first that is refused."""
    batch = "".join(line + "\n" for line in lines)
    done = subprocess.run(
        ["ip", "-n", network, "-batch", "-"], input=batch, capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise WiringError(f"ip -n {network}: {done.stderr.strip()}")


def set_sysctls(*, forwards: bool) -> None:
    """Prepare the network namespace that the calling thread is in, before it has links.

    Addresses of a lab are unique, so nothing waits the second that duplicate address detection takes.
    """
    settings = {
        "ipv6/conf/all/disable_ipv6": 0,
        "ipv6/conf/default/disable_ipv6": 0,
        "ipv6/conf/default/accept_dad": 0,
        "ipv6/conf/default/accept_ra": 0,
        "ipv4/ip_forward": int(forwards),
        "ipv6/conf/all/forwarding": int(forwards),
        "ipv4/ping_group_range": "0 0",  # ping sockets, of both families, for whoever is root in the lab
    }
    for name, value in settings.items():
        Path("/proc/sys/net", name).write_text(str(value))


def fabric_lines(hosts: Sequence[HostLayout]) -> Lines:
    """The router between *hosts*: its own addresses, and a link and the routes of each host."""
    own = (layout.FABRIC_V4, layout.FABRIC_V6, layout.OUTSIDE_V4, layout.OUTSIDE_V6)
    return (
        "link set lo up",
        *(f"address add {address.network()} dev lo" for address in own),
        *(line for host in hosts for line in _fabric_link(host)),
    )


def _fabric_link(host: HostLayout) -> Lines:
    return (f"link add {host.name} type veth peer name eth0 netns {host.name}", *fabric_end_lines(host))


def fabric_end_lines(host: HostLayout) -> Lines:
    """The fabric's own side of a host's link, new or after it was down: the kernel forgets IPv6 addresses and routes then.

    The host is a neighbour by its IPv4 and its link-local address: BIRD takes nothing else for a next hop.
    """
    return (
        f"address replace {layout.GATEWAY_V4} peer {host.ipv4}/32 dev {host.name} scope link",
        f"address replace {layout.GATEWAY_V6}/64 dev {host.name} nodad",
        f"link set {host.name} up",
        f"route replace {host.ipv6}/128 via {layout.HOST_LINK_LOCAL} dev {host.name} proto static",
    )


def host_lines(host: HostLayout) -> Lines:
    """A host's own side of its link to the fabric."""
    return (
        *_interface((host.ipv4, host.ipv6)),
        f"address add {layout.HOST_LINK_LOCAL}/64 dev eth0 nodad",
        # onlink, as no address of the link's makes the gateway a neighbour: BIRD learns it only so (2.0, nl_parse_route)
        f"route add default via {layout.GATEWAY_V4} dev eth0 onlink proto static",
        f"route add default via {layout.GATEWAY_V6} dev eth0 proto static",
    )


def workload_link_lines(ifname: str, network: str, mac: MAC) -> Lines:
    """Run in the host: the link of the workload in namespace *network*, whose own end gets *mac*."""
    return (
        f"link add {ifname} address {HOST_END_MAC} type veth peer name eth0 address {mac} netns {network}",
        f"link set {ifname} up",
    )


def workload_lines(addresses: Sequence[Address]) -> Lines:
    """Run in the workload: everything leaves by the host, the neighbour on the same host included."""
    return (
        *_interface(addresses),
        f"route add {WORKLOAD_GATEWAY_V4}/32 dev eth0 scope link proto static",
        f"route add default via {WORKLOAD_GATEWAY_V4} dev eth0 proto static",
        f"route add default via {WORKLOAD_GATEWAY_V6} dev eth0 proto static",
    )


def workload_mac(ifname: str) -> MAC:
    """A MAC address for the workload's end, the same for the same link name; unicast and locally administered."""
    digest = hashlib.sha1(ifname.encode(), usedforsecurity=False).digest()
    return MAC(bytes([digest[0] & 0xFC | 0x02]) + digest[1:6])


def _interface(addresses: Sequence[Address]) -> Lines:
    return (
        "link set lo up",
        *(f"address add {address.network()} dev eth0" for address in addresses),
        "link set eth0 up",
    )
