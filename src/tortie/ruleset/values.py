"""The neutral ruleset: tables, chains, sets, maps and rules as values that speak of intent.

Between the compiler, which makes them from a host's state, and the writers (nf_tables, iptables), which choose the idiom of
their kernel interface. Everything is immutable and compared by value, so that what a kernel lists, decoded, can be compared
with what was meant. The interpreter in ``tortie.ruleset.interpreter`` says what they mean for a packet.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Literal, NamedTuple, TypeAlias

import msgspec

from tortie.net import Address, Family, Network, Protocol


class RulesetValue(msgspec.Struct, frozen=True):
    """Base of the ruleset's parts."""


class Side(StrEnum):
    """Which end of the packet."""

    SOURCE = "saddr"
    DESTINATION = "daddr"


class Interface(StrEnum):
    """Which interface of the packet."""

    IN = "iifname"
    OUT = "oifname"


class Range(NamedTuple):
    """Numbers from first to last."""

    first: int
    last: int


class CtState(StrEnum):
    """A packet's state in connection tracking (nft(8), CONNTRACK EXPRESSIONS)."""

    INVALID = "invalid"
    ESTABLISHED = "established"
    RELATED = "related"
    NEW = "new"
    UNTRACKED = "untracked"


# --- matches: a rule applies if all of its matches do -----------------------------------------------------------------------


class InterfaceMatch(RulesetValue, frozen=True):
    """The interface's name equals ``name``, or begins with it if ``prefix``."""

    interface: Interface
    name: str
    prefix: bool = False


class InterfaceSetMatch(RulesetValue, frozen=True):
    """The interface's name is in a set of ``INTERFACE`` type; of a set of limits: it is, and its limit is exceeded."""

    interface: Interface
    set_name: str


class FamilyMatch(RulesetValue, frozen=True):
    """The packet's IP version; implied by matches on addresses."""

    family: Family


class CtStateMatch(RulesetValue, frozen=True):
    """The packet's state is one of these."""

    states: frozenset[CtState]


class DestinationNATMatch(RulesetValue, frozen=True):
    """The connection's destination was translated (``ct status dnat``)."""


class SpoofedSourceMatch(RulesetValue, frozen=True):
    """No route leads back to the packet's source over the interface it came in on (strict reverse path, RFC 3704 §2.2)."""


class MarkMatch(RulesetValue, frozen=True):
    """``mark & mask`` equals ``value``, or differs from it."""

    mask: int
    value: int
    negate: bool = False


class ProtocolMatch(RulesetValue, frozen=True):
    """The packet's layer 4 protocol is this one, or not."""

    protocol: Protocol
    negate: bool = False


class NetsMatch(RulesetValue, frozen=True):
    """The address is in one of these networks, or in none. One family, sorted, none within another, never empty.

    Negated too it matches packets of the networks' family only.
    """

    side: Side
    nets: tuple[Network, ...]
    negate: bool = False


class SetMatch(RulesetValue, frozen=True):
    """The address is in a set of ``ADDRESS`` or ``NETWORK`` type, or not. Only packets of the set's family match, negated too."""

    side: Side
    family: Family
    set_name: str
    negate: bool = False


class KeyPart(StrEnum):
    """What of a packet is a part of a tuple, as nft(8) writes it."""

    SOURCE = "saddr"
    DESTINATION = "daddr"
    PROTOCOL = "l4proto"
    SOURCE_PORT = "sport"
    DESTINATION_PORT = "dport"
    ICMP_TYPE = "icmp type"


class TupleMatch(RulesetValue, frozen=True):
    """These parts of the packet, side by side, are in a set of tuples, or not.

    A packet of a protocol without ports is in no set that has ports. An ICMP type follows its ProtocolMatch.
    """

    key: tuple[KeyPart, ...]
    family: Family | None
    """Of the address or the ICMP type: only its packets match, negated too. None for keys without either."""
    set_name: str
    negate: bool = False

    @classmethod
    def port(cls, side: Side, family: Family, set_name: str, *, negate: bool = False) -> TupleMatch:
        """Address, protocol and port of one side."""
        return cls(_PORT_KEY[side], family, set_name, negate)


_PORT_KEY = {
    Side.SOURCE: (KeyPart.SOURCE, KeyPart.PROTOCOL, KeyPart.SOURCE_PORT),
    Side.DESTINATION: (KeyPart.DESTINATION, KeyPart.PROTOCOL, KeyPart.DESTINATION_PORT),
}


