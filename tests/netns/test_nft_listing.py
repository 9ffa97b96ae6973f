"""``nft list ruleset`` prints what the driver writes as people would write it, and reloads it to the same.

Each case is programmed and listed against ``tests/golden/nft/<case>/expected.nft``; the listing is then loaded by nft in
another namespace, where the driver finds nothing to do and the kernel holds the very same expressions.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from isolation import isolated, run

from tortie.dataplane.netlink.message import attribute_map
from tortie.dataplane.netlink.socket import NETLINK_NETFILTER, NetlinkSocket
from tortie.dataplane.nft import NftDriver, messages
from tortie.dataplane.nft.expressions import Expression, Lookup, parse_expressions
from tortie.lab.namespaces import inside_network
from tortie.lab.packetnetwork import new_network
from tortie.net import ICMP, ICMPV6, SCTP, TCP, UDP, Address, Family, Network, Protocol
from tortie.ruleset.values import (
    Accept,
    AddressPortElement,
    BaseChain,
    ChainReplace,
    ConnectionsElement,
    CtState,
    CtStateMatch,
    DestinationNATMatch,
    Dispatch,
    Drop,
    FamilyMatch,
    Flush,
    Hook,
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
    NoTrack,
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
    SpoofedSourceMatch,
    Statement,
    TupleMatch,
)
from tortie.testing.hosts import program

GOLDEN = Path(__file__).parent.parent / "golden" / "nft"
V4, V6 = Family
SOURCE, DESTINATION = Side
ESTABLISHED = CtStateMatch(frozenset({CtState.ESTABLISHED, CtState.RELATED}))
INVALID = CtStateMatch(frozenset({CtState.INVALID}))
PASS, ACCEPT_BIT = 0x00010000, 0x00020000
KEEP_OTHERS = 0x0000FFFF


def rule(*parts: Match | Statement, comment: str = "") -> Rule:
    matches = tuple(part for part in parts if isinstance(part, Match))
    return Rule(matches, tuple(part for part in parts if isinstance(part, Statement)), comment)


def nets(side: Side, *cidrs: str, negate: bool = False) -> NetsMatch:
    return NetsMatch(side, tuple(map(Network.parse, cidrs)), negate)


def ports(protocol: Protocol, side: Side, *ranges: tuple[int, int], negate: bool = False) -> tuple[Match, Match]:
    return ProtocolMatch(protocol), PortsMatch(side, tuple(Range(*each) for each in ranges), negate)


def members(name: str, family: Family, kind: SetType, *texts: str) -> SetCreate:
    read = Network.parse if kind is SetType.NETWORK else Address.parse
    return SetCreate(SetDeclaration(name, family, kind), frozenset(map(read, texts)))


def tuples(name: str, family: Family, *elements: tuple[str, Protocol, int]) -> SetCreate:
    made = (AddressPortElement(Address.parse(address), protocol, port) for address, protocol, port in elements)
    return SetCreate(SetDeclaration(name, family, SetType.ADDRESS_PORT), frozenset(made))


MATCHES = Flush(
    create=(
        SetCreate(SetDeclaration("links", None, SetType.INTERFACE), frozenset()),
        SetCreate(SetDeclaration("rates", None, SetType.PACKET_RATE), frozenset()),
        SetCreate(SetDeclaration("connections", None, SetType.CONNECTIONS), frozenset()),
        members("a4", V4, SetType.ADDRESS),
        members("a6", V6, SetType.ADDRESS),
        tuples("t4", V4),
        tuples("t6", V6),
        ChainReplace(
            "addresses",
            (
                rule(nets(SOURCE, "10.0.0.1/32"), Accept()),
                rule(nets(SOURCE, "10.0.0.0/8"), Accept()),
                rule(nets(SOURCE, "10.32.0.0/11"), Accept()),
                rule(nets(SOURCE, "0.0.0.0/0"), Accept()),
                rule(nets(DESTINATION, "10.32.0.0/11", negate=True), Accept()),
                rule(nets(DESTINATION, "fd00::1/128"), Accept()),
                rule(nets(DESTINATION, "fd00::/8"), Accept()),
                rule(nets(DESTINATION, "fd00:8000::/17"), Accept()),
                rule(nets(DESTINATION, "::/0", negate=True), Accept()),
                rule(nets(SOURCE, "10.0.0.1/32", "10.0.0.2/32"), Accept()),
                rule(nets(SOURCE, "10.0.0.0/8", "192.168.1.1/32", "255.0.0.0/8"), Accept()),
                rule(nets(SOURCE, "fd00::/8", "fe80::1/128", negate=True), Accept()),
                rule(SetMatch(SOURCE, V4, "a4"), SetMatch(DESTINATION, V4, "a4", negate=True), Accept()),
                rule(SetMatch(DESTINATION, V6, "a6"), Accept()),
                rule(TupleMatch.port(SOURCE, V4, "t4"), Accept()),
                rule(TupleMatch.port(DESTINATION, V4, "t4", negate=True), Accept()),
                rule(TupleMatch.port(DESTINATION, V6, "t6"), Accept()),
                rule(SetMatch(SOURCE, V4, "a4"), ProtocolMatch(TCP), TupleMatch.port(DESTINATION, V4, "t4"), Accept()),
                rule(ProtocolMatch(ICMP), TupleMatch.port(DESTINATION, V4, "t4"), Accept()),
                rule(ProtocolMatch(Protocol(171)), TupleMatch.port(SOURCE, V6, "t6", negate=True), Accept()),
                rule(FamilyMatch(V4), Accept()),
                rule(FamilyMatch(V6), Accept()),
            ),
        ),
        ChainReplace(
            "protocols",
            (
                rule(ProtocolMatch(TCP), Accept()),
                rule(ProtocolMatch(UDP, negate=True), Accept()),
                rule(ProtocolMatch(Protocol(99)), Accept()),
                rule(*ports(TCP, DESTINATION, (80, 80)), Accept()),
                rule(*ports(TCP, DESTINATION, (80, 80), negate=True), Accept()),
                rule(*ports(TCP, DESTINATION, (8000, 8080)), Accept()),
                rule(*ports(UDP, SOURCE, (8000, 8080), negate=True), Accept()),
                rule(*ports(TCP, DESTINATION, (80, 80), (443, 443)), Accept()),
                rule(*ports(SCTP, DESTINATION, (80, 80), (443, 500), (65535, 65535), negate=True), Accept()),
                rule(*ports(UDP, DESTINATION, (0, 1), (53, 53)), Accept()),
                rule(*ports(TCP, SOURCE, (1024, 65535)), *ports(TCP, DESTINATION, (22, 22))[1:], Accept()),
                rule(nets(SOURCE, "10.0.0.0/8"), *ports(TCP, DESTINATION, (80, 80)), Accept()),
                rule(ProtocolMatch(ICMP), ICMPTypeMatch(V4, 8), Accept()),
                rule(ProtocolMatch(ICMP), ICMPTypeMatch(V4, 8, negate=True), Accept()),
                rule(ProtocolMatch(ICMP), ICMPTypeMatch(V4, 3, 1), Accept()),
                rule(ProtocolMatch(ICMP), ICMPTypeMatch(V4, 3, 1, negate=True), Accept()),
                rule(ProtocolMatch(ICMPV6), ICMPTypeMatch(V6, 128), Accept()),
                rule(ProtocolMatch(ICMPV6), ICMPTypeMatch(V6, 1, 4, negate=True), Accept()),
                rule(nets(SOURCE, "10.0.0.0/8"), ProtocolMatch(ICMP), ICMPTypeMatch(V4, 8), Accept()),
            ),
        ),
        ChainReplace(
            "packets",
            (
                rule(ESTABLISHED, Accept()),
                rule(INVALID, Drop()),
                rule(CtStateMatch(frozenset({CtState.NEW, CtState.UNTRACKED})), Accept()),
                rule(InterfaceMatch(Interface.IN, "cali", prefix=True), Drop()),
                rule(InterfaceMatch(Interface.OUT, "eth0"), Drop()),
                rule(InterfaceMatch(Interface.OUT, "eth0"), FamilyMatch(V6), Drop()),
                rule(InterfaceSetMatch(Interface.IN, "links"), Drop()),
                rule(InterfaceSetMatch(Interface.OUT, "links"), ESTABLISHED, Accept()),
                rule(InterfaceSetMatch(Interface.IN, "rates"), Drop()),
                rule(InterfaceSetMatch(Interface.OUT, "connections"), Drop()),
                rule(DestinationNATMatch(), Accept()),
                rule(MarkMatch(PASS, PASS), Return()),
                rule(MarkMatch(PASS, 0), Return()),
                rule(MarkMatch(PASS, 0, negate=True), Return()),
                rule(MarkMatch(0xFFFFFFFF, 5), Return()),
            ),
        ),
        ChainReplace(
            "raw",
            (rule(InterfaceMatch(Interface.IN, "cali", prefix=True), SpoofedSourceMatch(), Drop()),),
            BaseChain(Hook.PREROUTING, -300),
        ),
    ),
    switch=(),
    delete=(),
)
"""Each match in each of its forms."""

STATEMENTS = Flush(
    create=(
        ChainReplace("target", ()),
        MapCreate("ways", (("cali0", "target"), ("eth0.100", "target"))),
        MapCreate("nobody"),
        ChainReplace(
            "statements",
            (
                rule(Accept()),
                rule(Drop(), comment="default deny"),
                rule(Return()),
                rule(Jump("target"), comment="default/knp.default.allow-frontend|ingress|0"),
                rule(Dispatch(Interface.IN, "ways")),
                rule(Dispatch(Interface.OUT, "nobody")),
                rule(SetMark(0xFFFFFFFF & ~PASS, 0)),
                rule(SetMark(0xFFFFFFFF, PASS), Return()),
                rule(SetMark(KEEP_OTHERS, PASS)),
                rule(SetMark(0, 7)),
                rule(LogPacket("calico-packet: "), Drop()),
                rule(LogPacket("")),
                rule(LogPacket("", LogLimit(10, 1, 5))),
                rule(LogPacket("x" * 127, LogLimit(9999, 86400, 100))),
                rule(Reject()),
                rule(nets(SOURCE, "10.0.0.0/8"), *ports(TCP, DESTINATION, (80, 80)), Reject(), comment="refused"),
                rule(ProtocolMatch(ICMPV6), Reject()),
                rule(Accept(), comment="x" * 128),
            ),
        ),
    ),
    switch=(ChainReplace("raw", (rule(NoTrack(), Accept()),), BaseChain(Hook.PREROUTING, -300)),),
    delete=(),
)
"""Each statement."""

SETS = Flush(
    create=(
        SetCreate(SetDeclaration("links", None, SetType.INTERFACE), frozenset({"cali0", "fifteen-bytes.1"})),
        SetCreate(
            SetDeclaration("rates", None, SetType.PACKET_RATE),
            frozenset({RateElement("cali0", 500, 200), RateElement("cali1", 1, 5)}),
        ),
        SetCreate(
            SetDeclaration("connections", None, SetType.CONNECTIONS),
            frozenset({ConnectionsElement("cali0", 100), ConnectionsElement("cali1", 4294967295)}),
        ),
        members("a4", V4, SetType.ADDRESS, "10.0.0.1", "10.0.0.2"),
        members("a6", V6, SetType.ADDRESS, "fd00::1"),
        members("n4", V4, SetType.NETWORK, "10.0.0.0/25", "10.0.0.128/25", "192.168.0.1/32", "255.255.255.255/32"),
        members("n6", V6, SetType.NETWORK, "::/1", "fe80::/10", "ffff::/16"),
        members("everything", V4, SetType.NETWORK, "0.0.0.0/0"),
        tuples("t4", V4, ("10.0.0.1", TCP, 80), ("10.0.0.1", UDP, 53), ("10.0.0.2", SCTP, 65535)),
        tuples("t6", V6, ("fd00::1", TCP, 0)),
        members("a-name-of-31-bytes-with-dashes.1", V4, SetType.ADDRESS),
    ),
    switch=(),
    delete=(),
)
"""Each type of set in both families."""

CLEAR_MARKS = SetMark(KEEP_OTHERS, 0)
UNKNOWN_IN = rule(InterfaceMatch(Interface.IN, "cali", prefix=True), Drop(), comment="unknown workload interface")
UNKNOWN_OUT = rule(InterfaceMatch(Interface.OUT, "cali", prefix=True), Drop(), comment="unknown workload interface")
HOST = Flush(
    create=(
        members("s-frontend-4", V4, SetType.ADDRESS, "10.1.0.2", "10.1.0.3"),
        members("s-frontend-6", V6, SetType.ADDRESS, "fd01::2", "fd01::3"),
        tuples("s-http-4", V4, ("10.1.0.9", TCP, 8080)),
        ChainReplace(
            "gi-8",
            (
                rule(
                    SetMatch(SOURCE, V4, "s-frontend-4"),
                    *ports(TCP, DESTINATION, (6379, 6379)),
                    Accept(),
                    comment="knp.default.backend-policy|0",
                ),
                rule(
                    SetMatch(SOURCE, V6, "s-frontend-6"),
                    *ports(TCP, DESTINATION, (6379, 6379)),
                    Accept(),
                    comment="knp.default.backend-policy|0",
                ),
                rule(nets(SOURCE, "10.0.0.0/8"), SetMark(0xFFFFFFFF, PASS), Return(), comment="pass-local|1"),
                rule(LogPacket("denied: "), comment="log-rest|0"),
            ),
        ),
        ChainReplace(
            "go-7", (rule(TupleMatch.port(DESTINATION, V4, "s-http-4"), Accept(), comment="to-named-port|0"),)
        ),
        ChainReplace(
            "ei-1",
            (
                rule(INVALID, Drop()),
                rule(SetMark(0xFFFFFFFF & ~PASS, 0)),
                rule(Jump("gi-8")),
                rule(MarkMatch(PASS, 0), Drop(), comment="end of tier default"),
                rule(Accept(), comment="profile kns.stars"),
                rule(Drop(), comment="no profile matched"),
            ),
        ),
        ChainReplace("eo-1", (rule(INVALID, Drop()), rule(Jump("go-7")), rule(Drop(), comment="end of tier default"))),
        MapCreate("wl-from", (("cali00000000000", "eo-1"), ("cali00000000001", "eo-1"))),
        MapCreate("wl-to", (("cali00000000000", "ei-1"), ("cali00000000001", "ei-1"))),
    ),
    switch=(
        ChainReplace("raw-pre", (rule(CLEAR_MARKS),), BaseChain(Hook.PREROUTING, -300)),
        ChainReplace(
            "fwd-2-wl-from",
            (rule(ESTABLISHED, Accept()), rule(Dispatch(Interface.IN, "wl-from")), UNKNOWN_IN),
            BaseChain(Hook.FORWARD, -3),
        ),
        ChainReplace(
            "fwd-3-wl-to",
            (rule(ESTABLISHED, Accept()), rule(Dispatch(Interface.OUT, "wl-to")), UNKNOWN_OUT),
            BaseChain(Hook.FORWARD, -2),
        ),
        ChainReplace(
            "inp-1-wl",
            (rule(ESTABLISHED, Accept()), rule(CLEAR_MARKS), rule(Dispatch(Interface.IN, "wl-from")), UNKNOWN_IN),
            BaseChain(Hook.INPUT, -2),
        ),
        ChainReplace("out-1", (rule(SetMark(0xFFFFFFFF, ACCEPT_BIT)),), BaseChain(Hook.OUTPUT, -1)),
        ChainReplace("post-1", (), BaseChain(Hook.POSTROUTING, -150)),
    ),
    delete=(),
)
"""A small host: two workloads of one class."""

S, D, PROTO, DPORT = KeyPart.SOURCE, KeyPart.DESTINATION, KeyPart.PROTOCOL, KeyPart.DESTINATION_PORT
A4, A6 = Address.parse("10.1.0.2"), Address.parse("fd01::2")
TUPLES = Flush(
    create=(
        SetCreate(SetDeclaration("SD4", V4, SetType.ADDRESS_PORT), frozenset({(A4, TCP, 80)})),
        SetCreate(SetDeclaration("SD6", V6, SetType.ADDRESS_PORT), frozenset({(A6, SCTP, 65535)})),
        SetCreate(SetDeclaration("SP4", V4, SetType.ADDRESS_PROTOCOL), frozenset({(A4, TCP)})),
        SetCreate(SetDeclaration("SP6", V6, SetType.ADDRESS_PROTOCOL), frozenset({(A6, ICMPV6)})),
        SetCreate(SetDeclaration("ST4", V4, SetType.ADDRESS_ICMP_TYPE), frozenset({(A4, 8)})),
        SetCreate(SetDeclaration("ST6", V6, SetType.ADDRESS_ICMP_TYPE), frozenset({(A6, 128)})),
        SetCreate(SetDeclaration("D", None, SetType.PROTOCOL_PORT), frozenset({(TCP, 443)})),
        SetCreate(SetDeclaration("P", None, SetType.PROTOCOL), frozenset({(UDP,)})),
        SetCreate(SetDeclaration("T4", V4, SetType.ICMP_TYPE), frozenset({(8,)})),
        SetCreate(SetDeclaration("T6", V6, SetType.ICMP_TYPE), frozenset({(128,)})),
        ChainReplace(
            "gi-8",
            (
                rule(TupleMatch((S, PROTO, DPORT), V4, "SD4"), Accept()),
                rule(TupleMatch((S, PROTO, DPORT), V6, "SD6"), Accept()),
                rule(TupleMatch((D, PROTO, DPORT), V6, "SD6"), Drop()),
                rule(TupleMatch((S, PROTO), V4, "SP4"), Accept()),
                rule(TupleMatch((D, PROTO), V6, "SP6"), Accept()),
                rule(ProtocolMatch(ICMP), TupleMatch((S, KeyPart.ICMP_TYPE), V4, "ST4"), Accept()),
                rule(ProtocolMatch(ICMPV6), TupleMatch((D, KeyPart.ICMP_TYPE), V6, "ST6"), Accept()),
                rule(TupleMatch((PROTO, DPORT), None, "D"), Accept()),
                rule(FamilyMatch(V6), TupleMatch((PROTO, DPORT), None, "D"), Accept()),
                rule(TupleMatch((PROTO,), None, "P"), SetMark(0xFFFFFFFF & ~PASS, PASS), Return()),
                rule(FamilyMatch(V4), TupleMatch((PROTO,), None, "P", negate=True), Accept()),
                rule(ProtocolMatch(ICMP), TupleMatch((KeyPart.ICMP_TYPE,), V4, "T4"), Accept()),
                rule(ProtocolMatch(ICMPV6), TupleMatch((KeyPart.ICMP_TYPE,), V6, "T6"), Accept()),
            ),
        ),
    ),
    switch=(),
    delete=(),
)
"""Tuples of each shape; one element each, for nft lists those of a hash in no order."""

CASES = {"tuples": TUPLES, "matches": MATCHES, "statements": STATEMENTS, "sets": SETS, "host": HOST}


@pytest.mark.parametrize("case", CASES)
def test_nft_lists_what_is_programmed_readably_and_reloads_it(case: str, golden: Callable[[Path, str], None]):
    @isolated
    def body() -> None:
        with NftDriver() as driver:
            program(driver, CASES[case])
        listed = run("nft", "list", "ruleset")
        golden(GOLDEN / case / "expected.nft", listed)
        ours = list(rules_in_kernel())

        with inside_network(new_network()):
            run("nft", "-c", listed)
            run("nft", listed)
            assert list(rules_in_kernel()) == ours
            with NftDriver() as driver:
                driver.stage(CASES[case])
                assert [o.what for batch in driver.plan() for o in batch.operations] == []

    body()


def rules_in_kernel() -> Iterator[tuple[Expression, ...]]:
    """The expressions of each rule as the kernel has them; anonymous sets are named by whoever made them."""
    with NetlinkSocket(NETLINK_NETFILTER) as socket:
        for frame in socket.dump(messages.list_rules()):
            listed = parse_expressions(attribute_map(frame.payload, 4).get(4, b""))
            yield tuple(
                Lookup("anonymous", 0, e.negate) if isinstance(e, Lookup) and e.set_name.startswith("__set") else e
                for e in listed
            )
