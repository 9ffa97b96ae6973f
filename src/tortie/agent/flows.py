"""Ending the flows that policy no longer allows.

    deltas ──► Doubts ── settled ──► list what is tracked ──► FlowJudge ──► delete

The kernel lets packets of known connections through before policy is asked. When what is enforced has changed, this looks through
the connections that the change is about, and ends those that the rules of now would not let begin. All others stay.

It comes after the rules: until it has got to a flow, packets go on, and nobody waits for it. It begins when changes have
settled, goes in steps of a few milliseconds between which everything else has its turn, and at most for a tenth of the time.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable, Iterator

import msgspec

from tortie.calc.hoststate import HostStateDelta
from tortie.dataplane.conntrack import ConntrackFlow, ConntrackTable, Place
from tortie.dataplane.driver import KernelRefusedError
from tortie.dataplane.netlink.socket import DumpInterruptedError
from tortie.ruleset.doubts import Doubt, Doubts
from tortie.ruleset.flowjudge import FlowJudge
from tortie.ruleset.interpreter import Packet, Translation

_log = logging.getLogger(__name__)

SETTLE_S = 1.0
"""How long a change waits for others that come with it."""
REST = 9
"""The pause after a sweep, in units of what it took."""

_STEP_S = 0.005
_FEW_ADDRESSES = 8
"""So many are asked for one by one: the kernel then walks over its table four times for each, and tells only of what is theirs."""


class FlowPlane:
    """Owns no flow, and ends those that must not be. The rules that forbid them must be in force before ``sweep``."""

    def __init__(self, conntrack: ConntrackTable, clock: Callable[[], float] = time.monotonic) -> None:
        self._conntrack = conntrack
        self._clock = clock
        self._doubts = Doubts()
        self._doubts.add(Doubt(is_about_all=True))  # what was let in before we started

    def update(self, deltas: Iterable[HostStateDelta]) -> None:
        """Take note of what changes; cheap."""
        for delta in deltas:
            self._doubts.update(delta)

    def sweep(self, judge: Callable[[], FlowJudge]) -> Iterator[None]:
        """End what is in doubt and refused, step by step; *judge* is asked for once, if there is anything in doubt.

        What could not be looked at is still in doubt after it.
        """
        doubt = self._doubts.take()
        if not doubt:
            return
        try:
            yield from self._sweep(doubt, judge())
        except (KernelRefusedError, DumpInterruptedError) as error:
            _log.warning("flows could not be looked through, which will be tried again: %s", error)
            self._doubts.add(doubt)

    def _sweep(self, doubt: Doubt, judge: FlowJudge) -> Iterator[None]:
        seen = ended = 0
        refused: set[ConntrackFlow] = set()
        is_in_doubt = _concern(doubt)
        until = self._clock() + _STEP_S
        for flow in self._flows(doubt):
            if flow is not None:
                seen += 1
                if is_in_doubt(flow) and not flow.is_related and judge.refuses(first_packet(flow)):
                    refused.add(flow)  # listed by address it may come twice
            if self._clock() >= until:
                ended += self._end(refused)
                yield
                until = self._clock() + _STEP_S
        ended += self._end(refused)
        if ended:
            _log.info("policy does not allow %d flows any more, of %d looked at: they were ended", ended, seen)

    def _flows(self, doubt: Doubt) -> Iterator[ConntrackFlow | None]:
        """Those to look at; None after each walk of the kernel's, for it takes a while though it may find nothing."""
        if doubt.is_about_all or len(doubt.networks) > _FEW_ADDRESSES or not all(n.is_host for n in doubt.networks):
            yield from self._conntrack.flows()
            return
        for network in sorted(doubt.networks):
            for place in Place:
                yield from self._conntrack.flows_at(place, network.address)
                yield None

    def _end(self, refused: set[ConntrackFlow]) -> int:
        """Delete the flows gathered, and forget them."""
        count = len(refused)
        self._conntrack.delete(*refused)
        refused.clear()
        return count


def _concern(doubt: Doubt) -> Callable[[ConntrackFlow], bool]:
    """What tells whether a flow may be concerned: all that is tracked is asked for."""
    hosts = {network.address for network in doubt.networks if network.is_host}
    wide = [network for network in doubt.networks if not network.is_host]
    return lambda flow: (
        doubt.is_about_all
        or any(end in hosts or any(network.contains(end) for network in wide) for end in flow.addresses)
    )


def first_packet(flow: ConntrackFlow) -> Packet:
    """The flow's first packet, as it came, and what NAT has made of its destination; that of its source comes after all policy."""
    original, reply = flow.original, flow.reply
    has_ports = original.icmp_type is None and bool(original.source_port or original.destination_port)
    packet = Packet(
        source=original.source,
        destination=original.destination,
        protocol=flow.protocol,
        source_port=original.source_port if has_ports else None,
        destination_port=original.destination_port if has_ports else None,
        icmp_type=original.icmp_type,
        icmp_code=original.icmp_code,
    )
    now = Translation(reply.source, reply.source_port if has_ports else None)
    if now == (packet.destination, packet.destination_port):
        return packet
    return msgspec.structs.replace(packet, translation=now)
