"""Which flows a change casts doubt on: those that may lose by it, and as few others as can be told cheaply."""

from __future__ import annotations

from typing import Any

import pytest

from tortie.calc.hoststate import (
    AddressPort,
    ConfigUpdate,
    Encapsulation,
    EndpointId,
    HostEndpointRemove,
    HostEndpointUpdate,
    HostHostEndpoint,
    HostPolicy,
    HostProfile,
    HostRemove,
    HostRule,
    HostStateDelta,
    HostUpdate,
    HostWorkloadEndpoint,
    InterfaceAddress,
    IPSetDelta,
    IPSetId,
    IPSetUpdate,
    Member,
    PeerMatch,
    PolicyId,
    PolicyRemove,
    PolicyUpdate,
    ProfileUpdate,
    TierPolicies,
    TiersUpdate,
    WorkloadEndpointRemove,
    WorkloadEndpointUpdate,
)
from tortie.model.policy import Action
from tortie.net import TCP, Address, Network
from tortie.ruleset.doubts import Doubt, Doubts

SET, OTHER_SET, PORT_SET = IPSetId("s:one"), IPSetId("s:other"), IPSetId("n:port")
POLICY, OTHER_POLICY = PolicyId("NetworkPolicy", "ns", "p"), PolicyId("NetworkPolicy", "ns", "q")
MEMBER = Network.parse("10.0.0.9/32")


def policy(action: Action = Action.ALLOW, peer: PeerMatch | None = None) -> HostPolicy:
    rule = HostRule(action=action, source=peer or PeerMatch(sets=(SET,)))
    return HostPolicy(tier="default", ingress=(rule,))


def endpoint(name: str, address: str, *policies: PolicyId, profiles: tuple[str, ...] = ()) -> WorkloadEndpointUpdate:
    return WorkloadEndpointUpdate(
        id=EndpointId("ns", name),
        endpoint=HostWorkloadEndpoint(
            ifname=f"cali{name}", addresses=(Address.parse(address),), tiers=tiers(*policies), profiles=profiles
        ),
    )


def tiers(*policies: PolicyId) -> tuple[TierPolicies, ...]:
    return (TierPolicies(name="default", default_action="Deny", ingress=policies),) if policies else ()


def doubts(*deltas: HostStateDelta) -> Doubts:
    """After a beginning that casts no doubt."""
    found = Doubts()
    for delta in deltas:
        found.update(delta)
    assert found.take() == Doubt(), "what is new was closed until now"
    return found


def known() -> Doubts:
    return doubts(
        PolicyUpdate(id=POLICY, policy=policy()),
        PolicyUpdate(id=OTHER_POLICY, policy=policy(peer=PeerMatch(sets=(OTHER_SET,)))),
        ProfileUpdate(name="kns.ns", profile=HostProfile()),
        endpoint("a", "10.0.0.1", POLICY, profiles=("kns.ns",)),
        endpoint("b", "10.0.0.2", OTHER_POLICY),
        endpoint("c", "10.0.0.3"),
    )


def about(*addresses: str) -> Doubt:
    return Doubt(networks=frozenset(Address.parse(address).network() for address in addresses))


CHANGES = [
    pytest.param([PolicyUpdate(id=POLICY, policy=policy(Action.DENY))], about("10.0.0.1"), id="a policy's rules"),
    pytest.param([ProfileUpdate(name="kns.ns", profile=HostProfile(ingress=(HostRule(action=Action.DENY),)))], about("10.0.0.1"), id="a profile's rules"),
    pytest.param([endpoint("b", "10.0.0.2")], about("10.0.0.2"), id="an endpoint"),
    pytest.param([endpoint("d", "10.0.0.4")], Doubt(), id="an endpoint that is new"),
    pytest.param([endpoint("d", "10.0.0.1")], about("10.0.0.1"), id="an endpoint that takes another's address"),
    pytest.param([WorkloadEndpointRemove(id=EndpointId("ns", "b"))], Doubt(), id="an endpoint that is gone: others end its flows"),
    pytest.param(
        [TiersUpdate(endpoints=(EndpointId("ns", "b"), EndpointId("ns", "c")), tiers=tiers(POLICY))],
        about("10.0.0.2", "10.0.0.3"), id="who is governed",
    ),
    pytest.param(
        [TiersUpdate(endpoints=(EndpointId("ns", "a"),), tiers=()), PolicyRemove(id=POLICY)],
        about("10.0.0.1"), id="a policy that is gone",
    ),
    pytest.param([PolicyUpdate(id=PolicyId("NetworkPolicy", "ns", "new"), policy=policy())], Doubt(), id="a policy of nobody yet"),
    pytest.param([ConfigUpdate(values={})], Doubt(is_about_all=True), id="settings"),
    pytest.param([IPSetUpdate(id=SET, members=frozenset())], Doubt(is_about_all=True), id="a set, whole"),
    pytest.param([IPSetUpdate(id=IPSetId("s:new"), members=frozenset())], Doubt(), id="a set that no rule has yet"),
]  # fmt: skip


@pytest.mark.parametrize(("deltas", "doubt"), CHANGES)
def test_whom_a_change_is_about(deltas: list[HostStateDelta], doubt: Doubt) -> None:
    found = known()
    for delta in deltas:
        found.update(delta)
    assert found.take() == doubt
    assert found.take() == Doubt(), "once"


