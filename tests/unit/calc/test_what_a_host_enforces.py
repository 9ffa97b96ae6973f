"""Which policies, profiles, sets and endpoints a host has, and what becomes of what is missing or invalid."""

import msgspec
import pytest
from calc_resources import HOST, Host, endpoint, global_policy, key_of, policy, profile

from tortie.calc import Calculation, HostState
from tortie.calc.hoststate import (
    AddressPort,
    EndpointId,
    IPSetDelta,
    IPSetRemove,
    IPSetUpdate,
    PolicyRemove,
    PolicyUpdate,
    ProfileUpdate,
    RouteUpdate,
    TiersUpdate,
    WorkloadEndpointUpdate,
)
from tortie.calc.profiles import MISSING_PROFILE
from tortie.model.updates import ResourceUpdate
from tortie.net import TCP, UDP, Address, Network
from tortie.selectors import named_port_id, parse

ALLOW_ALL = {"ingress": [{"action": "Allow"}], "egress": [{"action": "Allow"}]}
FROM_A = policy("p", ingress=[{"action": "Allow", "source": {"selector": "has(a)"}}])
A_SET = parse("(projectcalico.org/namespace == 'ns') && (has(a))").id


def hosts(*addresses: str) -> frozenset[Network]:
    return frozenset(Address.parse(address).network() for address in addresses)


def test_nothing_leaves_the_graph_before_it_is_in_sync():
    calculation = Calculation(HOST)
    local = endpoint("w", "10.0.0.1")
    calculation.update(ResourceUpdate(key_of(local), local, 1))
    assert calculation.flush() == ()
    calculation.in_sync()
    assert [type(delta) for delta in calculation.flush()] == [WorkloadEndpointUpdate, RouteUpdate]
    assert calculation.flush() == ()


def test_deltas_come_with_dependencies_first_and_go_in_reverse():
    host = Host()
    local = endpoint("w", "10.0.0.1", profiles=("kns.ns",))
    came = [type(delta) for delta in host.put(local, FROM_A, profile("kns.ns", **ALLOW_ALL))]
    assert came == [IPSetUpdate, PolicyUpdate, ProfileUpdate, WorkloadEndpointUpdate, RouteUpdate]
    went = [type(delta) for delta in host.remove(FROM_A)]
    assert went == [TiersUpdate, PolicyRemove, IPSetRemove]


def test_only_this_hosts_endpoints_are_enforced_and_those_of_all_hosts_are_members():
    host = Host(
        FROM_A,
        endpoint("here", "10.0.0.1", "fd00::1", labels={"a": ""}),
        endpoint("there", "10.0.1.1", labels={"a": ""}, node="there"),
        endpoint("other", "10.0.1.2", labels={"a": ""}, namespace="other", node="there"),
        endpoint("waiting", labels={"a": ""}),
    )
    assert list(host.state.workload_endpoints) == [EndpointId("ns", "here")]
    assert host.state.ip_sets == {A_SET: hosts("10.0.0.1", "fd00::1", "10.0.1.1")}


def test_an_endpoint_that_moves_to_another_host_leaves_its_policies_inactive_here():
    host = Host(FROM_A, endpoint("w", "10.0.0.1"))
    host.put(endpoint("w", "10.0.0.1", node="there"))
    assert host.state == HostState()


def test_an_endpoint_without_an_interface_is_a_member_and_not_enforced():
    spec = msgspec.structs.replace(endpoint("x", "10.0.0.2", labels={"a": ""}).spec, interface_name="")
    unplugged = msgspec.structs.replace(endpoint("x", labels={"a": ""}), spec=spec)
    host = Host(FROM_A, endpoint("w", "10.0.0.1"), unplugged)
    assert list(host.state.workload_endpoints) == [EndpointId("ns", "w")]
    assert host.state.ip_sets == {A_SET: hosts("10.0.0.2")}


def test_a_policy_that_governs_nobody_here_is_not_active():
    host = Host(FROM_A, endpoint("there", "10.0.1.1", node="there"), endpoint("w", "10.0.0.1", namespace="other"))
    assert not host.state.policies
    assert not host.state.ip_sets


@pytest.mark.parametrize(
    "spec", [{"doNotTrack": True, "applyOnForward": True}, {"preDNAT": True, "applyOnForward": True}]
)
def test_untracked_and_pre_dnat_policies_never_govern_workloads(spec):
    host = Host(endpoint("w", "10.0.0.1"), global_policy("g", **spec))
    assert not host.state.policies
    assert host.state.workload_endpoints[EndpointId("ns", "w")].tiers == ()


