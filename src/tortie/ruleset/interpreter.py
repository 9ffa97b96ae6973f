"""What a ruleset means for a packet: the reading of nft(8) that compiler, writers and tests share.

A packet visits the base chains of a hook in order of priority. ``accept`` ends one base chain and the next is visited;
``drop`` ends everything. A base chain that runs out of rules accepts. A packet of a connection that is known, or of which
only a fragment is there, is the kernel's affair: state and ports are given with the packet.
"""

from __future__ import annotations

from collections.abc import Iterator
from enum import Enum
from typing import assert_never

import msgspec

from tortie.net import Address, Family, Network, Protocol
from tortie.ruleset.ruleset import Chain, Ruleset
from tortie.ruleset.values import (
    Accept,
    AddressPortElement,
    CtState,
    CtStateMatch,
    Dispatch,
    Drop,
    FamilyMatch,
    Hook,
    ICMPTypeMatch,
    Interface,
    InterfaceMatch,
    Jump,
    LogPacket,
    MarkMatch,
    Match,
    NetsMatch,
    NoTrack,
    PortSetMatch,
    PortsMatch,
    ProtocolMatch,
    Return,
    Rule,
    RulesetValue,
    SetMark,
    SetMatch,
    Side,
    SpoofedSourceMatch,
)


class Packet(RulesetValue, frozen=True, kw_only=True):
    """What rules can see of a packet."""

    source: Address
    destination: Address
    protocol: Protocol
    in_interface: str = ""
    """Empty: the packet is the host's own."""
    out_interface: str = ""
    """Empty: the packet is for the host."""
    source_port: int | None = None
    destination_port: int | None = None
    """None where the protocol has no ports."""
    icmp_type: int | None = None
    icmp_code: int | None = None
    ct_state: CtState = CtState.NEW
    is_spoofed: bool = False
    """Whether no route leads back to the source over ``in_interface``: rules can see that, routes are not known here."""
    mark: int = 0

    @property
    def family(self) -> Family:
        return self.source.family


class Path(Enum):
    """The hooks that a packet passes, in order."""

    FORWARD = (Hook.PREROUTING, Hook.FORWARD, Hook.POSTROUTING)
    """From one interface to another: between workloads of this host, or between one and another host."""
    TO_HOST = (Hook.PREROUTING, Hook.INPUT)
    FROM_HOST = (Hook.OUTPUT, Hook.POSTROUTING)


class Outcome(RulesetValue, frozen=True):
    """What became of a packet."""

    verdict: Accept | Drop
    packet: Packet
    """As the rules left it."""
    rule: Rule | None = None
    """What dropped it; None where it was accepted."""
    logged: tuple[str, ...] = ()
    """The prefixes of the log entries, in order."""

    @property
    def is_accepted(self) -> bool:
        return isinstance(self.verdict, Accept)


class LoopError(ValueError):
    """A walk that went deeper than the kernel allows."""


MAX_DEPTH = 16
"""Chains on the kernel's stack of jumps, the base chain included."""


def walk(ruleset: Ruleset, packet: Packet, path: Path) -> Outcome:
    """Take *packet* along *path*, through every base chain on it."""
    walker = _Walker(ruleset, packet)
    for hook in path.value:
        # The way out is not known before the packet is routed.
        out_interface = "" if hook is Hook.PREROUTING else packet.out_interface
        walker.packet = msgspec.structs.replace(walker.packet, out_interface=out_interface)
        for chain in _base_chains(ruleset, hook):
            decided = walker.chain(chain, depth=1)
            if decided is not None and isinstance(decided.statements[-1], Drop):
                return Outcome(Drop(), walker.packet, decided, tuple(walker.logged))
    return Outcome(Accept(), walker.packet, None, tuple(walker.logged))


def _base_chains(ruleset: Ruleset, hook: Hook) -> Iterator[Chain]:
    found = [
        (chain.base.priority, name)
        for name, chain in ruleset.chains.items()
        if chain.base is not None and chain.base.hook is hook
    ]
    return (ruleset.chains[name] for _, name in sorted(found))


