"""A host without a kernel: the cluster's resources in, the ruleset that its agent would program out, and what that does to packets.

resources ──► Calculation ──► Options, Compiler ──► Ruleset ──► walk
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import msgspec

from tortie.calc import Calculation
from tortie.calc.hoststate import ConfigUpdate, HostStateDelta
from tortie.model.kinds import ResourceKey
from tortie.model.meta import HostName, Resource
from tortie.model.updates import ResourceUpdate
from tortie.net import Address, Family
from tortie.ruleset import Compiler, Options, Outcome, Packet, Ruleset, apply_flush, initial, walk
from tortie.ruleset.options import Compilation
from tortie.ruleset.values import CtState, Flush
from tortie.verdict.names import LOOPBACK
from tortie.verdict.packet import Packet as Headers

_BEGINS = {Family.V4: {8, 13, 15, 17}, Family.V6: {128, 139}}
"""ICMP types of a first packet that connection tracking knows a flow for (Linux, nf_conntrack_proto_icmp{,v6}.c)."""
_NOT_TRACKED = {Family.V4: set[int](), Family.V6: {130, 131, 132, 133, 134, 135, 136, 143}}
"""Listener and neighbour discovery (the same)."""


class RulesetModel:
    """A host's ruleset, made of what its calculation says changes; begun anew where the settings become others."""

    def __init__(self, compilation: Compilation = Compilation.AUTO) -> None:
        self._compilation = compilation
        self._interfaces: dict[str, frozenset[Address]] = {}
        self.begin(self._options({}))

    def take(self, deltas: Iterable[HostStateDelta]) -> Flush:
        """Put changes in force; what they came to. ValueError for settings that no agent could use."""
        for delta in deltas:
            if isinstance(delta, ConfigUpdate):
                self._configure(self._options(delta.values))
            self.compiler.update(delta)
        flush = self.compiler.flush()
        self.flushed(flush)
        return flush

    def know(self, ifname: str, addresses: frozenset[Address]) -> None:
        """Take in that the host has this interface with these addresses; host endpoints are found by that."""
        if self._interfaces.get(ifname) == addresses:
            return
        self._interfaces[ifname] = addresses
        self.compiler.interfaces_changed(dict(self._interfaces))
        self.flushed(self.compiler.flush())

    def cross(self, headers: Headers, in_interface: str, out_interface: str, *, is_spoofed: bool = False) -> Outcome:
        """What the host does with the first packet of a new connection between two of its interfaces, or, where one is empty, itself.

        What it sends to itself over loopback arrives there at once, and is tracked by then, unless it left untracked.
        """
        packet = first_packet(headers, in_interface, out_interface, is_spoofed=is_spoofed)
        outcome = walk(self.ruleset, packet)
        if outcome.is_accepted and (in_interface, out_interface) == ("", LOOPBACK):
            is_tracked = outcome.packet.ct_state is not CtState.UNTRACKED
            changes = {"in_interface": LOOPBACK, "out_interface": "", "is_tracked": is_tracked}
            return walk(self.ruleset, msgspec.structs.replace(outcome.packet, **changes))
        return outcome

    def begin(self, options: Options) -> None:
        """Forget all that was taken in, but for the interfaces."""
        self.options = options
        self.compiler = Compiler(options)
        self.compiler.interfaces_changed(dict(self._interfaces))
        self.ruleset = Ruleset()
        self.flushed(initial(options))

    def flushed(self, flush: Flush) -> None:
        """Put a flush in force. The first after a beginning is what stands on every host."""
        self.ruleset = apply_flush(self.ruleset, flush)

    def _options(self, settings: Mapping[str, object]) -> Options:
        return msgspec.structs.replace(Options.of(settings), compilation=self._compilation)

    def _configure(self, options: Options) -> None:
        if options != self.options:
            state = tuple(self.compiler.state())
            self.begin(options)
            for delta in state:
                self.compiler.update(delta)


class HostModel(RulesetModel):
    """One host. ``become`` may be called again: what is then flushed is what an agent would, not a new beginning."""

    def __init__(self, node: HostName, compilation: Compilation = Compilation.AUTO) -> None:
        super().__init__(compilation)
        self._calculation = Calculation(node)
        self._calculation.in_sync()
        self._resources: Mapping[ResourceKey, Resource] = {}

    def become(self, resources: Mapping[ResourceKey, Resource]) -> None:
        """Take in that the cluster is now *resources*. ValueError for settings that no agent could use."""
        for update in changes(self._resources, resources):
            self._calculation.update(update)
        self._resources = resources
        self.take(self._calculation.flush())


def changes(before: Mapping[ResourceKey, Resource], after: Mapping[ResourceKey, Resource]) -> list[ResourceUpdate]:
    """The updates that lead from one state of a cluster to another."""
    gone = [ResourceUpdate(key, None, revision=1) for key in before if key not in after]
    return gone + [ResourceUpdate(key, value, revision=1) for key, value in after.items() if before.get(key) != value]


def first_packet(headers: Headers, in_interface: str, out_interface: str, *, is_spoofed: bool = False) -> Packet:
    """The first packet of a new connection, as rules between these interfaces see it."""
    icmp_type, icmp_code = headers.icmp or (None, None)
    return Packet(
        source=headers.source,
        destination=headers.destination,
        protocol=headers.protocol,
        in_interface=in_interface,
        out_interface=out_interface,
        source_port=headers.source_port,
        destination_port=headers.destination_port,
        icmp_type=icmp_type,
        icmp_code=icmp_code,
        ct_state=first_state(headers.family, icmp_type),
        is_spoofed=is_spoofed,
    )


def first_state(family: Family, icmp_type: int | None) -> CtState:
    """What connection tracking calls a packet of which it knows no flow."""
    if icmp_type is None or icmp_type in _BEGINS[family]:
        return CtState.NEW
    return CtState.UNTRACKED if icmp_type in _NOT_TRACKED[family] else CtState.INVALID