class PortsMatch(RulesetValue, frozen=True):
    """The port is in one of these ranges, or in none: sorted, apart, never empty. Follows a ProtocolMatch for TCP, UDP or SCTP."""

    side: Side
    ports: tuple[Range, ...]
    negate: bool = False


class ICMPTypeMatch(RulesetValue, frozen=True):
    """The ICMP (or ICMPv6, by ``family``) type and, if given, code; negated: not both. Follows its ProtocolMatch and implies the family."""

    family: Family
    type: int
    code: int | None = None
    negate: bool = False


Match: TypeAlias = (
    InterfaceMatch | InterfaceSetMatch | FamilyMatch | CtStateMatch | DestinationNATMatch | SpoofedSourceMatch | MarkMatch | ProtocolMatch
    | NetsMatch | SetMatch | TupleMatch | PortsMatch | ICMPTypeMatch
)  # fmt: skip


# --- statements: what a rule does ---------------------------------------------------------------------------------------------


class Accept(RulesetValue, frozen=True):
    """End this base chain; later base chains and hooks still see the packet."""


class Drop(RulesetValue, frozen=True):
    """Drop the packet at once."""


class Reject(RulesetValue, frozen=True):
    """Drop the packet at once and tell its sender, by ICMP "port unreachable" of its family, by which connect(2) is refused.

    This is what ``reject`` alone means in nft(8) and iptables-extensions(8), for TCP as well. The kernel takes it in input, forward
    and output only (Linux, nft_reject_inet_validate).
    """


class Return(RulesetValue, frozen=True):
    """Go on after the jump that led here; in a base chain: accept (its policy)."""


class Jump(RulesetValue, frozen=True):
    """Walk a chain, then go on here unless a verdict ended it."""

    chain: str


class Dispatch(RulesetValue, frozen=True):
    """Look the interface's name up in a map and jump to its chain; go on if the map has no such name."""

    interface: Interface
    map_name: str


class SetMark(RulesetValue, frozen=True):
    """``mark = (mark & keep) | set``, then go on."""

    keep: int
    set: int


class NoTrack(RulesetValue, frozen=True):
    """Exempt the packet from connection tracking, then go on. In raw chains only."""


class LogLimit(NamedTuple):
    """How many packets a rule logs: so many every ``per_s`` seconds, after ``burst`` at once (nft(8), LIMIT STATEMENT)."""

    packets: int
    per_s: int
    burst: int


class LogPacket(RulesetValue, frozen=True):
    """Write a log entry, unless that exceeds the limit, then go on. One with a limit is the last of its rule."""

    prefix: str
    limit: LogLimit | None = None


Statement: TypeAlias = Accept | Drop | Reject | Return | Jump | Dispatch | SetMark | NoTrack | LogPacket


class Rule(RulesetValue, frozen=True):
    """If all matches apply, do the statements in order; a verdict (Accept, Drop, Reject, Return) can only be last."""

    matches: tuple[Match, ...]
    statements: tuple[Statement, ...]
    comment: str = ""
    """At most 128 bytes: the policy and rule index it came from."""


# --- objects ------------------------------------------------------------------------------------------------------------------


class Hook(StrEnum):
    """Where in the kernel's packet path a base chain is called (nft(8), ADDRESS FAMILIES)."""

    PREROUTING = "prerouting"
    INPUT = "input"
    FORWARD = "forward"
    OUTPUT = "output"
    POSTROUTING = "postrouting"


class BaseChain(NamedTuple):
    """How a chain is attached: type filter, policy accept."""

    hook: Hook
    priority: int


class SetType(StrEnum):
    """What the elements of a set are."""

    ADDRESS = "address"
    """Single addresses, hashed."""
    NETWORK = "network"
    """Networks, none within another (the kernel's interval sets refuse overlaps)."""
    ADDRESS_PORT = "address_port"
    """Tuples of address, protocol and port, hashed like the following."""
    ADDRESS_PROTOCOL = "address_protocol"
    ADDRESS_ICMP_TYPE = "address_icmp_type"
    PROTOCOL_PORT = "protocol_port"
    PROTOCOL = "protocol"
    ICMP_TYPE = "icmp_type"
    INTERFACE = "interface"
    """Names of interfaces."""
    PACKET_RATE = "packet_rate"
    """Names of interfaces, each with a limit on its packets; a look-up counts the packet."""
    CONNECTIONS = "connections"
    """Names of interfaces, each with a limit on its connections; a look-up counts the packet's connection."""