class _Walker:
    """A packet on its way."""

    def __init__(self, ruleset: Ruleset, packet: Packet) -> None:
        self._ruleset = ruleset
        self.packet = packet
        self.logged: list[str] = []

    def chain(self, chain: Chain, depth: int) -> Rule | None:
        """Walk a chain; the rule whose accept or drop ended it, None if it came to its end."""
        if depth > MAX_DEPTH:
            raise LoopError(f"more than {MAX_DEPTH} chains deep")
        for rule in chain.rules:
            if not all(_matches(self._ruleset, self.packet, match) for match in rule.matches):
                continue
            decided, goes_on = self._rule(rule, depth)
            if not goes_on:
                return decided
        return None

    def _rule(self, rule: Rule, depth: int) -> tuple[Rule | None, bool]:
        """Do the statements: the rule that decided, if any, and whether the chain goes on."""
        for statement in rule.statements:
            match statement:
                case Accept() | Drop():
                    return rule, False
                case Return():
                    return None, False
                case Jump(name):
                    decided = self.chain(self._ruleset.chains[name], depth + 1)
                    if decided is not None:
                        return decided, False
                case Dispatch(interface, map_name):
                    target = self._ruleset.maps[map_name].get(_interface(self.packet, interface))
                    decided = self.chain(self._ruleset.chains[target], depth + 1) if target is not None else None
                    if decided is not None:
                        return decided, False
                case SetMark(keep, bits):
                    self.packet = msgspec.structs.replace(self.packet, mark=(self.packet.mark & keep) | bits)
                case NoTrack():
                    self.packet = msgspec.structs.replace(self.packet, ct_state=CtState.UNTRACKED)
                case LogPacket(prefix):
                    self.logged.append(prefix)
                case _:
                    assert_never(statement)
        return None, True


def _interface(packet: Packet, interface: Interface) -> str:
    return packet.in_interface if interface is Interface.IN else packet.out_interface


def _address(packet: Packet, side: Side) -> Address:
    return packet.source if side is Side.SOURCE else packet.destination


def _port(packet: Packet, side: Side) -> int | None:
    return packet.source_port if side is Side.SOURCE else packet.destination_port


def _matches(ruleset: Ruleset, packet: Packet, match: Match) -> bool:
    match match:
        case InterfaceMatch(interface, name, prefix):
            actual = _interface(packet, interface)
            return actual.startswith(name) if prefix else actual == name
        case FamilyMatch(family):
            return packet.family is family
        case CtStateMatch(states):
            return packet.ct_state in states
        case SpoofedSourceMatch():
            return packet.is_spoofed
        case MarkMatch(mask, value, negate):
            return (packet.mark & mask == value) is not negate
        case ProtocolMatch(protocol, negate):
            return (packet.protocol == protocol) is not negate
        case NetsMatch(side, nets, negate):
            if nets[0].family is not packet.family:
                return False
            return any(net.contains(_address(packet, side)) for net in nets) is not negate
        case SetMatch(side, family, set_name, negate):
            return packet.family is family and _in_set(ruleset, set_name, _address(packet, side)) is not negate
        case PortSetMatch(side, family, set_name, negate):
            return packet.family is family and _in_port_set(ruleset, set_name, packet, side) is not negate
        case PortsMatch(side, ports, negate):
            port = _port(packet, side)
            return port is not None and any(first <= port <= last for first, last in ports) is not negate
        case ICMPTypeMatch(family, icmp_type, code, negate):
            if packet.family is not family or packet.icmp_type is None:
                return False
            return (packet.icmp_type == icmp_type and code in (None, packet.icmp_code)) is not negate
        case _:
            assert_never(match)


def _in_set(ruleset: Ruleset, set_name: str, address: Address) -> bool:
    elements = ruleset.sets[set_name].elements
    return address in elements or any(isinstance(e, Network) and e.contains(address) for e in elements)


def _in_port_set(ruleset: Ruleset, set_name: str, packet: Packet, side: Side) -> bool:
    port = _port(packet, side)
    if port is None:
        return False
    return AddressPortElement(_address(packet, side), packet.protocol, port) in ruleset.sets[set_name].elements
