"""Hypothesis strategies for the neutral ruleset: any rule, and whole rulesets whose parts refer to each other."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from hypothesis import strategies as st

from tortie.net import ICMP_OF, SCTP, TCP, UDP, Address, Family, Network, Protocol
from tortie.ruleset.values import (
    INTERFACE_TYPES,
    TUPLE_FIELDS,
    Accept,
    ChainReplace,
    ConnectionsElement,
    CtState,
    CtStateMatch,
    DestinationNATMatch,
    Dispatch,
    Drop,
    Element,
    FamilyMatch,
    Flush,
    ICMPTypeMatch,
    Interface,
    InterfaceMatch,
    InterfaceSetMatch,
    Jump,
    KeyPart,
    LogLimit,
    LogPacket,
    MapCreate,
    MarkMatch,
    Match,
    NetsMatch,
    PortsMatch,
    ProtocolMatch,
    Range,
    RateElement,
    Reject,
    Return,
    Rule,
    SetCreate,
    SetDeclaration,
    SetMark,
    SetMatch,
    SetType,
    Side,
    Statement,
    TupleElement,
    TupleField,
    TupleMatch,
    families_of,
)

families = st.sampled_from(Family)
sides = st.sampled_from(Side)
interfaces = st.sampled_from(Interface)
marks = st.integers(0, 0xFFFFFFFF)
ports = st.integers(0, 65535)
protocols = st.integers(0, 255).map(Protocol)
ifnames = st.from_regex(r"[a-z][a-z0-9.-]{0,14}", fullmatch=True)
texts = st.text("abcdefghijklmnopqrstuvwxyz0123456789 .:|/-", max_size=40)

_FIELD_OF_PART = {
    KeyPart.SOURCE: TupleField.ADDRESS,
    KeyPart.DESTINATION: TupleField.ADDRESS,
    KeyPart.PROTOCOL: TupleField.PROTOCOL,
    KeyPart.SOURCE_PORT: TupleField.PORT,
    KeyPart.DESTINATION_PORT: TupleField.PORT,
    KeyPart.ICMP_TYPE: TupleField.ICMP_TYPE,
}
"""What each part of a packet that a key has is."""


def addresses(family: Family) -> st.SearchStrategy[Address]:
    return st.binary(min_size=family.bits // 8, max_size=family.bits // 8).map(Address)


@st.composite
def networks(draw: st.DrawFn, family: Family) -> Network:
    length = draw(st.integers(0, family.bits))
    number = int(draw(addresses(family))) >> family.bits - length << family.bits - length
    return Network(number.to_bytes(family.bits // 8, "big"), length)


def apart(nets: Sequence[Network]) -> tuple[Network, ...]:
    """Those of *nets* that are in none before, sorted: what a set of networks may hold."""
    taken: list[Network] = []
    for net in sorted(nets):
        if not any(other.contains(net) for other in taken):
            taken.append(net)
    return tuple(taken)


@st.composite
def port_ranges(draw: st.DrawFn) -> tuple[Range, ...]:
    """Sorted and apart: no two that could be one."""
    ranges: list[Range] = []
    for first, length in sorted(draw(st.lists(st.tuples(ports, st.integers(0, 2000)), min_size=1, max_size=5))):
        if not ranges or first > ranges[-1].last + 1:
            ranges.append(Range(first, min(first + draw(st.sampled_from([0, length])), 65535)))
    return tuple(ranges)


@st.composite
def matches(draw: st.DrawFn, sets: Sequence[SetDeclaration]) -> tuple[Match, ...]:
    """One match, with the protocol before it where it must follow one."""
    side, family, negate = draw(sides), draw(families), draw(st.booleans())
    kinds = ["interface", "family", "states", "nat", "mark", "protocol", "nets", "ports", "icmp"]
    kinds += ["set"] if sets else []
    match draw(st.sampled_from(kinds)):
        case "interface":
            return (InterfaceMatch(draw(interfaces), draw(ifnames), draw(st.booleans())),)
        case "family":
            return (FamilyMatch(family),)
        case "states":
            return (CtStateMatch(draw(st.frozensets(st.sampled_from(CtState), min_size=1))),)
        case "nat":
            return (DestinationNATMatch(),)
        case "mark":
            return (MarkMatch(draw(marks), draw(marks), negate),)
        case "protocol":
            return (ProtocolMatch(draw(protocols), negate),)
        case "nets":
            nets = apart(draw(st.lists(networks(family), min_size=1, max_size=4)))
            return (NetsMatch(side, nets, negate),)
        case "ports":
            protocol = ProtocolMatch(draw(st.sampled_from([TCP, UDP, SCTP])))
            return protocol, PortsMatch(side, draw(port_ranges()), negate)
        case "icmp":
            code = draw(st.none() | st.integers(0, 255))
            protocol = ProtocolMatch(ICMP_OF[family])
            return protocol, ICMPTypeMatch(family, draw(st.integers(0, 255)), code, negate)
        case _:
            return draw(look_ups(draw(st.sampled_from(sets))))


@st.composite
def look_ups(draw: st.DrawFn, declared: SetDeclaration) -> tuple[Match, ...]:
    """A match on a set: of one address, or of the parts of the packet that its tuples are of."""
    negate = draw(st.booleans())
    if declared.type in INTERFACE_TYPES:
        return (InterfaceSetMatch(draw(interfaces), declared.name),)
    if declared.type not in TUPLE_FIELDS:
        assert declared.family is not None
        return (SetMatch(draw(sides), declared.family, declared.name, negate),)
    fields = TUPLE_FIELDS[declared.type]
    parts = (st.sampled_from([part for part, of in _FIELD_OF_PART.items() if of is field]) for field in fields)
    match = TupleMatch(tuple(draw(part) for part in parts), declared.family, declared.name, negate)
    if KeyPart.ICMP_TYPE not in match.key:
        return (match,)
    assert declared.family is not None, "an ICMP type is of one family"
    return ProtocolMatch(ICMP_OF[declared.family]), match


limited_logs = st.builds(
    LogPacket,
    texts,
    st.builds(LogLimit, st.integers(1, 9999), st.sampled_from([1, 60, 3600, 86400]), st.integers(1, 9999)),
)


@st.composite
def statements(draw: st.DrawFn, chains: Sequence[str], maps: Sequence[str]) -> tuple[Statement, ...]:
    """Some that go on, and perhaps one that ends the rule."""
    going_on = st.builds(SetMark, marks, marks) | st.builds(LogPacket, texts, st.none())
    ending: list[st.SearchStrategy[Statement]] = [st.sampled_from([Accept(), Drop(), Reject(), Return()]), limited_logs]
    if chains:
        ending.append(st.sampled_from(chains).map(Jump))
    if maps:
        ending.append(st.builds(Dispatch, interfaces, st.sampled_from(maps)))
    last = draw(st.none() | st.one_of(ending))
    return (*draw(st.lists(going_on, max_size=2)), *([last] if last else []))


def family_named(match: Match) -> Family | None:
    match match:
        case NetsMatch(nets=nets):
            return nets[0].family
        case FamilyMatch(family) | SetMatch(family=family) | ICMPTypeMatch(family=family):
            return family
        case TupleMatch(family=tuple_family):
            return tuple_family
        case _:
            return None


def agreeing(groups: Iterable[tuple[Match, ...]]) -> tuple[Match, ...]:
    """Those of *groups* that do not contradict one before: a rule names one family and one protocol at most.

    No compiler writes others, for they match nothing, and nft 1.0.6 aborts when it has to list them.
    """
    taken: tuple[Match, ...] = ()
    for group in groups:
        together = (*taken, *group)
        families_named = {family for match in together if (family := family_named(match))}
        named = {match.protocol for match in together if isinstance(match, ProtocolMatch) and not match.negate}
        if len(families_named) < 2 and len(named) < 2:
            taken = together
    return taken


@st.composite
def rules(
    draw: st.DrawFn, sets: Sequence[SetDeclaration] = (), chains: Sequence[str] = (), maps: Sequence[str] = ()
) -> Rule:
    """A rule that refers to these objects only. ``NoTrack`` is for raw chains, so not among them."""
    groups = draw(st.lists(matches(sets), max_size=3))
    return Rule(agreeing(groups), draw(statements(chains, maps)), draw(texts))


def elements(declaration: SetDeclaration) -> st.SearchStrategy[frozenset[Element]]:
    if declaration.type in TUPLE_FIELDS:
        return st.frozensets(tuples(declaration), max_size=8)
    if declaration.type in INTERFACE_TYPES:
        return st.dictionaries(ifnames, _NUMBERS, max_size=8).map(lambda limits: limited(declaration.type, limits))
    assert declaration.family is not None
    if declaration.type is SetType.ADDRESS:
        return st.frozensets(addresses(declaration.family), max_size=8)
    return st.lists(networks(declaration.family), max_size=8).map(lambda nets: frozenset(apart(nets)))


_NUMBERS = st.tuples(st.integers(1, 10_000), st.integers(1, 10_000))


def limited(set_type: SetType, limits: Mapping[str, tuple[int, int]]) -> frozenset[Element]:
    """Interfaces, each with a limit of the set's kind."""
    match set_type:
        case SetType.PACKET_RATE:
            return frozenset(RateElement(name, rate, burst) for name, (rate, burst) in limits.items())
        case SetType.CONNECTIONS:
            return frozenset(ConnectionsElement(name, count) for name, (count, _) in limits.items())
        case _:
            return frozenset(limits)


