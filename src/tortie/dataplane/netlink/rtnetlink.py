"""rtnetlink messages for links and what hangs on them: addresses and neighbours (rtnetlink(7); linux/if_link.h).

Requests are functions that give a ``Message``; ``read_…`` takes apart what the kernel lists or notifies. Nothing here does
I/O. Links are named, not numbered, wherever the kernel takes a name: the number of a link is known only once it exists.
Routes are in ``route``.
"""

from __future__ import annotations

import struct

import msgspec

from tortie.dataplane.netlink.message import (
    NLM_F_CREATE,
    NLM_F_EXCL,
    NLM_F_REPLACE,
    Frame,
    Message,
    attribute,
    attribute_map,
    nest,
    read_text,
    text,
    u32,
)
from tortie.net import MAC, Address, Family

# Multicast groups (linux/rtnetlink.h)
RTNLGRP_LINK = 1
RTNLGRP_IPV4_IFADDR = 5
RTNLGRP_IPV6_IFADDR = 9

# Message types
RTM_NEWLINK = 16
RTM_DELLINK = 17
RTM_GETLINK = 18
RTM_NEWADDR = 20
RTM_DELADDR = 21
RTM_GETADDR = 22
RTM_NEWNEIGH = 28
RTM_DELNEIGH = 29
RTM_GETNEIGH = 30

AF_UNSPEC = 0
AF_INET = 2
AF_INET6 = 10
FAMILY_NUMBER = {Family.V4: AF_INET, Family.V6: AF_INET6}

IFF_UP = 0x1
IFF_RUNNING = 0x40

IFLA_ADDRESS = 1
IFLA_IFNAME = 3
IFLA_MTU = 4
IFLA_LINK = 5
IFLA_LINKINFO = 18
IFLA_NET_NS_FD = 28
IFLA_EXT_MASK = 29
IFLA_INFO_KIND = 1
IFLA_INFO_DATA = 2
VETH_INFO_PEER = 1
RTEXT_FILTER_SKIP_STATS = 0x8

IFA_ADDRESS = 1
IFA_LOCAL = 2
IFA_FLAGS = 8
IFA_F_NODAD = 0x02
IFA_F_TENTATIVE = 0x40

NDA_DST = 1
NDA_LLADDR = 2
NUD_PERMANENT = 0x80

_LINK = struct.Struct("=BxHiII")  # ifinfomsg: family, type, index, flags, mask of the flags that change
_ADDRESS = struct.Struct("=BBBBi")  # ifaddrmsg: family, prefix length, flags, scope, index
_NEIGHBOUR = struct.Struct("=BxxxiHBB")  # ndmsg: family, index, state, flags, type
_U32 = struct.Struct("=I")


class KernelValue(msgspec.Struct, frozen=True, kw_only=True):
    """Base of what rtnetlink tells: immutable, compared by value."""


# --- links ---------------------------------------------------------------------------------------------------------------


class Link(KernelValue, frozen=True, kw_only=True):
    """A network interface."""

    name: str
    ifindex: int
    mac: MAC | None = None
    """None where the link layer has no Ethernet address, as on a tunnel."""
    up: bool = False
    """Whether an administrator has switched it on; only then the kernel takes routes through it."""
    running: bool = False
    """Whether it has carrier too: on a veth, whether its peer is up."""
    mtu: int = 0
    kind: str = ""
    """``veth``, ``vxlan``, …; empty for the loopback and for hardware."""
    peer_ifindex: int = 0
    """On a veth, its peer's number, which counts in the peer's network namespace; 0 if it has none."""


def create_veth(
    name: str, *, mac: MAC | None, peer_name: str, peer_mac: MAC | None, peer_namespace: int | None, mtu: int | None
) -> Message:
    """A veth pair, both ends down; refused if *name* exists.

    A MAC of None is chosen by the kernel. *peer_namespace* is a descriptor of the network namespace where the peer is born.
    """
    namespace = b"" if peer_namespace is None else u32(IFLA_NET_NS_FD, peer_namespace)
    peer = nest(VETH_INFO_PEER, _LINK.pack(0, 0, 0, 0, 0), _identity(peer_name, peer_mac, mtu), namespace)
    info = nest(IFLA_LINKINFO, text(IFLA_INFO_KIND, "veth"), nest(IFLA_INFO_DATA, peer))
    return _new_link(_identity(name, mac, mtu) + info, flags=NLM_F_CREATE | NLM_F_EXCL)


def delete_link(name: str) -> Message:
    return Message(RTM_DELLINK, 0, _LINK.pack(0, 0, 0, 0, 0) + text(IFLA_IFNAME, name))


def set_link_up(name: str) -> Message:
    return _new_link(text(IFLA_IFNAME, name), switch_on=IFF_UP)


def move_link(name: str, namespace: int) -> Message:
    """Move a link to the network namespace behind the descriptor *namespace*; it arrives down and without addresses."""
    return _new_link(text(IFLA_IFNAME, name) + u32(IFLA_NET_NS_FD, namespace))


def get_link(name: str) -> Message:
    return Message(RTM_GETLINK, 0, _LINK.pack(0, 0, 0, 0, 0) + text(IFLA_IFNAME, name) + _NO_STATISTICS)


def list_links() -> Message:
    """A dump of every link; the counters, most of a message otherwise, are left out."""
    return Message(RTM_GETLINK, 0, _LINK.pack(0, 0, 0, 0, 0) + _NO_STATISTICS)


_NO_STATISTICS = u32(IFLA_EXT_MASK, RTEXT_FILTER_SKIP_STATS)