def test_a_profile_that_is_missing_denies_both_ways():
    host = Host(endpoint("w", "10.0.0.1", profiles=("gone",)))
    assert host.state.profiles == {"gone": MISSING_PROFILE}
    host.put(profile("gone", **ALLOW_ALL))
    assert host.state.profiles["gone"] != MISSING_PROFILE


def test_a_profile_whose_selectors_cannot_be_read_counts_as_missing():
    broken = profile("broken", ingress=[{"action": "Allow", "source": {"selector": "a =="}}])
    host = Host(endpoint("w", "10.0.0.1", profiles=("broken",)), broken)
    assert host.state.profiles == {"broken": MISSING_PROFILE}


@pytest.mark.parametrize(
    "broken",
    [policy("p", selector="a =="), policy("p", ingress=[{"action": "Allow", "source": {"selector": "a =="}}])],
    ids=["its own", "a rule's"],
)
def test_a_policy_whose_selectors_cannot_be_read_counts_as_absent(broken):
    host = Host(endpoint("w", "10.0.0.1"), policy("p"))
    assert len(host.state.policies) == 1
    host.put(broken)
    assert not host.state.policies


def test_an_address_of_two_endpoints_stays_until_the_last_is_gone():
    first, second = (endpoint(name, "10.0.0.1", labels={"a": ""}) for name in ("first", "second"))
    host = Host(FROM_A, first, second)
    assert not [delta for delta in host.remove(first) if isinstance(delta, IPSetDelta)]
    assert host.state.ip_sets[A_SET] == hosts("10.0.0.1")
    host.put(endpoint("third", "10.0.0.3"))
    deltas = host.remove(second)
    assert IPSetDelta(id=A_SET, removed=hosts("10.0.0.1")) in deltas


def test_an_endpoint_is_a_member_by_its_addresses_whatever_their_prefix_length():
    host = Host(FROM_A, endpoint("w", "10.0.0.0/24", labels={"a": ""}))
    assert host.state.ip_sets[A_SET] == hosts("10.0.0.0")


def test_membership_follows_the_labels_that_profiles_give():
    team = policy("p", ingress=[{"action": "Allow", "source": {"namespaceSelector": "team == 'red'"}}])
    host = Host(team, endpoint("w", "10.0.0.1", profiles=("kns.ns",)))
    (members,) = host.state.ip_sets.values()
    assert members == frozenset()
    host.put(profile("kns.ns", {"pcns.team": "red"}))
    (members,) = host.state.ip_sets.values()
    assert members == hosts("10.0.0.1")


def test_named_ports_carry_their_own_protocol():
    ports = (("web", "TCP", 80), ("web", "UDP", 81), ("other", "TCP", 82))
    host = Host(
        endpoint("w", "10.0.0.1", ports=ports),
        policy(
            "p",
            types=["Ingress"],
            ingress=[
                {"action": "Allow", "destination": {"ports": ["web"]}},
                {"action": "Allow", "protocol": "TCP", "destination": {"ports": ["web"]}},
            ],
        ),
    )
    address, everything = Address.parse("10.0.0.1"), parse("all()").id
    assert host.state.ip_sets == {
        named_port_id(everything, "any", "web"): {AddressPort(address, TCP, 80), AddressPort(address, UDP, 81)},
        named_port_id(everything, "tcp", "web"): {AddressPort(address, TCP, 80)},
    }


def test_a_change_of_one_member_is_one_delta():
    host = Host(FROM_A, endpoint("w", "10.0.0.1"), endpoint("x", "10.0.0.2", node="there"))
    deltas = host.put(endpoint("x", "10.0.0.2", node="there", labels={"a": ""}))
    assert deltas == (IPSetDelta(id=A_SET, added=hosts("10.0.0.2")),)


def test_what_comes_and_goes_between_two_flushes_was_never_there():
    host = Host(FROM_A, endpoint("w", "10.0.0.1"))
    passing = endpoint("x", "10.0.0.2", labels={"a": ""})
    assert host.take([(key_of(passing), passing), (key_of(passing), None)]) == ()


def test_repeated_and_spurious_updates_change_nothing():
    local = endpoint("w", "10.0.0.1")
    host = Host(FROM_A, local)
    assert host.put(FROM_A, local) == ()
    assert host.remove(policy("never"), endpoint("never"), profile("never")) == ()


def test_the_state_prints_the_same_whatever_the_way_to_it():
    resources = [FROM_A, endpoint("w", "10.0.0.1", labels={"a": ""}), endpoint("x", "10.0.0.2", labels={"a": ""})]
    assert str(Host(*resources).state) == str(Host(*reversed(resources)).state)
    assert "ip_sets: " in str(Host(*resources).state)