POSITIVE, NEGATIVE = PeerMatch(sets=(SET,)), PeerMatch(not_sets=(SET,))
ROLES = [
    (Action.ALLOW, POSITIVE, (False, True)),
    (Action.ALLOW, NEGATIVE, (True, False)),
    (Action.DENY, POSITIVE, (True, False)),
    (Action.DENY, NEGATIVE, (False, True)),
    (Action.PASS, POSITIVE, (True, True)),
    (Action.PASS, NEGATIVE, (True, True)),
    (Action.LOG, POSITIVE, (False, False)),
]


@pytest.mark.parametrize(("action", "peer", "expected"), ROLES)
def test_members_cast_doubt_only_where_somebody_may_lose(
    action: Action, peer: PeerMatch, expected: tuple[bool, bool]
) -> None:
    found = doubts(PolicyUpdate(id=POLICY, policy=policy(action, peer)), endpoint("a", "10.0.0.1", POLICY))
    seen = []
    for delta in (
        IPSetDelta(id=SET, added=frozenset({MEMBER})),
        IPSetDelta(id=SET, removed=frozenset({MEMBER})),
    ):
        found.update(delta)
        seen.append(found.take() == Doubt(networks=frozenset({MEMBER})))
    assert tuple(seen) == expected


MEMBERS: list[tuple[Member, Network]] = [
    (Network.parse("10.1.0.0/16"), Network.parse("10.1.0.0/16")),
    (AddressPort(Address.parse("10.0.0.9"), TCP, 80), MEMBER),
]


@pytest.mark.parametrize(("member", "network"), MEMBERS, ids=["a network", "an address with a port"])
def test_a_member_is_about_its_addresses(member: Member, network: Network) -> None:
    found = doubts(PolicyUpdate(id=POLICY, policy=policy(peer=PeerMatch(sets=(SET,), port_sets=(PORT_SET,)))))
    found.update(IPSetDelta(id=PORT_SET, removed=frozenset({member})))
    assert found.take() == Doubt(networks=frozenset({network}))


def test_a_set_that_no_rule_has_any_more_casts_no_doubt() -> None:
    found = known()
    found.update(PolicyRemove(id=OTHER_POLICY))
    found.take()
    found.update(IPSetDelta(id=OTHER_SET, removed=frozenset({MEMBER})))
    assert found.take() == Doubt()


def test_doubt_that_was_not_settled_comes_again() -> None:
    found = known()
    found.update(PolicyUpdate(id=POLICY, policy=policy(Action.DENY)))
    taken = found.take()
    found.add(taken)
    assert found.take() == taken


# --- host endpoints -----------------------------------------------------------------------------------------------------------

HOST_ID = EndpointId("", "h")


def host_endpoint(**uses: PolicyId) -> HostEndpointUpdate:
    fields = {use: tiers(policy_id) for use, policy_id in uses.items()}
    return HostEndpointUpdate(id=HOST_ID, endpoint=HostHostEndpoint(ifname="*", profiles=("hosts",), **fields))


@pytest.mark.parametrize(
    ("change", "is_in_doubt"),
    [
        pytest.param(host_endpoint(), True, id="the endpoint"),
        pytest.param(HostEndpointRemove(id=HOST_ID), True, id="the endpoint goes"),
        pytest.param(PolicyUpdate(id=POLICY, policy=policy(Action.DENY)), True, id="its policy"),
        pytest.param(ProfileUpdate(name="hosts", profile=HostProfile()), True, id="its profile"),
        pytest.param(PolicyUpdate(id=OTHER_POLICY, policy=policy(Action.DENY)), False, id="its untracked policy"),
        pytest.param(ProfileUpdate(name="kns.ns", profile=HostProfile()), False, id="another profile"),
    ],
)
def test_what_governs_a_host_endpoint_is_about_everybody(change: HostStateDelta, is_in_doubt: bool) -> None:
    found = Doubts()
    found.update(PolicyUpdate(id=POLICY, policy=policy()))
    found.update(PolicyUpdate(id=OTHER_POLICY, policy=policy()))
    for name in ("hosts", "kns.ns"):
        found.update(ProfileUpdate(name=name, profile=HostProfile()))
    found.update(host_endpoint(tiers=POLICY, untracked_tiers=OTHER_POLICY))
    assert found.take().is_about_all, "what was open until now may be closed"
    found.update(change)
    assert found.take().is_about_all is is_in_doubt


# --- tunnels between hosts ------------------------------------------------------------------------------------------------------


def host_at(text: str, **more: Any) -> HostUpdate:
    return HostUpdate(node="b", ipv4=InterfaceAddress(Address.parse(text), 24), **more)


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        pytest.param(HostRemove(node="b"), about("192.0.2.2"), id="it leaves"),
        pytest.param(host_at("192.0.2.3"), about("192.0.2.2"), id="it has another address"),
        pytest.param(host_at("192.0.2.2", as_number=64513), Doubt(), id="something else of it changes"),
        pytest.param(Encapsulation(ipip=True), Doubt(is_about_all=True), id="other tunnels are in use"),
    ],
)
def test_a_host_that_leaves_may_send_no_tunnelled_packets(change: HostStateDelta, expected: Doubt) -> None:
    found = doubts(host_at("192.0.2.2"))
    found.update(change)
    assert found.take() == expected
