"""Which rules are keys, of which shape, and what is left of them."""

import pytest

from tortie.calc.hoststate import AddressPort, HostRule, ICMPMatch, IPSetId, PeerMatch, PortRange
from tortie.model.policy import Action, Direction
from tortie.net import ICMP, ICMPV6, TCP, UDP, Address, Family, Network, Protocol
from tortie.ruleset.runs.parts import Keys, Limits, Part, parts_of
from tortie.ruleset.runs.shapes import Shape, Space

V4, V6 = Family
S, WIDE, N = IPSetId("s:addresses"), IPSetId("s:networks"), IPSetId("n:ports")
HTTP, RANGE = PortRange(80, 80), PortRange(1000, 2000)
IN, OUT = Direction.INGRESS, Direction.EGRESS
A, B = Address.parse("10.0.0.1"), Address.parse("fd00::1")
NET = Network.parse("10.1.0.0/16")
RESIDUAL = "residual"


def rule(protocol=None, *, peer=None, ports=(), action=Action.ALLOW, **more) -> HostRule:
    source = peer if peer is not None else PeerMatch()
    return HostRule(action=action, protocol=protocol, source=source, destination=PeerMatch(ports=ports), **more)


def of_set(set_id: IPSetId = S) -> PeerMatch:
    return PeerMatch(sets=(set_id,))


def limits(*, fits: bool = True) -> Limits:
    return Limits(
        has_networks=lambda set_id, family: set_id == WIDE and family is V4, fits=lambda _: fits, port_span=16
    )


def shapes(found: tuple[Part, ...]) -> list[str]:
    """``SD4`` for keys of that shape, ``residual``, or ``networks`` for what only a set's networks are asked for."""
    return [
        f"{part.keys.space.shape}{part.keys.space.family or ''}"
        if part.keys
        else "networks"
        if part.only_networks
        else RESIDUAL
        for part in found
    ]


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        pytest.param(rule(TCP, peer=of_set(), ports=(HTTP,)), ["SD4", "SD6"], id="a set and a port"),
        pytest.param(rule(TCP, peer=of_set(), family=V6, ports=(HTTP,)), ["SD6"], id="of one family"),
        pytest.param(rule(TCP, peer=of_set()), ["SP4", "SP6"], id="a set and a protocol"),
        pytest.param(rule(ICMP, peer=of_set()), ["SP4"], id="ICMP is of one family"),
        pytest.param(rule(ICMPV6, peer=of_set(), icmp=ICMPMatch(128, None)), ["ST6"], id="a set and an ICMP type"),
        pytest.param(rule(peer=of_set(), icmp=ICMPMatch(8, None)), ["ST4", "ST6"], id="an ICMP type of either family"),
        pytest.param(rule(ICMP, peer=of_set(), icmp=ICMPMatch(3, 1)), [RESIDUAL], id="an ICMP code"),
        pytest.param(rule(peer=of_set()), ["S4", "S6"], id="a set"),
        pytest.param(rule(TCP, ports=(HTTP,)), ["D"], id="a port, of both families at once"),
        pytest.param(rule(Protocol(47)), ["P"], id="a protocol"),
        pytest.param(rule(ICMP, icmp=ICMPMatch(8, None)), ["T4"], id="an ICMP type"),
        pytest.param(rule(), [RESIDUAL], id="no criterion"),
        pytest.param(rule(TCP, peer=of_set(), action=Action.LOG), [RESIDUAL], id="Log"),
        pytest.param(rule(TCP, peer=of_set(WIDE)), ["SP4", "networks", "SP6"], id="a set with networks is two parts"),
        pytest.param(
            rule(TCP, peer=PeerMatch(nets=(A.network(), NET))), ["SP4", RESIDUAL], id="nets that are addresses or more"
        ),
        pytest.param(rule(TCP, peer=PeerMatch(nets=(NET,))), [RESIDUAL], id="a net"),
        pytest.param(rule(TCP, peer=of_set(), ports=(HTTP, RANGE)), ["SD4", RESIDUAL, "SD6", RESIDUAL], id="wide range"),
        pytest.param(rule(TCP, peer=of_set(), ports=(RANGE,)), [RESIDUAL], id="nothing but a wide range"),
        pytest.param(rule(TCP, peer=PeerMatch(sets=(S, WIDE))), [RESIDUAL], id="two sets"),
        pytest.param(rule(TCP, peer=PeerMatch(sets=(S,), not_nets=(NET,))), [RESIDUAL], id="a negation"),
        pytest.param(rule(peer=of_set(), not_protocol=TCP), [RESIDUAL], id="a negated protocol"),
        pytest.param(rule(TCP, peer=PeerMatch(ports=(HTTP,))), [RESIDUAL], id="a source port"),
        pytest.param(
            HostRule(action=Action.ALLOW, destination=of_set()), [RESIDUAL], id="the own address, of ingress"
        ),
        pytest.param(rule(ICMP, peer=PeerMatch(nets=(B.network(),))), [], id="no packet at all"),
    ],
)  # fmt: skip
def test_parts_of_ingress(written, expected):
    assert shapes(parts_of(written, IN, limits())) == expected


