"""Network sets and services as peers, and what an endpoint brings beside its addresses."""

from collections.abc import Mapping

import pytest
from calc_resources import Host, endpoint, endpoint_slice, global_policy, network_set, policy, profile, resource

from tortie.calc.hoststate import AddressPort, IPSetDelta, IPSetRemove, IPSetUpdate, Member
from tortie.model import kinds
from tortie.net import SCTP, TCP, UDP, Address, Network
from tortie.selectors import parse, unique_id

WORKLOAD = endpoint("w", "10.0.0.1")


def nets(*texts: str) -> frozenset[Network]:
    return frozenset(map(Network.parse, texts))


def members(*resources, **peer) -> frozenset[Member]:
    """Of the only set of a host whose policy allows from *peer*."""
    rule = {"action": "Allow", "source": peer}
    host = Host(WORKLOAD, policy("p", ingress=[rule]), *resources)
    (found,) = host.state.ip_sets.values()
    return found


def global_set(name: str, *nets: str, labels: Mapping[str, str] = {}):
    return resource(kinds.GLOBAL_NETWORK_SET, name, labels=labels, spec={"nets": list(nets)})


def test_a_network_set_is_of_its_namespace():
    inside, outside = (
        network_set("s", "192.0.2.0/24", labels={"a": ""}),
        network_set("t", "10.9.0.0/16", namespace="other"),
    )
    assert members(inside, outside, selector="has(a)") == nets("192.0.2.0/24")


def test_a_network_set_has_the_labels_of_its_namespace():
    found = network_set("s", "192.0.2.0/24", namespace="other")
    team = profile("kns.other", {"pcns.team": "red"})
    assert members(found, team, namespaceSelector="team == 'red'") == nets("192.0.2.0/24")
    assert members(found, namespaceSelector="team == 'red'") == frozenset()


def test_a_global_set_is_found_by_what_belongs_to_no_namespace():
    found = global_set("s", "192.0.2.0/24", labels={"a": ""})
    assert members(found, selector="has(a)") == frozenset()
    assert members(found, namespaceSelector="global()") == nets("192.0.2.0/24")
    assert members(found, namespaceSelector="!has(team)") >= nets("192.0.2.0/24")


def test_everything_is_two_halves_and_host_bits_do_not_matter():
    found = global_set("s", "0.0.0.0/0", "::/0", "192.0.2.7/24", "192.0.2.1", "")
    halves = ("0.0.0.0/1", "128.0.0.0/1", "::/1", "8000::/1")
    assert members(found, namespaceSelector="global()") == nets(*halves, "192.0.2.0/24", "192.0.2.1/32")


def test_an_address_of_an_endpoint_and_a_set_stays_until_both_are_gone():
    rule = {"action": "Allow", "source": {"selector": "has(a)"}}
    found, twin = (
        global_set("s", "10.0.0.7", labels={"a": ""}),
        endpoint("x", "10.0.0.7", labels={"a": ""}, node="there"),
    )
    host = Host(WORKLOAD, global_policy("g", ingress=[rule]), found, twin)
    assert host.remove(found) == ()
    assert host.remove(twin) == (IPSetDelta(id=parse("has(a)").id, removed=nets("10.0.0.7")),)


# --- services --------------------------------------------------------------------------------------------------------------------

SERVICE = {"name": "db", "namespace": "shop"}
PORTS_ID, ADDRESSES_ID = unique_id("svc", "shop/db"), unique_id("svcnoport", "shop/db")
TO_SERVICE = policy("out", egress=[{"action": "Allow", "destination": {"services": SERVICE}}], types=["Egress"])
FROM_SERVICE = policy("in", ingress=[{"action": "Allow", "source": {"services": SERVICE}}], types=["Ingress"])


def at(address: str, protocol, port: int) -> AddressPort:
    return AddressPort(Address.parse(address), protocol, port)


def test_an_egress_rule_finds_a_services_addresses_with_its_ports():
    slices = (
        endpoint_slice("one", "10.1.0.1", a=("TCP", 80), b=("UDP", 53)),
        endpoint_slice("two", "10.1.0.2", c=("SCTP", 9)),
    )
    host = Host(WORKLOAD, TO_SERVICE, *slices)
    assert host.state.ip_sets == {
        PORTS_ID: {at("10.1.0.1", TCP, 80), at("10.1.0.1", UDP, 53), at("10.1.0.2", SCTP, 9)},
    }


def test_an_ingress_rule_finds_a_services_addresses_alone():
    host = Host(
        WORKLOAD, FROM_SERVICE, endpoint_slice("one", "10.1.0.1", a=("TCP", 80)), endpoint_slice("two", "10.1.0.2")
    )
    assert host.state.ip_sets == {ADDRESSES_ID: nets("10.1.0.1", "10.1.0.2")}


@pytest.mark.parametrize(
    "slices",
    [
        (),
        (endpoint_slice("one", "10.1.0.1", service="other", a=("TCP", 80)),),
        (endpoint_slice("one", "10.1.0.1", namespace="other", a=("TCP", 80)),),
        (endpoint_slice("one", "10.1.0.1"),),
        (endpoint_slice("one", "10.1.0.1", a=("TCP", None)),),
        (endpoint_slice("one", "db.example.org", a=("TCP", 80)),),
    ],
    ids=["no slice", "another service's", "another namespace's", "no port", "a port without number", "a name"],
)
def test_a_service_without_addresses_and_ports_has_no_members(slices):
    assert Host(WORKLOAD, TO_SERVICE, *slices).state.ip_sets == {PORTS_ID: frozenset()}


def test_endpoints_that_are_not_ready_count():
    host = Host(WORKLOAD, FROM_SERVICE, endpoint_slice("one", "10.1.0.1", ready=False))
    assert host.state.ip_sets == {ADDRESSES_ID: nets("10.1.0.1")}


def test_a_services_members_change_by_deltas_and_what_two_slices_bring_stays_until_both_are_gone():
    one, two = endpoint_slice("one", "10.1.0.1", "10.1.0.2"), endpoint_slice("two", "10.1.0.1")
    host = Host(WORKLOAD, FROM_SERVICE, one)
    assert host.put(two) == ()
    assert host.remove(one) == (IPSetDelta(id=ADDRESSES_ID, removed=nets("10.1.0.2")),)
    assert host.put(endpoint_slice("two", "10.1.0.1", service="other")) == (
        IPSetDelta(id=ADDRESSES_ID, removed=nets("10.1.0.1")),
    )


def test_a_services_sets_come_and_go_with_the_rules_that_name_it():
    host = Host(WORKLOAD, endpoint_slice("one", "10.1.0.1", a=("TCP", 80)))
    assert not host.state.ip_sets
    assert [type(delta) for delta in host.put(TO_SERVICE, FROM_SERVICE)][:2] == [IPSetUpdate, IPSetUpdate]
    assert [type(delta) for delta in host.remove(TO_SERVICE)][-1:] == [IPSetRemove]
    assert list(host.state.ip_sets) == [ADDRESSES_ID]
