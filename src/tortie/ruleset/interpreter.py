"""What a ruleset means for a packet: the reading of nft(8) that compiler, writers and tests share.

A packet visits the base chains of a hook in order of priority. ``accept`` ends one base chain and the next is visited;
``drop`` and ``reject`` end everything. A base chain that runs out of rules accepts. A packet of a connection that is known, or
of which only a fragment is there, is the kernel's affair: state and ports are given with the packet.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from enum import Enum
from typing import NamedTuple, TypeAlias, assert_never

import msgspec

from tortie.net import Address, Family, Network, Protocol
from tortie.ruleset.ruleset import Chain, Ruleset
from tortie.ruleset.values import (
    Accept,
    ConnectionsElement,
    CtState,
    CtStateMatch,
    DestinationNATMatch,
    Dispatch,
    Drop,
    FamilyMatch,
    Hook,
    ICMPTypeMatch,
    Interface,
    InterfaceMatch,
    InterfaceSetMatch,
    Jump,
    KeyPart,
    LogPacket,
    MarkMatch,
    Match,
    NetsMatch,
    NoTrack,
    PortsMatch,
    ProtocolMatch,
    RateElement,
    Reject,
    Return,
    Rule,
    RulesetValue,
    SetMark,
    SetMatch,
    SetType,
    Side,
    SpoofedSourceMatch,
    TupleElement,
    TupleMatch,
)


class Translation(NamedTuple):
    """A destination in place of another (DNAT)."""

    address: Address
    port: int | None = None


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
    is_tracked: bool = False
    """Whether connection tracking has it already, as what the host sends to itself has when it arrives: then it stays so."""
    is_spoofed: bool = False
    """Whether no route leads back to the source over ``in_interface``: rules can see that, routes are not known here."""
    translation: Translation | None = None
    """What the host's NAT makes of the destination, on the way in or out, unless the packet is untracked."""
    is_translated: bool = False
    """Whether NAT has changed the destination."""
    over_limit: frozenset[str] = frozenset()
    """The sets of limits in which the limit of the packet's interface is exceeded: counts are not known here."""
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

    verdict: Accept | Drop | Reject
    packet: Packet
    """As the rules left it."""
    rule: Rule | None = None
    """What dropped or rejected it; None where it was accepted."""
    logged: tuple[str, ...] = ()
    """The prefixes of the log entries, in order."""

    @property
    def is_accepted(self) -> bool:
        return isinstance(self.verdict, Accept)


class LoopError(ValueError):
    """A walk that went deeper than the kernel allows."""


MAX_DEPTH = 16
"""Chains on the kernel's stack of jumps, the base chain included (Linux, NFT_JUMP_STACK_SIZE: another is EMLINK)."""


NAT_PRIORITY = -100
"""At which the host's NAT translates destinations, in prerouting and output."""


def path_of(packet: Packet) -> Path:
    """The way that its interfaces say."""
    if not packet.in_interface:
        return Path.FROM_HOST
    return Path.FORWARD if packet.out_interface else Path.TO_HOST


BaseChains: TypeAlias = Mapping[Hook, Sequence[tuple[int, str]]]
"""Priority and name of each hook's chains, in order."""


def base_chains(ruleset: Ruleset) -> BaseChains:
    """The base chains of a ruleset, for whoever walks it many times."""
    found: dict[Hook, list[tuple[int, str]]] = {hook: [] for hook in Hook}
    for name, chain in ruleset.chains.items():
        if chain.base is not None:
            found[chain.base.hook].append((chain.base.priority, name))
    return {hook: sorted(chains) for hook, chains in found.items()}


