"""Notices at once when somebody else changes our table, so that the agent can read it back and put it right.

The kernel tells every commit to a multicast group; our own are filtered out before they are queued.
"""

from __future__ import annotations

from types import TracebackType
from typing import Self

from tortie.dataplane.netlink.message import Frame, attributes, read_text
from tortie.dataplane.netlink.socket import NETLINK_NETFILTER, NetlinkSocket
from tortie.dataplane.nft import messages

NFNLGRP_NFTABLES = 7


class TableWatch:
    """A socket for an event loop: when it is readable, ask ``changed_by_others``."""

    def __init__(self, own_port: int) -> None:
        self._socket = NetlinkSocket(NETLINK_NETFILTER, groups=[NFNLGRP_NFTABLES])
        self._socket.ignore_port(own_port)

    def fileno(self) -> int:
        return self._socket.fileno()

    def changed_by_others(self) -> bool:
        """Whether, of what has come since the last call, anything says that our table changed, or some was lost."""
        found, lost = self._socket.waiting_notifications()
        return lost or any(map(_concerns_us, found))

    def close(self) -> None:
        self._socket.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _concerns_us(frame: Frame) -> bool:
    """Whether a notification is about our table: all kinds of objects name their table in attribute 1, a commit has none."""
    subsystem, verb = divmod(frame.type, 256)
    if subsystem != messages.NFNL_SUBSYS_NFTABLES or verb == messages.Verb.NEWGEN:
        return False
    if frame.payload[:1] != bytes([messages.NFPROTO_INET]):
        return False
    return any(kind == 1 and read_text(value) == messages.TABLE for kind, value in attributes(frame.payload, 4))
