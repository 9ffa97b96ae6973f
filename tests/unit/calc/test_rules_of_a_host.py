"""A rule as written becomes a rule of sets; what is not supported fails closed."""

import pytest
from calc_resources import policy

from tortie.calc.hoststate import ICMPMatch, PeerMatch, PortRange
from tortie.calc.rules import scan_rules
from tortie.model.policy import Action
from tortie.net import Family
from tortie.selectors import named_port_id, parse, unique_id


def scan(rule: dict, namespace: str = ""):
    written = policy("p", ingress=[rule]).spec.ingress
    return scan_rules(written, (), namespace)


def only(rule: dict, namespace: str = ""):
    (scanned,) = scan(rule, namespace).ingress
    return scanned


def test_selectors_become_sets_with_calicos_ids():
    rule = only({"action": "Allow", "source": {"selector": "a == 'b'"}, "destination": {"notSelector": "has(c)"}})
    assert rule.source.sets == (parse("a == 'b'").id,)
    assert rule.destination.not_sets == (parse("has(c)").id,)


def test_numbers_and_names_of_ports_go_apart():
    rule = only(
        {
            "action": "Allow",
            "protocol": "TCP",
            "destination": {"selector": "has(a)", "ports": [80, "8000:8080", "http"]},
        }
    )
    assert rule.destination.ports == (PortRange(80, 80), PortRange(8000, 8080))
    assert rule.destination.port_sets == (named_port_id(parse("has(a)").id, "tcp", "http"),)
    assert rule.destination.sets == (parse("has(a)").id,)


def test_where_all_ports_are_named_their_sets_stand_for_the_selector_too():
    rule = only({"action": "Allow", "protocol": "UDP", "destination": {"selector": "has(a)", "ports": ["dns"]}})
    assert rule.destination.port_sets == (named_port_id(parse("has(a)").id, "udp", "dns"),)
    assert rule.destination.sets == ()


def test_a_name_without_protocol_is_of_any_and_without_selector_spans_all_namespaces():
    rule = only({"action": "Allow", "destination": {"ports": ["http"]}}, "ns")
    assert rule.destination.port_sets == (named_port_id(parse("all()").id, "any", "http"),)


def test_a_name_among_not_ports_is_limited_by_the_selector():
    rule = only({"action": "Allow", "destination": {"selector": "has(a)", "notPorts": ["http"]}})
    assert rule.destination.not_port_sets == (named_port_id(parse("has(a)").id, "any", "http"),)
    assert rule.destination.sets == (parse("has(a)").id,)


def test_the_sets_are_defined_beside_the_rules():
    scanned = scan({"action": "Allow", "source": {"selector": "has(a)"}, "destination": {"ports": ["http"]}})
    assert {str(definition.selector) for definition in scanned.sets.values()} == {"has(a)", "all()"}
    assert all(set_id == definition.id for set_id, definition in scanned.sets.items())


def test_families_and_icmp_are_taken_over():
    rule = only(
        {
            "action": "Deny",
            "ipVersion": 6,
            "protocol": "ICMPv6",
            "icmp": {"type": 128},
            "notICMP": {"type": 129, "code": 1},
        }
    )
    assert (rule.family, rule.icmp, rule.not_icmp) == (Family.V6, ICMPMatch(128, None), ICMPMatch(129, 1))


SERVICE = {"name": "s", "namespace": "other"}


def test_a_service_as_destination_is_a_set_of_addresses_and_ports_with_calicos_id():
    rule = only({"action": "Allow", "destination": {"services": SERVICE}}, "ns")
    assert rule.destination.port_sets == (unique_id("svc", "other/s"),)
    assert (rule.destination.sets, rule.source) == ((), PeerMatch())


def test_a_service_as_source_is_a_set_of_addresses_alone():
    rule = only({"action": "Allow", "source": {"services": SERVICE}}, "ns")
    assert rule.source.sets == (unique_id("svcnoport", "other/s"),)
    assert rule.source.port_sets == ()


def test_a_service_without_a_namespace_is_of_the_policys_own():
    scanned = scan({"action": "Allow", "source": {"services": {"name": "s"}}}, "ns")
    (service,) = scanned.sets.values()
    assert service.service == ("ns", "s")


UNSUPPORTED = {
    "ports beside a service": {
        "protocol": "TCP",
        "destination": {"services": {"name": "s", "namespace": "ns"}, "ports": [80]},
    },
    "numbered ports without a protocol that has them": {"destination": {"ports": [80, "http"]}},
    "numbered notPorts without a protocol that has them": {"source": {"notPorts": [80]}},
}


@pytest.mark.parametrize("criterion", UNSUPPORTED.values(), ids=UNSUPPORTED)
@pytest.mark.parametrize(
    ("action", "becomes"), [("Allow", None), ("Log", None), ("Deny", Action.DENY), ("Pass", Action.DENY)]
)
def test_an_unsupported_criterion_lets_nothing_through(criterion, action, becomes):
    scanned = scan({"action": action, "ipVersion": 4, **criterion}).ingress
    assert [rule.action for rule in scanned] == ([becomes] if becomes else [])


@pytest.mark.parametrize("action", ["Allow", "Deny", "Pass"])
def test_a_rule_about_http_requests_is_its_other_criteria(action):
    other = {"action": action, "protocol": "TCP", "source": {"nets": ["10.0.0.0/8"]}}
    assert only({**other, "http": {"methods": ["GET"]}}) == only(other)


def test_a_service_at_the_source_and_its_packets_ports_must_both_match():
    rule = only(
        {"action": "Allow", "protocol": "TCP", "source": {"services": {"name": "s", "namespace": "ns"}, "ports": [80]}}
    )
    assert (len(rule.source.sets), rule.source.port_sets, rule.source.ports) == (1, (), (PortRange(80, 80),))


def test_a_deny_rule_keeps_its_other_criteria():
    rule = only({"action": "Deny", "source": {"nets": ["10.0.0.0/8"], "notPorts": [80, "http"]}})
    assert rule == only({"action": "Deny", "source": {"nets": ["10.0.0.0/8"], "notPorts": ["http"]}})