def walk(ruleset: Ruleset, packet: Packet, path: Path | None = None, bases: BaseChains | None = None) -> Outcome:
    """Take *packet* along *path*, by default the one of its interfaces, through every base chain and NAT on it."""
    walker = _Walker(ruleset, packet)
    bases = base_chains(ruleset) if bases is None else bases
    for hook in (path or path_of(packet)).value:
        # The way out is not known before the packet is routed.
        out_interface = "" if hook is Hook.PREROUTING else packet.out_interface
        walker.packet = msgspec.structs.replace(walker.packet, out_interface=out_interface)
        for priority, name in bases[hook]:
            if priority > NAT_PRIORITY:
                walker.translate(hook)
            decided = walker.chain(ruleset.chains[name], depth=1)
            if decided is not None and isinstance(verdict := decided.statements[-1], Drop | Reject):
                return Outcome(verdict, walker.packet, decided, tuple(walker.logged))
        walker.translate(hook)
    return Outcome(Accept(), walker.packet, None, tuple(walker.logged))


class _Walker:
    """A packet on its way."""

    def __init__(self, ruleset: Ruleset, packet: Packet) -> None:
        self._ruleset = ruleset
        self.packet = packet
        self.logged: list[str] = []

    def translate(self, hook: Hook) -> None:
        """Change the destination as NAT does in this hook, if it has not been yet."""
        packet, to = self.packet, self.packet.translation
        if hook not in (Hook.PREROUTING, Hook.OUTPUT) or to is None or packet.ct_state is CtState.UNTRACKED:
            return
        port = packet.destination_port if to.port is None else to.port
        self.packet = msgspec.structs.replace(
            packet, destination=to.address, destination_port=port, translation=None, is_translated=True
        )

    def chain(self, chain: Chain, depth: int) -> Rule | None:
        """Walk a chain; the rule whose verdict ended it, None if it came to its end."""
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
                case Accept() | Drop() | Reject():
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
                    if not self.packet.is_tracked:
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
        case InterfaceSetMatch(interface, set_name):
            return _interface_in(ruleset, set_name, packet, interface)
        case FamilyMatch(family):
            return packet.family is family
        case CtStateMatch(states):
            return packet.ct_state in states
        case DestinationNATMatch():
            return packet.is_translated
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
        case TupleMatch(key, family, set_name, negate):
            if family not in (None, packet.family):
                return False
            return (tuple_of(packet, key) in ruleset.sets[set_name].elements) is not negate
        case PortsMatch(side, ports, negate):
            port = _port(packet, side)
            return port is not None and any(first <= port <= last for first, last in ports) is not negate
        case ICMPTypeMatch(family, icmp_type, code, negate):
            if packet.family is not family or packet.icmp_type is None:
                return False
            return (packet.icmp_type == icmp_type and code in (None, packet.icmp_code)) is not negate
        case _:
            assert_never(match)


def _interface_in(ruleset: Ruleset, set_name: str, packet: Packet, interface: Interface) -> bool:
    declaration, elements = ruleset.sets[set_name]
    ifname = _interface(packet, interface)
    if declaration.type is SetType.INTERFACE:
        return ifname in elements
    limited = {element.interface for element in elements if isinstance(element, (RateElement, ConnectionsElement))}
    return ifname in limited and set_name in packet.over_limit


def _in_set(ruleset: Ruleset, set_name: str, address: Address) -> bool:
    declaration, elements = ruleset.sets[set_name]
    if declaration.type is SetType.ADDRESS:
        return address in elements
    return any(isinstance(e, Network) and e.contains(address) for e in elements)


def tuple_of(packet: Packet, key: tuple[KeyPart, ...]) -> TupleElement | None:
    """The packet's values for the parts of a key; None if it lacks one."""
    values = [_READERS[part](packet) for part in key]
    return None if None in values else tuple(value for value in values if value is not None)


_READERS: dict[KeyPart, Callable[[Packet], Address | Protocol | int | None]] = {
    KeyPart.SOURCE: lambda packet: packet.source,
    KeyPart.DESTINATION: lambda packet: packet.destination,
    KeyPart.PROTOCOL: lambda packet: packet.protocol,
    KeyPart.SOURCE_PORT: lambda packet: packet.source_port,
    KeyPart.DESTINATION_PORT: lambda packet: packet.destination_port,
    KeyPart.ICMP_TYPE: lambda packet: packet.icmp_type,
}
