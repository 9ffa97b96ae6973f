"""The state that deltas add up to, and the streams that it refuses."""

import pytest
from calc_resources import Host, endpoint, policy, profile
from hypothesis import given
from hypothesis import strategies as st

from tortie.calc import HostState, ImpossibleDeltaError, apply
from tortie.calc.hoststate import (
    ConfigUpdate,
    EndpointId,
    HostEndpointUpdate,
    HostHostEndpoint,
    IPSetDelta,
    IPSetId,
    IPSetRemove,
    PolicyId,
    PolicyRemove,
    PoolRemove,
    PoolUpdate,
    ProfileRemove,
    ProfileUpdate,
    RouteRemove,
    RouteType,
    RouteUpdate,
    TierPolicies,
    WorkloadEndpointRemove,
    WorkloadEndpointUpdate,
)
from tortie.model.endpoint import endpoint_name
from tortie.net import Network

NET = Network.parse("10.0.0.1/32")
STATE = Host(
    endpoint("w", "10.0.0.1", profiles=("p",)),
    profile("p"),
    policy("q", ingress=[{"action": "Allow", "source": {"selector": "all()"}}]),
).state
(SET_ID,) = STATE.ip_sets
((POLICY_ID, POLICY),) = STATE.policies.items()
((ENDPOINT_ID, ENDPOINT),) = STATE.workload_endpoints.items()
TIER = TierPolicies(name="default", default_action="Deny", ingress=(PolicyId("NetworkPolicy", "ns", "unknown"),))

IMPOSSIBLE = {
    "a member that is there": IPSetDelta(id=SET_ID, added=frozenset({NET})),
    "a member that is not there": IPSetDelta(id=SET_ID, removed=frozenset({Network.parse("10.0.0.9/32")})),
    "members of no set": IPSetDelta(id=IPSetId("s:x")),
    "removing what is not there": WorkloadEndpointRemove(id=EndpointId("ns", "x")),
    "removing a set in use": IPSetRemove(id=SET_ID),
    "removing a policy in use": PolicyRemove(id=POLICY_ID),
    "removing a profile in use": ProfileRemove(name="p"),
    "an endpoint before its policy": HostEndpointUpdate(
        id=EndpointId("", "h"), endpoint=HostHostEndpoint(ifname="eth0", forward_tiers=(TIER,))
    ),
    "a route that is not there": RouteRemove(destination=Network.parse("10.0.0.9/32")),
}


@pytest.mark.parametrize("delta", IMPOSSIBLE.values(), ids=IMPOSSIBLE)
def test_impossible_deltas_are_refused(delta):
    with pytest.raises(ImpossibleDeltaError):
        apply(STATE, (delta,))


def test_an_endpoint_before_its_profile_is_refused():
    with pytest.raises(ImpossibleDeltaError, match="profiles"):
        apply(HostState(policies={POLICY_ID: POLICY}), (WorkloadEndpointUpdate(id=ENDPOINT_ID, endpoint=ENDPOINT),))


def test_routes_pools_and_settings_come_and_go():
    route, pool = (
        RouteUpdate(destination=NET, types=frozenset({RouteType.REMOTE_WORKLOAD}), node="there"),
        PoolUpdate(cidr=NET),
    )
    state = apply(HostState(), (route, pool, ConfigUpdate(values={"a": "b"})))
    assert (state.routes, state.pools, state.config) == ({NET: route}, {NET: pool}, {"a": "b"})
    assert apply(state, (RouteRemove(destination=NET), PoolRemove(cidr=NET), ConfigUpdate(values={}))) == HostState()


def test_a_state_is_never_changed():
    text = str(STATE)
    changed = apply(
        STATE, (ProfileUpdate(name="p", profile=STATE.profiles["p"]), WorkloadEndpointRemove(id=ENDPOINT_ID))
    )
    assert str(STATE) == text
    assert changed.workload_endpoints == {}


# --- ids -----------------------------------------------------------------------------------------------------------------------

SEGMENTS = st.from_regex(r"[a-z0-9]([a-z0-9.-]*[a-z0-9])?", fullmatch=True)


@given(SEGMENTS, SEGMENTS, SEGMENTS, SEGMENTS)
def test_an_endpoints_rank_is_what_its_name_was_made_of(node, orchestrator, workload, interface):
    found = EndpointId("ns", endpoint_name(node, orchestrator, workload, interface))
    assert found.rank == (orchestrator, f"ns/{workload}", interface)


def test_an_endpoint_with_a_name_of_another_form_has_a_rank_all_the_same():
    ids = [EndpointId("ns", name) for name in ("b", "a-b", "one-k8s-web-eth0", "a")]
    assert [found.name for found in sorted(ids, key=lambda i: i.rank)] == ["a", "a-b", "b", "one-k8s-web-eth0"]
