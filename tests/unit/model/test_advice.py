"""What is accepted and warned about, and with it what is not."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tortie.model.coverage import covers, shadowed
from tortie.model.document import read
from tortie.model.fieldpath import path_text
from tortie.model.policy import Action, EntityRule, Rule
from tortie.net import ICMP, TCP, UDP, Network, Port


def warned(api_version: str, kind: str, spec: dict[str, Any], **metadata: str) -> list[str]:
    """The fields that are warned about, in a resource that has no error."""
    document = {"apiVersion": api_version, "kind": kind, "metadata": {"name": "x", **metadata}, "spec": spec}
    result = read(json.dumps(document))
    assert [str(error) for error in result.errors] == []
    return [path_text(warning.path) for warning in result.warnings]


def in_policy(spec: dict[str, Any]) -> list[str]:
    return warned("projectcalico.org/v3", "NetworkPolicy", spec, namespace="shop")


def in_kubernetes_policy(spec: dict[str, Any]) -> list[str]:
    return warned("networking.k8s.io/v1", "NetworkPolicy", {"podSelector": {}, **spec})


def in_cluster_policy(spec: dict[str, Any]) -> list[str]:
    spec = {"tier": "Admin", "priority": 1, "subject": {"namespaces": {}}, **spec}
    return warned("policy.networking.k8s.io/v1alpha2", "ClusterNetworkPolicy", spec)


ALLOW: dict[str, Any] = {"action": "Allow"}
NEVER = "a == 'x' && a == 'y'"
PODS = {"namespaces": {"matchLabels": {"a": "b"}}}


# --- selectors -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("spec", "fields"),
    [
        pytest.param({"selector": NEVER}, ["spec.selector"], id="of the policy"),
        pytest.param({"serviceAccountSelector": NEVER}, ["spec.serviceAccountSelector"], id="of accounts"),
        pytest.param({"ingress": [{**ALLOW, "source": {"selector": NEVER}}]}, ["spec.ingress[0].source.selector"], id="of a rule"),
        pytest.param({"ingress": [{**ALLOW, "source": {"notSelector": NEVER}}]}, ["spec.ingress[0].source.notSelector"], id="negated"),
        pytest.param({"selector": "a == 'x' || a == 'y'"}, [], id="one that may match"),
        pytest.param({"selector": "!all()"}, [], id="one that is meant to match nothing"),
        pytest.param({"selector": "projectcalico.org/namespace == 'other'"}, ["spec.selector"], id="of another namespace"),
        pytest.param({"selector": "projectcalico.org/namespace == 'shop'"}, [], id="of the own namespace"),
        pytest.param(
            {"ingress": [{**ALLOW, "source": {"selector": "projectcalico.org/namespace == 'other'"}}]},
            ["spec.ingress[0].source.selector"], id="a rule's, of another namespace",
        ),
        pytest.param(
            {"ingress": [{**ALLOW, "source": {"selector": "projectcalico.org/namespace == 'other'", "namespaceSelector": "all()"}}]},
            [], id="a rule's, of all namespaces",
        ),
    ],
)  # fmt: skip
def test_selectors_that_never_match(spec: dict[str, Any], fields: list[str]) -> None:
    assert in_policy(spec) == fields


def test_selectors_of_every_kind_are_asked() -> None:
    pool = {"cidr": "10.0.0.0/16", "nodeSelector": NEVER}
    assert warned("projectcalico.org/v3", "IPPool", pool) == ["spec.nodeSelector"]


def test_label_selectors_are_asked_too() -> None:
    selector = {"matchLabels": {"a": "x"}, "matchExpressions": [{"key": "a", "operator": "NotIn", "values": ["x"]}]}
    assert in_kubernetes_policy({"podSelector": selector}) == ["spec.podSelector"]
    assert in_kubernetes_policy({"podSelector": {"matchLabels": {"a": "x"}}}) == []


def test_a_warning_about_a_selector_stands_at_it_and_says_why() -> None:
    text = "apiVersion: projectcalico.org/v3\nkind: GlobalNetworkPolicy\nmetadata: {name: x}\nspec:\n  selector: a == 'x' && !has(a)\n"
    (warning,) = read(text, source="f.yaml").warnings
    assert str(warning) == (
        "f.yaml:5:13: spec.selector: \"a == 'x' && !has(a)\": a is to be there and not to be there, so it never matches anything"
    )


# --- directions ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("spec", "fields"),
    [
        pytest.param({"types": ["Egress"], "ingress": [ALLOW]}, ["spec.ingress"], id="ingress rules of an egress policy"),
        pytest.param({"types": ["Ingress"], "egress": [ALLOW]}, ["spec.egress"], id="egress rules of an ingress policy"),
        pytest.param({"types": ["Ingress", "Egress"], "ingress": [ALLOW]}, [], id="a direction without rules, which denies"),
        pytest.param({"egress": [ALLOW]}, [], id="types left to the default"),
    ],
)  # fmt: skip
def test_rules_that_types_leaves_out(spec: dict[str, Any], fields: list[str]) -> None:
    assert in_policy(spec) == fields


def test_rules_that_policy_types_leaves_out() -> None:
    assert in_kubernetes_policy({"policyTypes": ["Ingress"], "egress": [{}]}) == ["spec.egress"]
    assert in_kubernetes_policy({"policyTypes": ["Ingress", "Egress"], "egress": [{}]}) == []


# --- shadowed rules --------------------------------------------------------------------------------------------------------

TEN = {"nets": ["10.0.0.0/8"]}
TEN_ONE = {"nets": ["10.1.0.0/16"]}
WEB = {"selector": "role == 'web'"}


@pytest.mark.parametrize(
    ("earlier", "later"),
    [
        pytest.param({}, {"protocol": "TCP"}, id="everything before something"),
        pytest.param({"protocol": "TCP"}, {"protocol": "TCP", "destination": {"ports": [80]}}, id="a protocol before its port"),
        pytest.param({"source": TEN}, {"source": TEN_ONE}, id="a network before its part"),
        pytest.param({"source": {"notNets": ["10.1.0.0/16"]}}, {"source": {"notNets": ["10.0.0.0/8"]}}, id="excluding less"),
        pytest.param({"source": WEB}, {"source": {"selector": 'role=="web"'}}, id="the same selector in other words"),
        pytest.param({"protocol": "TCP", "destination": {"ports": ["80:90"]}}, {"protocol": "TCP", "destination": {"ports": [80, "85:90"]}}, id="a range before its parts"),
        pytest.param({"protocol": "ICMP", "icmp": {"type": 8}}, {"protocol": "ICMP", "icmp": {"type": 8, "code": 0}}, id="a type before its code"),
        pytest.param({"notProtocol": "TCP"}, {"protocol": "UDP"}, id="all but a protocol before another"),
    ],
)  # fmt: skip
def test_a_rule_behind_a_wider_one_never_decides(earlier: dict[str, Any], later: dict[str, Any]) -> None:
    rules = [{"action": "Deny", **earlier}, {**ALLOW, **later}]
    assert in_policy({"ingress": rules}) == ["spec.ingress[1]"]


@pytest.mark.parametrize(
    ("earlier", "later"),
    [
        pytest.param({"protocol": "TCP"}, {}, id="something before everything"),
        pytest.param({"source": TEN_ONE}, {"source": TEN}, id="a part before its network"),
        pytest.param({"source": WEB}, {"source": {"selector": "role == 'api'"}}, id="another selector"),
        pytest.param({"source": {**WEB, "namespaceSelector": "all()"}}, {"source": WEB}, id="namespaces that are not compared"),
        pytest.param({"source": {"notSelector": "has(a)"}}, {}, id="an exception"),
        pytest.param({"protocol": "TCP", "destination": {"ports": [80]}}, {"protocol": "TCP", "destination": {"ports": ["80:81"]}}, id="a port before its range"),
        pytest.param({"destination": {"ports": ["http"]}}, {"destination": {"ports": ["dns"]}}, id="names of ports"),
        pytest.param({"action": "Log"}, {}, id="Log, which decides nothing"),
        pytest.param({"ipVersion": 4}, {}, id="one family before both"),
        pytest.param({"notProtocol": "TCP"}, {"protocol": "TCP"}, id="all but that protocol"),
    ],
)  # fmt: skip
def test_a_rule_that_may_decide_is_left_alone(earlier: dict[str, Any], later: dict[str, Any]) -> None:
    rules = [{"action": "Deny", **earlier}, {**ALLOW, **later}]
    assert in_policy({"ingress": rules}) == []


ENTITIES = st.builds(
    EntityRule,
    nets=st.sampled_from([(), (Network.parse("10.0.0.0/8"),), (Network.parse("10.1.0.0/16"),)]),
    not_nets=st.sampled_from([(), (Network.parse("10.1.0.0/16"),), (Network.parse("10.1.1.0/24"),)]),
    selector=st.sampled_from(["", "has(a)"]),
    ports=st.sampled_from([(), (Port(80),), (Port(80, 90),)]),
)
RULES = st.builds(
    Rule, action=st.just(Action.DENY), protocol=st.sampled_from([None, TCP, UDP, ICMP]), source=ENTITIES, destination=ENTITIES
)  # fmt: skip


@given(RULES, RULES, RULES)
def test_covering_is_an_order(one: Rule, two: Rule, three: Rule) -> None:
    assert covers(one, one)
    if covers(one, two) and covers(two, three):
        assert covers(one, three)


@given(st.lists(RULES, max_size=5))
def test_the_first_rule_is_never_shadowed_and_a_shadow_falls_forwards(rules: list[Rule]) -> None:
    assert all(earlier < later for later, earlier in shadowed(rules))


def test_rules_of_a_cluster_policy_are_compared_as_written() -> None:
    deny, accept = {"action": "Deny", "from": [PODS]}, {"action": "Accept", "from": [PODS]}
    web = {"protocols": [{"tcp": {"destinationPort": {"number": 80}}}]}
    assert in_cluster_policy({"ingress": [accept, deny]}) == ["spec.ingress[1]"]
    assert in_cluster_policy({"ingress": [accept, {**deny, **web}]}) == ["spec.ingress[1]"]
    assert in_cluster_policy({"ingress": [{**accept, **web}, deny]}) == []


# --- what is not enforced as written -----------------------------------------------------------------------------------------


def test_criteria_that_packets_are_not_judged_by() -> None:
    http = {**ALLOW, "http": {"methods": ["GET"]}}
    assert in_policy({"ingress": [http]}) == ["spec.ingress[0].http"]


def test_peers_that_cannot_be_told_by_address() -> None:
    names = {"action": "Accept", "to": [{"domainNames": ["example.com"]}]}
    nodes = {"action": "Deny", "to": [PODS, {"nodes": {}}]}
    assert in_cluster_policy({"egress": [names, nodes]}) == [
        "spec.egress[0].to[0].domainNames",
        "spec.egress[1].to[1].nodes",
    ]


def test_staged_policies_are_advised_like_the_others() -> None:
    spec = {"types": ["Egress"], "ingress": [ALLOW]}
    assert warned("projectcalico.org/v3", "StagedNetworkPolicy", spec, namespace="shop") == ["spec.ingress"]
