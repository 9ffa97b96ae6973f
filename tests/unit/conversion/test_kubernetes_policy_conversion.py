"""A Kubernetes NetworkPolicy → a Calico NetworkPolicy of the default tier."""

import pytest

from tortie.conversion import ConversionError, network_policy
from tortie.model import codec, kubernetes
from tortie.selectors import parse

POD = "projectcalico.org/orchestrator == 'k8s'"


def convert(spec, name="p", namespace="ns", **metadata):
    document = {"kind": "NetworkPolicy", "metadata": {"name": name, "namespace": namespace, **metadata}, "spec": spec}
    return network_policy(codec.from_document(document, kubernetes.NetworkPolicy))


def spec_of(spec):
    conversion = convert(spec)
    assert conversion.errors == ()
    return codec.to_document(conversion.policy)["spec"]


def without_empty_ends(rules):
    return [{field: value for field, value in rule.items() if value != {}} for rule in rules]


def ingress_of(*rules):
    return without_empty_ends(spec_of({"podSelector": {}, "ingress": list(rules)})["ingress"])


def test_the_policy_is_named_and_placed_as_calicos_controller_does():
    policy = convert({"podSelector": {}}, name="web", namespace="shop").policy
    assert (policy.metadata.namespace, policy.metadata.name) == ("shop", "knp.default.web")
    assert (policy.spec.tier, policy.spec.order) == ("default", 1000.0)


def test_converting_twice_gives_the_same_uid_and_never_the_sources():
    uid = "30316465-6365-4463-ad63-3564622d3638"
    derived = convert({"podSelector": {}}, uid=uid).policy.metadata.uid
    assert derived == "0c8c26a6-c6a6-44c6-adc6-ac2646b46c1c"
    assert convert({"podSelector": {}}, uid="not a uid").policy.metadata.uid == ""


@pytest.mark.parametrize(
    ("selector", "text"),
    [
        ({}, ""),
        ({"matchLabels": {"b": "2", "a": "1"}}, " && a == '1' && b == '2'"),
        (
            {
                "matchLabels": {"z": ""},
                "matchExpressions": [
                    {"key": "k", "operator": "In", "values": ["v2", "v1"]},
                    {"key": "k", "operator": "NotIn", "values": ["v3"]},
                    {"key": "a", "operator": "Exists"},
                    {"key": "b", "operator": "DoesNotExist"},
                ],
            },
            " && z == '' && k in { 'v2', 'v1' } && k not in { 'v3' } && has(a) && ! has(b)",
        ),
    ],
    ids=["all", "labels by name", "expressions as written"],
)
def test_a_pod_selector_becomes_calicos_text(selector, text):
    assert spec_of({"podSelector": selector})["selector"] == POD + text


@pytest.mark.parametrize(
    ("spec", "types"),
    [
        ({}, ("Ingress",)),
        ({"ingress": [{}]}, ("Ingress",)),
        ({"egress": [{}]}, ("Ingress", "Egress")),
        ({"policyTypes": ["Egress"], "ingress": [{}]}, ("Egress",)),
        ({"policyTypes": ["Egress", "Ingress"]}, ("Ingress", "Egress")),
    ],
    ids=["no rules", "ingress rules", "egress rules", "named, rules ignored", "both named"],
)
def test_types_are_as_the_api_server_would_fill_them_in(spec, types):
    assert tuple(spec_of({"podSelector": {}, **spec})["types"]) == types


@pytest.mark.parametrize(
    ("peer", "source"),
    [
        ({"podSelector": {}}, {"selector": POD}),
        ({"podSelector": {"matchLabels": {"a": "1"}}}, {"selector": f"{POD} && a == '1'"}),
        ({"namespaceSelector": {}}, {"selector": POD, "namespaceSelector": "all()"}),
        (
            {"namespaceSelector": {"matchLabels": {"n": "1"}}, "podSelector": {"matchLabels": {"a": "1"}}},
            {"selector": f"{POD} && a == '1'", "namespaceSelector": "n == '1'"},
        ),
        ({"ipBlock": {"cidr": "10.1.2.3/8", "except": ["10.1.0.0/16"]}}, {"nets": ("10.0.0.0/8",), "notNets": ("10.1.0.0/16",)}),
        ({"ipBlock": {"cidr": "fd00::/8"}}, {"nets": ("fd00::/8",)}),
    ],
    ids=["own namespace", "own namespace by label", "all namespaces", "both", "net with exception", "IPv6 net"],
)  # fmt: skip
def test_a_peer_becomes_the_rules_other_end(peer, source):
    assert ingress_of({"from": [peer]}) == [{"action": "Allow", "source": source}]
    egress = spec_of({"podSelector": {}, "egress": [{"to": [peer]}]})["egress"]
    assert without_empty_ends(egress) == [{"action": "Allow", "destination": source}]