@pytest.mark.parametrize(
    ("direction", "destination", "expected"),
    [
        pytest.param(OUT, PeerMatch(port_sets=(N,)), ["SD4", "SD6"], id="egress to named ports"),
        pytest.param(OUT, PeerMatch(sets=(S,), port_sets=(N,)), [RESIDUAL], id="egress to named ports of a set"),
        pytest.param(
            OUT, PeerMatch(ports=(HTTP,), port_sets=(N,)), ["D4", "SD4", "D6", "SD6"], id="egress to a number or a name"
        ),
        pytest.param(IN, PeerMatch(port_sets=(N,)), ["LD4", "LD6"], id="ingress to named ports"),
    ],
)
def test_named_ports_are_keys_by_themselves(direction, destination, expected):
    written = HostRule(action=Action.ALLOW, protocol=TCP, destination=destination)
    assert shapes(parts_of(written, direction, limits())) == expected


def test_named_ports_of_ingress_from_a_set_are_residual():
    written = HostRule(action=Action.ALLOW, source=of_set(), destination=PeerMatch(port_sets=(N,)))
    assert shapes(parts_of(written, IN, limits())) == [RESIDUAL]


def test_parts_that_are_left_are_rules_of_what_is_left():
    written = rule(TCP, peer=PeerMatch(nets=(A.network(), NET)), ports=(HTTP, RANGE))
    narrow, wide, networks = parts_of(written, IN, limits())
    assert narrow.rule.source.nets == (A.network(),)
    assert narrow.rule.destination.ports == (HTTP,)
    assert wide.rule.source.nets == written.source.nets
    assert wide.rule.destination.ports == (RANGE,)
    assert networks.rule.source.nets == (NET,)
    assert networks.rule.destination.ports == (HTTP, RANGE)


def test_too_many_keys_are_residual_and_remembered():
    (part,) = parts_of(rule(TCP, peer=of_set(), family=V4, ports=(HTTP,)), IN, limits(fits=False))
    assert part.keys is None
    assert part.refused == Keys(space=Space(Shape.PEER_PORT, V4), addresses=S, ends=((TCP, 80),))


def test_keys_are_each_address_with_each_port():
    ports = (PortRange(80, 81), PortRange(443, 443))
    (part,) = parts_of(rule(TCP, peer=of_set(), family=V4, ports=ports), IN, limits())
    assert part.keys is not None
    members = [A.network(), B.network(), NET]
    assert set(part.keys.of_members(members)) == {(A, TCP, 80), (A, TCP, 81), (A, TCP, 443)}


def test_keys_of_named_ports_are_of_the_rules_protocol():
    written = HostRule(action=Action.ALLOW, family=V4, protocol=UDP, destination=PeerMatch(port_sets=(N,)))
    (part,) = parts_of(written, OUT, limits())
    assert part.keys is not None
    members = [AddressPort(A, TCP, 80), AddressPort(A, UDP, 53), AddressPort(B, UDP, 53)]
    assert list(part.keys.of_members(members)) == [(A, UDP, 53)]


def test_keys_of_addresses_alone_are_addresses():
    (part,) = parts_of(rule(peer=PeerMatch(nets=(A.network(),))), IN, limits())
    assert part.keys is not None
    assert list(part.keys.listed()) == [A]
