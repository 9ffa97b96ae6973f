"""What is known of a host's links and addresses, and the events that tell its changes.

Pure: frames of rtnetlink go in, events come out; ``LinkWatch`` in ``links`` does the receiving. An event tells the whole new
state of its object, so it may be repeated or come twice without harm.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from types import MappingProxyType
from typing import TypeAlias

from tortie.dataplane.netlink import rtnetlink
from tortie.dataplane.netlink.message import Frame
from tortie.dataplane.netlink.rtnetlink import InterfaceAddress, KernelValue, Link, read_address, read_link
from tortie.net import Address


class LinkChanged(KernelValue, frozen=True, kw_only=True):
    """A link is new, or something of it has changed."""

    link: Link


class LinkGone(KernelValue, frozen=True, kw_only=True):
    """No link has this name any more: deleted, renamed, or moved to another namespace; its addresses and routes are gone."""

    name: str
    ifindex: int


class AddressesChanged(KernelValue, frozen=True, kw_only=True):
    """All addresses that a link has now, sorted."""

    name: str
    ifindex: int
    addresses: tuple[InterfaceAddress, ...]


class EventsLost(KernelValue, frozen=True, kw_only=True):
    """The kernel had more to tell than it could keep; the events that follow are from a new listing.

    A link that went down and up in between shows no change, but has lost its routes: whoever keeps state there reads it back.
    """


LinkEvent: TypeAlias = LinkChanged | LinkGone | AddressesChanged | EventsLost

_AddressTable: TypeAlias = dict[tuple[Address, int], InterfaceAddress]


class LinkTable:
    """The links and addresses of one network namespace, as far as told."""

    def __init__(self) -> None:
        self._links: dict[int, Link] = {}
        self._addresses: dict[int, _AddressTable] = {}

    @property
    def links(self) -> Mapping[int, Link]:
        """By number; a live view."""
        return MappingProxyType(self._links)

    def note(self, frame: Frame) -> Iterator[LinkEvent]:
        """Take in one notification."""
        match frame.type:
            case rtnetlink.RTM_NEWLINK if link := read_link(frame):
                yield from self._note_link(link)
            case rtnetlink.RTM_DELLINK if link := read_link(frame):
                yield from self._drop(link.ifindex)
            case rtnetlink.RTM_NEWADDR:
                yield from self._note_address(read_address(frame), here=True)
            case rtnetlink.RTM_DELADDR:
                yield from self._note_address(read_address(frame), here=False)

    def replace(self, links: Iterable[Frame], addresses: Iterable[Frame]) -> Iterator[LinkEvent]:
        """Take a complete listing for the truth; the events are the differences to what was known."""
        listed = {link.ifindex: link for frame in links if (link := read_link(frame))}
        found: dict[int, _AddressTable] = {ifindex: {} for ifindex in listed}
        for address in map(read_address, addresses):
            if address.ifindex in found:  # else its link came after the links were listed: notifications will tell
                found[address.ifindex][address.address, address.prefix_len] = address
        for ifindex, link in sorted(self._links.items()):
            if ifindex not in listed or listed[ifindex].name != link.name:  # before another is told under that name
                yield from self._drop(ifindex)
        for _, link in sorted(listed.items()):
            yield from self._note_link(link)
            yield from self._set_addresses(link, found[link.ifindex])

    def _note_link(self, link: Link) -> Iterator[LinkEvent]:
        before = self._links.get(link.ifindex)
        if before == link:
            return
        if before and before.name != link.name:
            yield LinkGone(name=before.name, ifindex=before.ifindex)
        self._links[link.ifindex] = link
        yield LinkChanged(link=link)
        if before and before.name != link.name and (table := self._addresses.get(link.ifindex)):
            yield self._addresses_of(link, table)  # a renamed link keeps them, but they were told under its old name

    def _drop(self, ifindex: int) -> Iterator[LinkEvent]:
        self._addresses.pop(ifindex, None)
        if link := self._links.pop(ifindex, None):
            yield LinkGone(name=link.name, ifindex=ifindex)

    def _note_address(self, address: InterfaceAddress, *, here: bool) -> Iterator[LinkEvent]:
        link = self._links.get(address.ifindex)
        if link is None:
            return
        table = dict(self._addresses.get(address.ifindex, {}))
        if here:
            table[address.address, address.prefix_len] = address
        else:
            table.pop((address.address, address.prefix_len), None)
        yield from self._set_addresses(link, table)

    def _set_addresses(self, link: Link, table: _AddressTable) -> Iterator[LinkEvent]:
        if self._addresses.get(link.ifindex, {}) == table:
            return
        self._addresses[link.ifindex] = table
        yield self._addresses_of(link, table)

    @staticmethod
    def _addresses_of(link: Link, table: _AddressTable) -> AddressesChanged:
        addresses = tuple(address for _, address in sorted(table.items()))
        return AddressesChanged(name=link.name, ifindex=link.ifindex, addresses=addresses)
