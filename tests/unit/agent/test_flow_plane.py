"""What the flow plane makes of what is tracked: it ends what is refused, in short steps, and comes back to what it could not see."""

from __future__ import annotations

import errno
import itertools
from collections.abc import Iterator
from typing import Any

import pytest

from tortie.agent.flows import FlowPlane, first_packet
from tortie.calc.hoststate import (
    ConfigUpdate,
    HostPolicy,
    HostRule,
    IPSetDelta,
    IPSetId,
    PeerMatch,
    PolicyId,
    PolicyUpdate,
)
from tortie.dataplane.driver import KernelRefusedError
from tortie.dataplane.netlink.ctnetlink import ConntrackFlow, ConntrackTuple, Place
from tortie.model.policy import Action
from tortie.net import ICMP, TCP, UDP, Address, Family, Network, Protocol
from tortie.ruleset.interpreter import Packet

SET = IPSetId("s:peers")
CLIENT, OTHER, SERVER, SERVICE = map(Address.parse, ("10.0.0.1", "10.0.0.2", "10.0.0.9", "10.96.0.1"))


def flow(source: Address, port: int, *, translated: bool = False, related: bool = False) -> ConntrackFlow:
    return ConntrackFlow(
        family=Family.V4,
        protocol=TCP,
        original=ConntrackTuple(
            source=source, destination=SERVICE if translated else SERVER, source_port=40_000, destination_port=port
        ),
        reply=ConntrackTuple(source=SERVER, destination=source, source_port=8080, destination_port=40_000),
        id=port,
        zone=0,
        is_related=related,
        key=b"",
    )


class Table:
    """What is tracked; the kernel refuses so many listings first."""

    def __init__(self, *flows: ConntrackFlow, refusals: int = 0) -> None:
        self.tracked = list(flows)
        self.refusals = refusals
        self.listings: list[Address | None] = []

    def flows(self) -> Iterator[ConntrackFlow]:
        yield from self._list(None)

    def flows_at(self, place: Place, address: Address) -> Iterator[ConntrackFlow]:
        yield from (found for found in self._list(address) if found.addresses[list(Place).index(place)] == address)

    def _list(self, address: Address | None) -> list[ConntrackFlow]:
        self.listings.append(address)
        if self.refusals:
            self.refusals -= 1
            raise KernelRefusedError(errno.EPERM, "the kernel would not list flows: no")
        return list(self.tracked)

    def delete(self, *flows: ConntrackFlow) -> None:
        self.tracked = [found for found in self.tracked if found not in flows]


class Judge:
    """Refuses all that goes to these ports."""

    def __init__(self, *ports: int) -> None:
        self.ports = ports
        self.asked = 0

    def refuses(self, first: Packet) -> bool:
        self.asked += 1
        port = first.translation.port if first.translation is not None else first.destination_port
        return first.source_port is not None and port in self.ports


def plane_on(table: Any) -> FlowPlane:
    """One whose clock goes on by a millisecond each time it is read."""
    times = itertools.count()
    return FlowPlane(table, lambda: next(times) / 1000)


def swept(plane: FlowPlane, judge: Any) -> int:
    """How often it let others have their turn."""
    return sum(1 for _ in plane.sweep(lambda: judge))


def settled(table: Table) -> FlowPlane:
    """One that has looked through everything once."""
    plane = plane_on(table)
    plane.update(
        [PolicyUpdate(id=PolicyId("NetworkPolicy", "ns", "p"), policy=HostPolicy(tier="default", ingress=(RULE,)))]
    )
    swept(plane, Judge())
    table.listings.clear()
    return plane


RULE = HostRule(action=Action.ALLOW, source=PeerMatch(sets=(SET,)))


def test_what_was_let_in_before_the_agent_began_is_judged() -> None:
    table = Table(flow(CLIENT, 80), flow(OTHER, 80, related=True))
    swept(plane_on(table), Judge(8080))
    assert [found.original.source for found in table.tracked] == [OTHER], "what was related was never judged by itself"


def test_nothing_is_listed_if_nothing_is_in_doubt() -> None:
    table = Table(flow(CLIENT, 80))
    judge = Judge()
    swept(settled(table), judge)
    assert (table.listings, judge.asked) == ([], 0)


def test_a_member_that_goes_is_asked_for_alone() -> None:
    table = Table(flow(CLIENT, 80), flow(OTHER, 80))
    plane = settled(table)
    plane.update([IPSetDelta(id=SET, removed=frozenset({CLIENT.network()}))])
    judge = Judge(8080)
    swept(plane, judge)
    assert set(table.listings) == {CLIENT}
    assert 1 <= judge.asked <= 2, "it is listed by either direction"
    assert [found.original.source for found in table.tracked] == [OTHER]


@pytest.mark.parametrize(
    "gone",
    [{Network.parse("10.0.0.0/31")}, {Network.parse(f"10.0.0.{last}/32") for last in (1, *range(10, 20))}],
    ids=["a network", "many"],
)
def test_more_are_looked_for_in_one_listing(gone: set[Network]) -> None:
    table = Table(flow(CLIENT, 80), flow(OTHER, 80))
    plane = settled(table)
    plane.update([IPSetDelta(id=SET, removed=frozenset(gone))])
    swept(plane, Judge(8080))
    assert table.listings == [None]
    assert [found.original.source for found in table.tracked] == [OTHER]


def test_others_have_their_turn_every_few_flows() -> None:
    table = Table(*(flow(CLIENT, port) for port in range(1, 1001)))
    plane = settled(table)
    plane.update([ConfigUpdate(values={})])
    judge: Any = Judge(8080)
    turns = [len(table.tracked) for _ in plane.sweep(lambda: judge)]
    assert len(turns) >= 100
    assert turns == sorted(turns, reverse=True)
    assert turns[0] > 900, "what was found in a step is ended in it"
    assert not table.tracked


def test_what_could_not_be_listed_is_looked_at_the_next_time(caplog: pytest.LogCaptureFixture) -> None:
    table = Table(flow(CLIENT, 80))
    plane = settled(table)
    table.refusals = 1
    plane.update([IPSetDelta(id=SET, removed=frozenset({CLIENT.network()}))])
    swept(plane, Judge(8080))
    assert table.tracked
    assert "the kernel would not list flows" in caplog.text
    swept(plane, Judge(8080))
    assert not table.tracked


def test_policy_saw_the_first_packet_before_and_after_its_destination_was_translated() -> None:
    packet = first_packet(flow(CLIENT, 80, translated=True))
    assert (packet.source, packet.source_port) == (CLIENT, 40_000)
    assert (packet.destination, packet.destination_port) == (SERVICE, 80)
    assert packet.translation == (SERVER, 8080)


def test_what_was_not_translated_is_as_it_came() -> None:
    packet = first_packet(flow(CLIENT, 8080))
    assert (packet.destination, packet.destination_port, packet.translation) == (SERVER, 8080, None)


@pytest.mark.parametrize("protocol", [ICMP, Protocol(47), UDP], ids=str)
def test_what_has_no_ports_has_none(protocol: Protocol) -> None:
    icmp_type = 8 if protocol == ICMP else None
    one = ConntrackTuple(source=CLIENT, destination=SERVER, icmp_type=icmp_type, icmp_code=icmp_type and 0)
    other = ConntrackTuple(source=SERVER, destination=CLIENT)
    found = first_packet(
        ConntrackFlow(family=Family.V4, protocol=protocol, original=one, reply=other, id=1, zone=0, key=b"")
    )
    assert (found.source_port, found.destination_port, found.icmp_type) == (None, None, icmp_type)
