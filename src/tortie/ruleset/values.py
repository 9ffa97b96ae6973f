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


class FamilyMatch(RulesetValue, frozen=True):
    """The packet's IP version; implied by matches on addresses."""

    family: Family


class CtStateMatch(RulesetValue, frozen=True):
    """The packet's state is one of these."""

    states: frozenset[CtState]


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


class PortSetMatch(RulesetValue, frozen=True):
    """Address, protocol and port of one side are in a set of ``ADDRESS_PORT`` type, or not; family as in SetMatch.

    A packet of a protocol without ports is in no such set.
    """

    side: Side
    family: Family
    set_name: str
    negate: bool = False


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
    InterfaceMatch | FamilyMatch | CtStateMatch | SpoofedSourceMatch | MarkMatch | ProtocolMatch | NetsMatch | SetMatch | PortSetMatch | PortsMatch
    | ICMPTypeMatch
)  # fmt: skip


# --- statements: what a rule does ---------------------------------------------------------------------------------------------


class Accept(RulesetValue, frozen=True):
    """End this base chain; later base chains and hooks still see the packet."""


class Drop(RulesetValue, frozen=True):
    """Drop the packet at once."""


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


class LogPacket(RulesetValue, frozen=True):
    """Write a log entry, then go on."""

    prefix: str


Statement: TypeAlias = Accept | Drop | Return | Jump | Dispatch | SetMark | NoTrack | LogPacket


class Rule(RulesetValue, frozen=True):
    """If all matches apply, do the statements in order; a verdict (Accept, Drop, Return) can only be last."""

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
    """Address, protocol and port."""


class AddressPortElement(NamedTuple):
    address: Address
    protocol: Protocol
    port: int


Element: TypeAlias = Address | Network | AddressPortElement


class SetDeclaration(NamedTuple):
    name: str
    family: Family
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
    """One flush in the three steps that keep every packet in flight on whole chains (DESIGN, Contracts).

    A batch is not atomic for a packet that is on its way: rules follow the generation the hook began with, set look-ups read
    it again. So what is new exists before anything points at it, and what is old goes when nothing does.
    """

    create: tuple[RulesetDelta, ...]
    """New sets, with their members, and new chains."""
    switch: tuple[RulesetDelta, ...]
    """What changes verdicts: chains replaced, map entries set, members of sets in use (up to a bound: ADR 14). One batch."""
    delete: tuple[RulesetDelta, ...]
    """What nothing refers to any more."""


TableName: TypeAlias = Literal["tortie"]
