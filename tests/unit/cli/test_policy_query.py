"""``tortie policy query --jsonl``: one cluster a line, answered in order, whatever is wrong with another line."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from click.testing import Result

from tortie.conversion import interface_name

Tortie = Callable[..., Result]
Line = dict[str, Any]

ENGINES = [[], ["--engine", "ruleset", "--compilation", "linear"], ["--engine", "ruleset", "--compilation", "runs"]]
every_engine = pytest.mark.parametrize("options", ENGINES, ids=["oracle", "linear", "runs"])


def pod(name: str, ip: str | None = None, node: str = "one", **spec: Any) -> Line:
    namespace, _, own = name.partition("/")
    metadata = {"name": own, "namespace": namespace, "labels": {"app": own}}
    status = {"podIP": ip} if ip else {}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": metadata,
        "spec": {"nodeName": node, **spec},
        "status": status,
    }


def calico(kind: str, name: str, **spec: Any) -> Line:
    return {"apiVersion": "projectcalico.org/v3", "kind": kind, "metadata": {"name": name}, "spec": spec}


PODS = [pod("shop/web", "10.0.0.1"), pod("shop/db", "10.0.0.2", node="two"), pod("shop/agent", hostNetwork=True)]
NODES = [
    calico("Node", "one", bgp={"ipv4Address": "192.0.2.1/24"}),
    calico("Node", "two", bgp={"ipv4Address": "192.0.2.2/24"}),
]
POLICY = {
    "apiVersion": "networking.k8s.io/v1",
    "kind": "NetworkPolicy",
    "metadata": {"name": "db", "namespace": "shop"},
    "spec": {
        "podSelector": {"matchLabels": {"app": "db"}},
        "ingress": [
            {"from": [{"podSelector": {"matchLabels": {"app": "web"}}}], "ports": [{"port": 5432}]},
            {"from": [{"ipBlock": {"cidr": "192.0.2.0/24"}}], "ports": [{"port": 22}]},
        ],
    },
}  # fmt: skip


STOPPED = calico("GlobalNetworkPolicy", "icmp", ingress=[{"action": "Allow", "protocol": 1, "icmp": {"type": 8}}])
"""What stops Calico's agents, so that there is no answer to agree with."""


def ask(src: str, dst: str, port: int | str | None = None, protocol: str | int = "TCP", **more: Any) -> Line:
    return {"src": src, "dst": dst, "protocol": protocol, "port": port, **more}


def answers(tortie: Tortie, *lines: Line | str, options: list[str] | None = None) -> list[Line]:
    stdin = "".join((line if isinstance(line, str) else json.dumps(line)) + "\n" for line in lines)
    result = tortie("policy", "query", "--jsonl", *(options or []), stdin=stdin)
    return [json.loads(line) for line in result.stdout.splitlines()]


@every_engine
def test_each_query_has_its_answer_in_order(tortie: Tortie, options: list[str]) -> None:
    expected = [
        (ask("shop/web", "shop/db", 5432), True),
        (ask("shop/web", "shop/db", 80), False),
        (ask("shop/web", "shop/db", 5432, "udp"), False),
        (ask("shop/db", "shop/web", 80), True),
        (ask("shop/db", "shop/db", 80), True),
        (ask("203.0.113.1", "shop/db", 5432), False),
        (ask("10.0.0.1", "10.0.0.2", "5432"), True),
        (ask("shop/agent", "shop/db", 22), True),
        (ask("host:two", "shop/db", 80), True),
        (ask("host:one", "shop/db", 80), False),
        (ask("shop/web", "host:one", 80), False),
        (ask("shop/web", "host:two", 80), True),
        (ask("shop/web", "shop/db", None, "ICMP"), False),
        (ask("shop/db", "shop/web", None, 1, icmp_type=3, icmp_code=0), False),
    ]
    queries = [query for query, _ in expected]
    (answer,) = answers(tortie, {"resources": [*PODS, *NODES, POLICY], "queries": queries}, options=options)
    assert answer == {"answers": [allowed for _, allowed in expected], "error": None}


@every_engine
def test_a_line_that_cannot_be_answered_does_not_stop_the_next(tortie: Tortie, options: list[str]) -> None:
    good = {"resources": PODS, "queries": [ask("shop/web", "shop/db", 1)]}
    wrong = {
        "resources": [
            *PODS,
            {**POLICY, "spec": {"podSelector": {"matchExpressions": [{"key": "a", "operator": "Near"}]}}},
        ],
        "queries": [],
    }
    found = answers(tortie, good, wrong, "oops", good, options=options)
    assert [answer["answers"] for answer in found] == [[True], None, None, [True]]
    assert found[1]["error"].startswith(
        "resources[3]: NetworkPolicy shop/db: spec.podSelector.matchExpressions[0].operator: "
    )
    assert found[2]["error"].startswith("not JSON: ")


