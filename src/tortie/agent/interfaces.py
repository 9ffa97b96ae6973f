"""The host's interfaces and their addresses, as the kernel tells of them: host endpoints are found by them."""

from __future__ import annotations

from collections.abc import Iterable

from tortie.dataplane.link_state import AddressesChanged, LinkChanged, LinkEvent, LinkGone
from tortie.net import Address


class Interfaces:
    """All links by name, each with the addresses that it has."""

    def __init__(self) -> None:
        self.addresses: dict[str, frozenset[Address]] = {}

    def note(self, events: Iterable[LinkEvent]) -> None:
        """Take in what became of links; an event says the whole new state, so it may come twice."""
        for event in events:
            match event:
                case LinkChanged(link=link):
                    self.addresses.setdefault(link.name, frozenset())
                case AddressesChanged(name=name, addresses=addresses):
                    self.addresses[name] = frozenset(address.address for address in addresses)
                case LinkGone(name=name):
                    self.addresses.pop(name, None)
                case _:
                    pass