def _identity(name: str, mac: MAC | None, mtu: int | None) -> bytes:
    return (
        text(IFLA_IFNAME, name)
        + (b"" if mac is None else attribute(IFLA_ADDRESS, mac.packed))
        + (b"" if mtu is None else u32(IFLA_MTU, mtu))
    )


def _new_link(attributes: bytes, *, flags: int = 0, switch_on: int = 0) -> Message:
    return Message(RTM_NEWLINK, flags, _LINK.pack(0, 0, 0, switch_on, switch_on) + attributes)


def read_link(frame: Frame) -> Link | None:
    """The link in an RTM_NEWLINK or RTM_DELLINK.

    None if the message is not about the link as such: a bridge announces its ports with the same types, and that a port
    has left it looks like the link's end (net/bridge/br_netlink.c).
    """
    family, _type, ifindex, flags, _change = _LINK.unpack_from(frame.payload)
    if family != AF_UNSPEC:
        return None
    found = attribute_map(frame.payload, _LINK.size)
    mac = found.get(IFLA_ADDRESS, b"")
    return Link(
        name=read_text(found.get(IFLA_IFNAME, b"")),
        ifindex=ifindex,
        mac=MAC(mac) if len(mac) == 6 else None,
        up=bool(flags & IFF_UP),
        running=bool(flags & IFF_RUNNING),
        mtu=_number(found.get(IFLA_MTU)),
        kind=read_text(attribute_map(found.get(IFLA_LINKINFO, b"")).get(IFLA_INFO_KIND, b"")),
        peer_ifindex=_number(found.get(IFLA_LINK)),
    )


def _number(value: bytes | None) -> int:
    return 0 if value is None else int(_U32.unpack(value)[0])


# --- addresses -----------------------------------------------------------------------------------------------------------


class InterfaceAddress(KernelValue, frozen=True, kw_only=True):
    """An address of a link."""

    ifindex: int
    address: Address
    prefix_len: int
    tentative: bool = False
    """IPv6: not usable yet, since duplicate address detection still runs."""


def add_address(ifindex: int, address: Address, prefix_len: int, *, nodad: bool) -> Message:
    """Give a link an address; refused if it has it. With *nodad* an IPv6 address is usable at once."""
    header = _ADDRESS.pack(FAMILY_NUMBER[address.family], prefix_len, 0, 0, ifindex)
    flags = u32(IFA_FLAGS, IFA_F_NODAD) if nodad and address.family is Family.V6 else b""
    named = attribute(IFA_LOCAL, address.packed) + attribute(IFA_ADDRESS, address.packed)
    return Message(RTM_NEWADDR, NLM_F_CREATE | NLM_F_EXCL, header + named + flags)


def list_addresses() -> Message:
    """A dump of the addresses of every link, both families."""
    return Message(RTM_GETADDR, 0, _ADDRESS.pack(AF_UNSPEC, 0, 0, 0, 0))


def read_address(frame: Frame) -> InterfaceAddress:
    """The address in an RTM_NEWADDR or RTM_DELADDR."""
    _family, prefix_len, flags, _scope, ifindex = _ADDRESS.unpack_from(frame.payload)
    found = attribute_map(frame.payload, _ADDRESS.size)
    flags |= _number(found.get(IFA_FLAGS))
    return InterfaceAddress(
        ifindex=ifindex,
        # on a point-to-point link IFA_ADDRESS is the other end's
        address=Address(found.get(IFA_LOCAL) or found[IFA_ADDRESS]),
        prefix_len=prefix_len,
        tentative=bool(flags & IFA_F_TENTATIVE),
    )


# --- neighbours ----------------------------------------------------------------------------------------------------------


class Neighbour(KernelValue, frozen=True, kw_only=True):
    """An entry of the ARP or neighbour discovery table."""

    ifindex: int
    address: Address
    mac: MAC | None
    """None while it is not resolved."""
    permanent: bool = False


def set_neighbour(ifindex: int, address: Address, mac: MAC) -> Message:
    """A permanent entry, in place of one that may exist."""
    header = _NEIGHBOUR.pack(FAMILY_NUMBER[address.family], ifindex, NUD_PERMANENT, 0, 0)
    named = attribute(NDA_DST, address.packed) + attribute(NDA_LLADDR, mac.packed)
    return Message(RTM_NEWNEIGH, NLM_F_CREATE | NLM_F_REPLACE, header + named)


def delete_neighbour(ifindex: int, address: Address) -> Message:
    header = _NEIGHBOUR.pack(FAMILY_NUMBER[address.family], ifindex, 0, 0, 0)
    return Message(RTM_DELNEIGH, 0, header + attribute(NDA_DST, address.packed))


def list_neighbours() -> Message:
    """A dump of the neighbours on every link, both families."""
    return Message(RTM_GETNEIGH, 0, _NEIGHBOUR.pack(AF_UNSPEC, 0, 0, 0, 0))


def read_neighbour(frame: Frame) -> Neighbour | None:
    """The entry in an RTM_NEWNEIGH or RTM_DELNEIGH; None for those of other families, such as a bridge's."""
    family, ifindex, state, _flags, _type = _NEIGHBOUR.unpack_from(frame.payload)
    if family not in (AF_INET, AF_INET6):
        return None
    found = attribute_map(frame.payload, _NEIGHBOUR.size)
    mac = found.get(NDA_LLADDR, b"")
    return Neighbour(
        ifindex=ifindex,
        address=Address(found[NDA_DST]),
        mac=MAC(mac) if len(mac) == 6 else None,
        permanent=bool(state & NUD_PERMANENT),
    )