def tuples(declaration: SetDeclaration) -> st.SearchStrategy[TupleElement]:
    values: dict[TupleField, st.SearchStrategy[Address | Protocol | int]] = {
        TupleField.ADDRESS: addresses(declaration.family or Family.V4),
        TupleField.PROTOCOL: protocols,
        TupleField.PORT: ports,
        TupleField.ICMP_TYPE: st.integers(0, 255),
    }
    return st.tuples(*(values[field] for field in TUPLE_FIELDS[declaration.type]))


def declarations() -> tuple[SetDeclaration, ...]:
    """A set of each type and family."""
    return tuple(
        SetDeclaration(f"s{family or ''}-{set_type}", family, set_type)
        for set_type in SetType
        for family in families_of(set_type)
    )


@st.composite
def creations(draw: st.DrawFn, max_chains: int = 8, max_rules: int = 8) -> Flush:
    """A flush that makes a ruleset from nothing: one set of each kind, chains that jump to earlier ones only, a map."""
    declared = declarations()
    chains = [f"c{i}" for i in range(draw(st.integers(1, max_chains)))]
    some = st.lists(rules(declared, (), ()), max_size=max_rules)
    replaced = []
    for i, name in enumerate(chains):
        jumps = st.lists(rules(declared, chains[max(0, i - 1) : i], ()), max_size=2)
        replaced.append(ChainReplace(name, (*draw(some), *draw(jumps))))
    entries = draw(st.dictionaries(ifnames, st.sampled_from(chains), max_size=8))
    return Flush(
        (
            *(SetCreate(declaration, draw(elements(declaration))) for declaration in declared),
            *replaced,
            MapCreate("m", tuple(sorted(entries.items()))),
        ),
        (ChainReplace("dispatching", tuple(draw(st.lists(rules(declared, chains, ["m"]), max_size=4)))),),
        (),
    )