def test_a_rule_without_peers_and_ports_allows_everything():
    assert ingress_of({}) == [{"action": "Allow"}]


@pytest.mark.parametrize(
    ("ports", "expected"),
    [
        ([{}], [("TCP", None)]),
        ([{"port": 80}], [("TCP", (80,))]),
        ([{"port": 80}, {"port": 82}, {"port": 81}, {"port": 81}], [("TCP", ("80:82",))]),
        ([{"port": 32000, "endPort": 32768}], [("TCP", ("32000:32768",))]),
        ([{"port": "http"}, {"port": 80}], [("TCP", (80, "http"))]),
        ([{"port": 53, "protocol": "UDP"}, {"port": 53, "protocol": "TCP"}], [("TCP", (53,)), ("UDP", (53,))]),
        ([{"port": 80}, {"protocol": "TCP"}], [("TCP", None)]),
        ([{"protocol": "TCP"}, {"port": 80}], [("TCP", None)]),
        ([{"port": 65535}, {"port": 1, "endPort": 65535}], [("TCP", ("1:65535",))]),
    ],
    ids=[
        "empty",
        "default protocol",
        "merged",
        "range",
        "name last",
        "by protocol",
        "all wins",
        "all stays",
        "covered",
    ],
)
def test_ports_are_merged_for_each_protocol(ports, expected):
    rules = ingress_of({"ports": ports})
    assert [(rule["protocol"], rule.get("destination", {}).get("ports")) for rule in rules] == expected


def test_there_is_a_rule_for_each_protocol_and_peer():
    peers = [{"podSelector": {"matchLabels": {"a": value}}} for value in ("1", "2")]
    rules = ingress_of({"from": peers, "ports": [{"port": 53, "protocol": "UDP"}, {"port": 53}]})
    assert [(rule["protocol"], rule["source"]["selector"][-3:]) for rule in rules] == [
        ("TCP", "'1'"),
        ("TCP", "'2'"),
        ("UDP", "'1'"),
        ("UDP", "'2'"),
    ]


BAD_PORTS = [
    {"ports": [{"port": 80, "protocol": "ICMP"}]},
    {"ports": [{"port": 80, "protocol": "QUIC"}]},
    {"ports": [{"port": 70000}]},
    {"ports": [{"port": 80, "endPort": 79}]},
    {"ports": [{"port": "http", "endPort": 90}]},
    {"ports": [{"endPort": 90}]},
]
BAD_PEERS = [
    {"from": [{"ipBlock": {"cidr": "10.0.0.0"}}]},
    {"from": [{"ipBlock": {"cidr": "10.0.0.0/8", "except": ["x"]}}]},
    {"from": [{"ipBlock": {"cidr": "10.0.0.0/8"}, "podSelector": {}}]},
    {"from": [{"podSelector": {"matchLabels": {"a": "b' || has(x) || a == 'b"}}}]},
    {"from": [{"namespaceSelector": {"matchLabels": {"bad key": "b"}}}]},
]


@pytest.mark.parametrize("bad", BAD_PORTS + BAD_PEERS, ids=str)
def test_a_rule_that_cannot_be_read_is_left_out_whole_and_reported(bad):
    conversion = convert({"podSelector": {}, "ingress": [bad | {"ports": [*bad.get("ports", []), {"port": 1}]}, {}]})
    assert len(conversion.policy.spec.ingress) == 1
    assert len(conversion.errors) == 1
    assert conversion.errors[0].startswith("spec.ingress[0] is left out, and what it would allow stays denied: ")


def test_a_policy_whose_pods_cannot_be_told_is_refused():
    with pytest.raises(ConversionError, match=r"^spec\.podSelector: .* is not a label value"):
        convert({"podSelector": {"matchLabels": {"a": "'"}}})


def test_every_selector_written_can_be_read():
    spec = spec_of({"podSelector": {"matchExpressions": [{"key": "a", "operator": "In", "values": []}]}})
    assert not parse(spec["selector"]).matches({"projectcalico.org/orchestrator": "k8s", "a": "x"})
