"""Whether the rules would let a flow begin that has begun already.

Rules let packets of known connections through before policy is asked. So whoever wants policy to count for flows that it let in
earlier has to ask anew, and end those that are refused. What is asked is what was asked of the flow's first packet: the stages
of workloads, at either end. Host endpoints are not asked: over which of the host's interfaces a flow came is not known later.

    forwarded        fwd-2-wl-from (the sender is a workload here), fwd-3-wl-to (the receiver is)
    to the host      inp-1-wl
    from the host    nothing: it always reaches its workloads
"""

from __future__ import annotations

from collections.abc import Mapping
from collections.abc import Set as AbstractSet

import msgspec

from tortie.net import Address, Network
from tortie.ruleset.interpreter import Packet, is_dropped
from tortie.ruleset.ruleset import Ruleset

ELSEWHERE = "?"
"""The interface to everybody who is no workload here: no link is called so."""

_GROUPS = Network.parse("224.0.0.0/3"), Network.parse("ff00::/8")
"""Multicast, broadcast and reserved addresses."""

_FORWARD, _TO_HOST = ("fwd-2-wl-from", "fwd-3-wl-to"), ("inp-1-wl",)


class FlowJudge:
    """Judges by one state of the ruleset, and of where the host's workloads are."""

    def __init__(self, ruleset: Ruleset, links: Mapping[Address, str], own: AbstractSet[Address]) -> None:
        self._ruleset = ruleset
        self._links = links
        self._own = own

    def refuses(self, first: Packet) -> bool:
        """Whether a flow that begins with this packet would be refused; its destination is that after NAT, interfaces are found."""
        sender, receiver = self._links.get(first.source), self._links.get(first.destination)
        if sender is None and (receiver is None or first.source in self._own):
            return False
        to_host = first.destination in self._own
        packet = msgspec.structs.replace(
            first,
            in_interface=sender or ELSEWHERE,
            out_interface="" if to_host else receiver or ELSEWHERE,
        )
        is_refused = is_dropped(self._ruleset, packet, _TO_HOST if to_host else _FORWARD)
        # What goes to many may be for the host, or for others, or for both.
        return is_refused and not any(group.contains(first.destination) for group in _GROUPS)
