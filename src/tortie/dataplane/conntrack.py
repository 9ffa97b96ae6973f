"""Ending flows: the conntrack entries of an endpoint or a permission that is gone are deleted (DESIGN, Ruleset).

The ruleset accepts what belongs to an established flow before it asks any policy. So after the rules have changed, whoever
changed them deletes the entries of the flows concerned; the next packet of such a flow is a new one, and is judged anew.
Deleting before the rules have changed would let the flow begin again.
"""

from __future__ import annotations

import errno
from collections.abc import Generator, Iterable
from types import TracebackType
from typing import Self

from tortie.dataplane.driver import KernelRefusedError
from tortie.dataplane.netlink.ctnetlink import (
    ConntrackFlow,
    ConntrackTuple,
    Place,
    delete_flow,
    list_flows,
    list_flows_at,
    read_flow,
)
from tortie.dataplane.netlink.message import Message
from tortie.dataplane.netlink.socket import NETLINK_NETFILTER, NetlinkError, NetlinkSocket
from tortie.net import Address, Family

__all__ = ["ConntrackFlow", "ConntrackTable", "ConntrackTuple", "Place"]

_BATCH = 256
"""Deletions sent at once: without root the socket's receive buffer holds some 500 acknowledgements."""


class ConntrackTable:
    """The flows that the kernel tracks in the network namespace of the thread that opens it.

    A socket for listing and one for deleting, so that a flow may be deleted while the listing goes on.
    """

    def __init__(self) -> None:
        self._listing = NetlinkSocket(NETLINK_NETFILTER)
        try:
            self._deleting = NetlinkSocket(NETLINK_NETFILTER)
        except BaseException:
            self._listing.close()
            raise

    def close(self) -> None:
        self._listing.close()
        self._deleting.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def flows(self) -> Generator[ConntrackFlow, None, None]:
        """Every flow, IPv4 first; one iteration at a time. Nothing but the piece last received is held."""
        for family in Family:
            yield from self._list(list_flows(family))

    def flows_of(self, address: Address) -> frozenset[ConntrackFlow]:
        """The flows from or to *address*, as either direction has it: as sent, or as NAT has made of it."""
        return frozenset(flow for place in Place for flow in self.flows_at(place, address))

    def flows_at(self, place: Place, address: Address) -> Generator[ConntrackFlow, None, None]:
        """The flows that have *address* at *place*, one by one as ``flows``. The kernel goes through all that it tracks."""
        for flow in self._list(list_flows_at(place, address)):
            if address in flow.addresses:
                yield flow

    def delete(self, *flows: ConntrackFlow) -> None:
        """Delete *flows*; one that has ended meanwhile is no error. All are tried before a refusal is raised."""
        refusals: list[NetlinkError] = []
        for at in range(0, len(flows), _BATCH):
            messages = [delete_flow(flow) for flow in flows[at : at + _BATCH]]
            refusals += [refusal for refusal in self._deleting.attempt(messages) if refusal.errno != errno.ENOENT]
        if refusals:
            raise _refused("end a flow", refusals[0])

    def ended(self, addresses: Iterable[Address]) -> int:
        """End the flows from or to *addresses*; how many there were. The rules that forbid them must be in force already."""
        flows = {flow for address in set(addresses) for flow in self.flows_of(address)}
        self.delete(*flows)
        return len(flows)

    def _list(self, request: Message) -> Generator[ConntrackFlow, None, None]:
        frames = self._listing.stream(request)
        try:
            yield from map(read_flow, frames)
        except NetlinkError as error:
            raise _refused("list flows", error) from error
        finally:
            for _ in frames:  # a listing that was left early is read to its end, or the socket could not begin another
                pass


def _refused(what: str, error: NetlinkError) -> KernelRefusedError:
    return KernelRefusedError(error.errno, f"the kernel would not {what}: {error.strerror}")
