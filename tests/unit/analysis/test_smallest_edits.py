"""What to change so that a connection is allowed, or denied: the edit that changes the least besides."""

from __future__ import annotations

from collections.abc import Mapping

import pytest
from cluster_documents import calico, kubernetes_policy, node, pod

from tortie.analysis.cluster import cluster_of
from tortie.analysis.documents import read_documents
from tortie.analysis.edits.search import smallest_edit
from tortie.analysis.edits.state import State
from tortie.analysis.ends import Directory, Question
from tortie.analysis.explanation import explained, explanation_lines
from tortie.analysis.provenance import Provenance
from tortie.net import ICMP, TCP, UDP, Protocol

PODS = [
    pod("shop/web", "10.0.0.1", labels={"app": "web"}),
    pod("shop/web-2", "10.0.0.2", labels={"app": "web"}),
    pod("shop/db", "10.0.0.3", labels={"app": "db"}),
    pod("ops/backup", "10.0.0.4", labels={"app": "backup", "pod-template-hash": "x"}),
    pod("ops/bare", "10.0.0.5", labels={}),
]
WEB_TO_DB = kubernetes_policy(
    "shop/db",
    podSelector={"matchLabels": {"app": "db"}},
    ingress=[{"from": [{"podSelector": {"matchLabels": {"app": "web"}}}], "ports": [{"port": 5432}]}],
)
CLOSED = kubernetes_policy("shop/closed", policyTypes=["Ingress", "Egress"])


def rule(action: str, **criteria: object) -> Mapping[str, object]:
    return {"action": action, **criteria}


def edit(
    documents: list[dict[str, object]], source: str, destination: str, protocol: Protocol = TCP, port: int | None = 80
) -> list[str]:
    """The lines of the edit for one connection."""
    known = cluster_of([*PODS, *documents])
    read = {key: item.resource for key, item in read_documents([*PODS, *documents]).items()}
    state = State.of(known, Provenance.of_stored(read))
    question = Question(source=source, destination=destination, protocol=protocol, destination_port=port)
    flow = Directory(known).flow(question)
    allowed = state.cluster.judge(flow).allowed
    found = smallest_edit(state, [flow], allow=not allowed)
    return [] if found is None else list(found.lines())


ALONE = "which changes no other connection of these workloads"


def test_a_port_is_added_to_the_rule_that_nearly_matches() -> None:
    only_one = kubernetes_policy(
        "shop/db",
        podSelector={"matchLabels": {"app": "db"}},
        ingress=[{"from": [{"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "ops"}},
                            "podSelector": {"matchLabels": {"app": "backup"}}}], "ports": [{"port": 5432}]}],
    )  # fmt: skip
    assert edit([only_one], "ops/backup", "shop/db") == [
        "in NetworkPolicy shop/db, spec.ingress[0].ports: add {port: 80}", ALONE
    ]  # fmt: skip
    assert edit([only_one], "ops/backup", "shop/db", UDP) == [
        "in NetworkPolicy shop/db, spec.ingress[0].ports: add {protocol: UDP, port: 80}", ALONE
    ]  # fmt: skip


def test_a_peer_is_added_by_the_label_that_tells_it() -> None:
    (line, alone) = edit([WEB_TO_DB], "203.0.113.7", "shop/db", port=5432)
    assert (line, alone) == (
        "in NetworkPolicy shop/db, spec.ingress[0].from: add {ipBlock: {cidr: 203.0.113.7/32}}",
        ALONE,
    )
    assert edit([WEB_TO_DB], "ops/backup", "shop/db", port=5432) == [
        "in NetworkPolicy shop/db, spec.ingress[0].from: add",
        "  - namespaceSelector:",
        "      matchLabels: {kubernetes.io/metadata.name: ops}",
        "    podSelector:",
        "      matchLabels: {app: backup}",
        ALONE,
    ]


def test_a_value_is_added_to_the_label_that_a_selector_names() -> None:
    policy = calico(
        "NetworkPolicy", "ops/backup", selector="app == 'backup'", types=["Ingress"],
        ingress=[rule("Allow", protocol="TCP", source={"selector": "app == 'other'"}, destination={"ports": [80]})],
    )  # fmt: skip
    others = [pod("ops/probe", "10.0.0.6", labels={"app": "probe"})]
    assert edit([policy, *others], "ops/probe", "ops/backup") == [
        "in NetworkPolicy ops/backup, spec.ingress[0].source.selector: make it app in {'other', 'probe'}", ALONE
    ]  # fmt: skip


def test_a_rule_goes_before_the_one_that_denies() -> None:
    policy = calico(
        "NetworkPolicy", "shop/db", selector="app == 'db'", types=["Ingress"],
        ingress=[rule("Log"), rule("Deny", source={"nets": ["10.0.0.0/8"]}), rule("Allow")],
    )  # fmt: skip
    lines = edit([policy], "ops/bare", "shop/db")
    assert lines == [
        "in NetworkPolicy shop/db, spec.ingress: add",
        "  - action: Allow",
        "    protocol: TCP",
        "    source: {namespaceSelector: projectcalico.org/name == 'ops', selector: app == 'bare'}",
        "    destination:",
        "      ports: [80]",
        ALONE,
    ]