INTERFACE_TYPES = (SetType.INTERFACE, SetType.PACKET_RATE, SetType.CONNECTIONS)
"""The types of sets whose keys are names of interfaces."""


class TupleField(StrEnum):
    """What a part of a tuple is."""

    ADDRESS = "address"
    PROTOCOL = "protocol"
    PORT = "port"
    ICMP_TYPE = "icmp_type"


TUPLE_FIELDS = {
    SetType.ADDRESS_PORT: (TupleField.ADDRESS, TupleField.PROTOCOL, TupleField.PORT),
    SetType.ADDRESS_PROTOCOL: (TupleField.ADDRESS, TupleField.PROTOCOL),
    SetType.ADDRESS_ICMP_TYPE: (TupleField.ADDRESS, TupleField.ICMP_TYPE),
    SetType.PROTOCOL_PORT: (TupleField.PROTOCOL, TupleField.PORT),
    SetType.PROTOCOL: (TupleField.PROTOCOL,),
    SetType.ICMP_TYPE: (TupleField.ICMP_TYPE,),
}
"""The parts of the elements of each type of tuples."""


def families_of(set_type: SetType) -> tuple[Family | None, ...]:
    """The families that sets of a type are declared for."""
    if set_type in (SetType.ADDRESS, SetType.NETWORK):
        return tuple(Family)
    of_family = {TupleField.ADDRESS, TupleField.ICMP_TYPE}.intersection(TUPLE_FIELDS.get(set_type, ()))
    return tuple(Family) if of_family else (None,)


class AddressPortElement(NamedTuple):
    address: Address
    protocol: Protocol
    port: int


TupleElement: TypeAlias = tuple[Address | Protocol | int, ...]
"""A value for each of the ``TUPLE_FIELDS``; ports and ICMP types are numbers."""


class RateElement(RulesetValue, frozen=True):
    interface: str
    per_second: int
    burst: int
    """Packets that may come at once."""


class ConnectionsElement(RulesetValue, frozen=True):
    interface: str
    count: int


Element: TypeAlias = Address | Network | TupleElement | str | RateElement | ConnectionsElement


class SetDeclaration(NamedTuple):
    name: str
    family: Family | None
    """None for sets of interfaces, and for tuples of protocols and ports alone."""
    type: SetType


# --- deltas: in an order in which each can be applied ------------------------------------------------------------------------


class SetCreate(RulesetValue, frozen=True):
    declaration: SetDeclaration
    elements: frozenset[Element]


class SetDelta(RulesetValue, frozen=True):
    name: str
    added: frozenset[Element] = frozenset()
    removed: frozenset[Element] = frozenset()


class SetDelete(RulesetValue, frozen=True):
    name: str


class ChainReplace(RulesetValue, frozen=True):
    """Create the chain, or replace all of its rules at once."""

    name: str
    rules: tuple[Rule, ...]
    base: BaseChain | None = None


class ChainDelete(RulesetValue, frozen=True):
    name: str


class MapCreate(RulesetValue, frozen=True):
    """A verdict map from interface names to chains to jump to."""

    name: str
    entries: tuple[tuple[str, str], ...] = ()
    """(interface name, chain), sorted."""


class MapDelta(RulesetValue, frozen=True):
    """Entries come, change (a name in ``set`` that the map has already) and go."""

    name: str
    set: tuple[tuple[str, str], ...] = ()
    removed: tuple[str, ...] = ()


class MapDelete(RulesetValue, frozen=True):
    name: str


RulesetDelta: TypeAlias = (
    SetCreate | SetDelta | SetDelete | ChainReplace | ChainDelete | MapCreate | MapDelta | MapDelete
)


class Flush(NamedTuple):
    """One flush, or a part's share of it, in the three steps that keep every packet in flight on whole chains (DESIGN, Contracts).

    A batch is not atomic for a packet that is on its way: rules follow the generation the hook began with, set look-ups read
    it again. So what is new exists before anything points at it, and what is old goes when nothing does.
    """

    create: tuple[RulesetDelta, ...] = ()
    """New sets, with their members, and new chains."""
    switch: tuple[RulesetDelta, ...] = ()
    """What changes verdicts: chains replaced, map entries set, members of sets in use (up to a bound: ADR 14). One batch."""
    delete: tuple[RulesetDelta, ...] = ()
    """What nothing refers to any more."""


TableName: TypeAlias = Literal["tortie"]
