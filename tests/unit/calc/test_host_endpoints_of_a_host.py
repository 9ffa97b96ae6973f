"""Host endpoints: which policies govern them in which stage, and what they are to rules."""

import pytest
from calc_resources import Host, endpoint, global_policy, host_endpoint, names, policy, profile, tier

from tortie.calc.hoststate import AddressPort, EndpointId, HostHostEndpoint
from tortie.calc.profiles import MISSING_PROFILE
from tortie.net import TCP, Address, Network
from tortie.selectors import named_port_id, parse

ALLOW = [{"action": "Allow"}]
USES = {
    "normal": {},
    "forward": {"applyOnForward": True},
    "untracked": {"applyOnForward": True, "doNotTrack": True},
    "pre-dnat": {"applyOnForward": True, "preDNAT": True, "types": ["Ingress"]},
}


def governed(*resources) -> HostHostEndpoint:
    """The host endpoint of a host with one."""
    host = Host(host_endpoint("h", "192.0.2.1"), *resources)
    return host.state.host_endpoints[EndpointId("", "h")]


def test_each_use_of_policy_has_its_own_tiers():
    found = governed(*(global_policy(name, ingress=ALLOW, **use) for name, use in USES.items()))
    assert names(found.tiers) == ["forward", "normal"]
    assert names(found.forward_tiers) == ["forward"]
    assert names(found.untracked_tiers) == ["untracked"]
    assert names(found.pre_dnat_tiers) == ["pre-dnat"]


def test_untracked_and_pre_dnat_tiers_pass_what_they_do_not_decide_and_forward_tiers_do_as_they_say():
    found = governed(tier("default", 1), *(global_policy(name, ingress=ALLOW, **use) for name, use in USES.items()))
    actions = {
        use: [t.default_action for t in tiers]
        for use, tiers in (
            ("normal", found.tiers),
            ("forward", found.forward_tiers),
            ("untracked", found.untracked_tiers),
            ("pre-dnat", found.pre_dnat_tiers),
        )
    }
    assert actions == {"normal": ["Deny"], "forward": ["Deny"], "untracked": ["Pass"], "pre-dnat": ["Pass"]}


def test_a_pre_dnat_policy_has_no_egress():
    found = governed(global_policy("p", **{**USES["pre-dnat"], "types": ["Ingress", "Egress"]}))
    assert [(len(t.ingress), len(t.egress)) for t in found.pre_dnat_tiers] == [(1, 0)]


def test_an_untracked_policy_that_only_a_workload_matches_is_not_active():
    host = Host(endpoint("w", "10.0.0.1"), global_policy("g", **USES["untracked"]))
    assert not host.state.policies
    host.put(host_endpoint("h", "192.0.2.1"))
    assert [(p.untracked, p.apply_on_forward) for p in host.state.policies.values()] == [(True, True)]
    host.remove(host_endpoint("h", "192.0.2.1"))
    assert not host.state.policies


def test_namespaced_policies_and_those_with_a_namespace_selector_never_govern_a_host_endpoint():
    found = governed(policy("p", ingress=ALLOW), global_policy("g", namespaceSelector="all()", ingress=ALLOW))
    assert found.tiers == ()


def test_a_negative_namespace_selector_governs_host_endpoints_too():
    assert names(governed(global_policy("g", namespaceSelector="!has(team)", ingress=ALLOW)).tiers) == ["g"]


def test_only_expected_addresses_make_it_a_peer():
    rule = {"action": "Allow", "source": {"selector": "has(a)"}}
    host = Host(
        global_policy("g", ingress=[rule]),
        host_endpoint("h", "192.0.2.1", "2001:db8::1", labels={"a": ""}),
        host_endpoint("there", "192.0.2.2", labels={"a": ""}, node="there"),
        host_endpoint("nameless", labels={"a": ""}),
    )
    wanted = {Network.parse(text) for text in ("192.0.2.1", "2001:db8::1", "192.0.2.2")}
    assert host.state.ip_sets == {parse("has(a)").id: wanted}


def test_its_ports_can_be_called_by_their_names():
    rule = {"action": "Allow", "protocol": "TCP", "destination": {"ports": ["ssh"]}}
    ports = [{"name": "ssh", "protocol": "TCP", "port": 22}]
    host = Host(global_policy("g", egress=[rule], types=["Egress"]), host_endpoint("h", "192.0.2.1", ports=ports))
    set_id = named_port_id(parse("all()").id, "tcp", "ssh")
    assert host.state.ip_sets == {set_id: {AddressPort(Address.parse("192.0.2.1"), TCP, 22)}}


def test_host_endpoints_of_other_hosts_are_not_enforced():
    host = Host(host_endpoint("h", "192.0.2.2", node="there"), global_policy("g", ingress=ALLOW))
    assert not host.state.host_endpoints
    assert not host.state.policies


def test_it_gets_labels_from_its_profiles_and_their_rules_judge_it():
    found = governed(
        profile("p", {"a": ""}),
        global_policy("g", selector="has(a)", ingress=ALLOW),
        host_endpoint("h", "192.0.2.1", profiles=["p", "gone"]),
    )
    assert (names(found.tiers), found.profiles) == (["g"], ("p", "gone"))


def test_the_default_allow_profile_is_built_in_and_may_be_overridden():
    listing = host_endpoint("h", "192.0.2.1", profiles=["projectcalico-default-allow"])
    host = Host(listing)
    (built_in,) = host.state.profiles.values()
    assert [rule.action for rule in (*built_in.ingress, *built_in.egress)] == ["Allow", "Allow"]
    stored = profile("projectcalico-default-allow", ingress=[{"action": "Deny"}])
    host.put(stored)
    assert [rule.action for rule in host.state.profiles["projectcalico-default-allow"].ingress] == ["Deny"]
    host.remove(stored)
    assert host.state.profiles["projectcalico-default-allow"] == built_in != MISSING_PROFILE


@pytest.mark.parametrize("interface", ["eth0", "*", ""])
def test_interface_and_addresses_are_passed_on_sorted(interface):
    host = Host(host_endpoint("h", "192.0.2.9", "192.0.2.1", interface=interface))
    (found,) = host.state.host_endpoints.values()
    assert (found.ifname, [str(a) for a in found.expected_ips]) == (interface, ["192.0.2.1", "192.0.2.9"])