def test_who_is_closed_in_by_one_policy_for_all_gets_policies_of_its_own() -> None:
    lines = edit([CLOSED], "shop/web", "shop/db", port=5432)
    assert [line for line in lines if not line.startswith(" ")] == [
        "add a NetworkPolicy shop/allow-egress-web-db:",
        "add a NetworkPolicy shop/allow-ingress-web-db:",
    ]
    assert "  apiVersion: networking.k8s.io/v1" in lines


def test_what_no_policy_allows_is_denied_by_one_that_leaves_all_else_as_it_is() -> None:
    lines = edit([], "shop/db", "ops/backup", ICMP, None)
    assert lines == [
        "add a NetworkPolicy shop/deny-egress-db-backup:",
        "  apiVersion: projectcalico.org/v3",
        "  kind: NetworkPolicy",
        "  metadata: {name: deny-egress-db-backup, namespace: shop}",
        "  spec:",
        "    selector: app == 'db'",
        "    types: [Egress]",
        "    egress:",
        "    - action: Deny",
        "      protocol: ICMP",
        "      icmp: {type: 8}",
        "      destination: {namespaceSelector: projectcalico.org/name == 'ops', selector: app == 'backup'}",
        "    - {action: Pass}",
        ALONE,
    ]


def test_what_a_rule_of_its_own_allows_is_denied_without_it() -> None:
    policy = kubernetes_policy(
        "ops/backup",
        podSelector={"matchLabels": {"app": "backup"}},
        ingress=[{"from": [{"ipBlock": {"cidr": "203.0.113.7/32"}}], "ports": [{"port": 80}, {"port": 443}]}],
    )
    assert edit([policy], "203.0.113.7", "ops/backup") == [
        "in NetworkPolicy ops/backup, spec.ingress[0].ports[0]: remove {port: 80}", ALONE
    ]  # fmt: skip


def test_a_rule_of_calicos_is_put_before_the_one_that_allows() -> None:
    policy = calico("GlobalNetworkPolicy", "all", selector="app == 'db'", types=["Ingress"], ingress=[rule("Allow")])
    assert edit([policy], "203.0.113.7", "shop/db") == [
        "in GlobalNetworkPolicy all, spec.ingress: add",
        "  - action: Deny",
        "    protocol: TCP",
        "    source:",
        "      nets: [203.0.113.7/32]",
        "    destination:",
        "      ports: [80]",
        ALONE,
    ]


@pytest.mark.parametrize(
    ("source", "destination", "documents"),
    [
        ("shop/web", "shop/web", []),
        ("host:one", "shop/web", [node("one", "192.0.2.1/24")]),
        ("198.51.100.1", "203.0.113.7", []),
        ("shop/web", "host:one", [node("one", "192.0.2.1/24")]),
    ],
    ids=["itself", "from its host", "outside", "to a host that takes nothing"],
)
def test_what_no_policy_decides_no_edit_changes(
    source: str, destination: str, documents: list[dict[str, object]]
) -> None:
    documents = [*documents, *([pod("shop/on-one", "10.0.0.9", node="one")] if documents else [])]
    assert edit(documents, "shop/on-one" if source == "shop/web" and documents else source,
                "shop/on-one" if destination == "shop/web" and documents else destination) == []  # fmt: skip


def test_all_flows_of_a_service_are_opened_together() -> None:
    known = cluster_of([*PODS, CLOSED])
    read = {key: item.resource for key, item in read_documents([*PODS, CLOSED]).items()}
    state = State.of(known, Provenance.of_stored(read))
    directory = Directory(known)
    flows = [
        directory.flow(Question(source="ops/backup", destination=name, protocol=TCP, destination_port=80))
        for name in ("shop/web", "shop/web-2", "shop/db")
    ]
    found = smallest_edit(state, flows, allow=True)
    assert found is not None
    for change in found.changes:
        state = state.after(change)
    assert [state.cluster.judge(flow).allowed for flow in flows] == [True] * 3


def test_an_explanation_says_if_there_is_no_edit() -> None:
    known = cluster_of([*PODS, node("one", "192.0.2.1/24"), pod("shop/on-one", "10.0.0.9", node="one")])
    state = State.of(known, Provenance(()))
    question = Question(source="host:one", destination="shop/on-one", protocol=TCP, destination_port=80)
    explanation = explained(state, Directory(known).flow(question))
    assert explanation_lines(explanation)[-1] == "no change of a policy would deny it"
    without = explained(state, Directory(known).flow(question), edit=False)
    assert not any("change" in line for line in explanation_lines(without))