@pytest.mark.parametrize(
    ("line", "error"),
    [
        ({}, 'expected {"resources": [...], "queries": [...]}: resources is missing'),
        ({"resources": []}, 'queries: expected a list beside "resources"'),
        ({"resources": [], "host": "one"}, 'packets: expected a list beside "resources"'),
        ({"resources": [], "host": 7, "packets": []}, "host: expected the name of a node, got 7"),
        ({"resources": [], "host": "", "packets": []}, "host: expected the name of a node, got ''"),
        ({"resources": NODES, "host": "tow", "packets": []}, "host: there is no node 'tow'; known: one, two"),
        ({"resources": [], "packets": []}, 'packets: expected the name of a node beside them, "host"'),
        ({"resources": PODS, "queries": [ask("shop/web", "shop/db", "9" * 5000)]}, "queries[0]: port: '9999"),
        ({"resources": PODS, "queries": [ask("shop/web", "shop/db", 1, "9" * 5000)]}, "queries[0]: '9999"),
        ({"resources": PODS, "queries": [ask("shop/web", "fe80::1%eth0", 1)]}, "queries[0]: 'fe80::1%eth0' is no end"),
        ({"resources": [STOPPED], "queries": []}, "resources[0]: GlobalNetworkPolicy icmp: spec.ingress[0]: ICMP fields beside a protocol's number need ipVersion"),
        ({"resources": [calico("FelixConfiguration", "default", failsafeInboundHostPorts=[{"protocol": "SCTP", "port": 1}])], "queries": []}, "resources[0]: FelixConfiguration default: spec.failsafeInboundHostPorts[0].protocol: failsafe ports are of TCP and UDP only"),
        ({"resources": PODS, "queries": [ask("shop/web", "shop/db", 1), ask("shop/web", "shop/no", 1)]}, "queries[1]: there is no pod or other workload 'shop/no'"),
        ({"resources": PODS, "queries": [ask("shop/web", "shop/db")]}, "queries[0]: TCP needs a port"),
        ({"resources": PODS, "queries": [ask("shop/web", "shop/db", 1, "QUIC")]}, "queries[0]: 'QUIC' is not a protocol"),
        ({"resources": PODS, "queries": [ask("shop/web", "shop/db", 65536)]}, "queries[0]: 65536 is no port; expected 0-65535"),
        ({"resources": PODS, "queries": [{"src": "shop/web"}]}, "queries[0]: Object missing required field `dst`"),
        ({"resources": [], "host": "one", "packets": [{"src": "here", "dst": "::1", "protocol": 6, "dport": 1}]}, "packets[0]: 'here' is not an IP address"),
        ({"resources": [], "host": "one", "packets": [{"src": "1.1.1.1", "dst": "::1", "protocol": 6, "dport": 1}]}, "packets[0]: 1.1.1.1 and ::1 are not of one IP version"),
        ({"resources": [], "host": "one", "packets": [{"src": "1.1.1.1", "dst": "1.1.1.2", "protocol": 6}]}, "packets[0]: dport: TCP needs one"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_told(tortie: Tortie, line: Line, error: str) -> None:
    (answer,) = answers(tortie, line)
    assert answer["answers"] is None
    assert answer["error"].startswith(error)
    assert "int_max_str_digits" not in answer["error"]


def test_a_host_of_which_no_node_tells_may_be_any(tortie: Tortie) -> None:
    packet = {"in": "eth0", "src": "1.1.1.1", "dst": "1.1.1.2", "protocol": "UDP", "dport": 1}
    (answer,) = answers(tortie, {"resources": PODS, "host": "three", "packets": [packet]})
    assert answer == {"answers": [True], "error": None}


def test_what_depends_on_an_address_says_so(tortie: Tortie) -> None:
    queries = [ask("shop/new", "shop/db", 22), ask("shop/new", "shop/db", 5432), ask("shop/web", "shop/db", 22)]
    (answer,) = answers(tortie, {"resources": [*PODS, pod("shop/new"), POLICY], "queries": queries})
    assert answer["answers"] == [False, False, False]
    assert answer["notes"] == ["depends on the address of shop/one-k8s-new-eth0 (no address)", None, None]


def test_explanations_name_what_decided(tortie: Tortie) -> None:
    line = {"resources": [*PODS, POLICY], "queries": [ask("shop/web", "shop/db", 5432), ask("shop/web", "shop/db", 80)]}
    (answer,) = answers(tortie, line, options=["--explain"])
    (egress, allowing), (_, denying) = answer["decisions"]
    assert (egress["direction"], egress["profile"], egress["rule"]) == ("Egress", "kns.shop", 0)
    assert allowing["policy"] == {"kind": "NetworkPolicy", "namespace": "shop", "name": "knp.default.db"}
    assert (allowing["tier"], allowing["rule"], allowing["allowed"]) == ("default", 0, True)
    assert (denying["allowed"], denying["reason"]) == (False, "the default action of tier default")


def test_what_of_a_document_means_nothing_is_told(tortie: Tortie) -> None:
    policy = {
        "apiVersion": "policy.networking.k8s.io/v1alpha2", "kind": "ClusterNetworkPolicy", "metadata": {"name": "names"},
        "spec": {"tier": "Admin", "priority": 1, "subject": {"namespaces": {}},
                 "egress": [{"action": "Accept", "to": [{"domainNames": ["example.com"]}]}]},
    }  # fmt: skip
    (answer,) = answers(tortie, {"resources": [policy], "queries": []})
    assert answer["answers"] == []
    assert answer["warnings"][0].startswith("ClusterNetworkPolicy names: spec.egress[0] is left out")


# --- what one host does ----------------------------------------------------------------------------------------------------

WEB = interface_name("shop", "web")
HOST_ENDPOINT = calico("HostEndpoint", "one-eth0", node="one", interfaceName="eth0", expectedIPs=["192.0.2.1"])


def packet(
    came: str | None, goes: str | None, src: str, dst: str, dport: int = 80, protocol: str | int = "TCP", **more: Any
) -> Line:
    return {
        "in": came,
        "out": goes,
        "src": src,
        "dst": dst,
        "protocol": protocol,
        "sport": 40000,
        "dport": dport,
        **more,
    }


@every_engine
def test_a_host_lets_packets_through_or_not(tortie: Tortie, options: list[str]) -> None:
    expected = [
        (packet("eth0", WEB, "203.0.113.1", "10.0.0.1"), True),
        (packet(WEB, "eth0", "10.0.0.1", "203.0.113.1"), True),
        (packet(WEB, "eth0", "10.0.0.9", "203.0.113.1"), False),
        (packet("cali-nobody", "eth0", "10.0.0.9", "203.0.113.1"), False),
        (packet(WEB, None, "10.0.0.1", "192.0.2.1"), False),
        (packet(None, WEB, "192.0.2.1", "10.0.0.1"), True),
        (packet("eth0", None, "203.0.113.1", "192.0.2.1", 22), True),
        (packet("eth0", None, "203.0.113.1", "192.0.2.1", 23), False),
        (packet(None, "eth0", "192.0.2.1", "203.0.113.1", 53, "UDP"), True),
        (packet(None, "eth0", "192.0.2.1", "203.0.113.1", 54, "UDP"), False),
        (packet(None, None, "127.0.0.1", "127.0.0.1"), True),
        (packet("eth1", None, "203.0.113.1", "198.51.100.1"), True),
        ({"in": "eth0", "out": WEB, "src": "203.0.113.1", "dst": "10.0.0.1", "protocol": "ICMP", "icmp_type": 8, "icmp_code": 0}, True),
        ({"in": "eth0", "out": WEB, "src": "203.0.113.1", "dst": "10.0.0.1", "protocol": 1, "icmp_type": 3, "icmp_code": 1}, False),
    ]  # fmt: skip
    line = {"resources": [*PODS, *NODES, HOST_ENDPOINT], "host": "one", "packets": [item for item, _ in expected]}
    (answer,) = answers(tortie, line, options=options)
    assert answer == {"answers": [passes for _, passes in expected], "error": None}


@every_engine
def test_the_hosts_settings_count(tortie: Tortie, options: list[str]) -> None:
    settings = calico(
        "FelixConfiguration", "node.one", defaultEndpointToHostAction="Accept",
        failsafeInboundHostPorts=[{"protocol": "TCP", "port": 23}], allowIPIPPacketsFromWorkloads=True,
    )  # fmt: skip
    packets = [
        packet(WEB, None, "10.0.0.1", "192.0.2.1"),
        packet("eth0", None, "203.0.113.1", "192.0.2.1", 23),
        packet("eth0", None, "203.0.113.1", "192.0.2.1", 22),
        {"in": WEB, "out": "eth0", "src": "10.0.0.1", "dst": "203.0.113.1", "protocol": 4},
    ]
    line = {"resources": [*PODS, *NODES, HOST_ENDPOINT, settings], "host": "one", "packets": packets}
    (answer,) = answers(tortie, line, options=options)
    assert answer["answers"] == [True, True, False, True]


def test_pods_without_a_node_are_on_the_host_that_is_asked_about(tortie: Tortie) -> None:
    line = {
        "resources": [pod("shop/web", "10.0.0.1", node="")],
        "host": "any",
        "packets": [packet(WEB, "eth0", "10.0.0.1", "1.1.1.1")],
    }
    (answer,) = answers(tortie, line, options=["--explain"])
    assert answer["answers"] == [True]
    assert answer["decisions"][0][-1]["profile"] == "kns.shop"


@pytest.mark.parametrize("arguments", [[], ["--jsonl", "--engine", "guess"], ["--jsonl", "--compilation", "fast"]])
def test_wrong_usage_is_told(tortie: Tortie, arguments: list[str]) -> None:
    tortie("policy", "query", *arguments, status=2)
