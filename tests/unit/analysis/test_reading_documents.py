"""A document that cannot be taken is named by index, kind, name and field; what is no matter of policy is left aside."""

from __future__ import annotations

from typing import Any

import pytest
from cluster_documents import Document, calico, kubernetes_policy, pod

from tortie.analysis.cluster import cluster_of
from tortie.analysis.documents import UnreadableDocumentError, read_documents

GOOD = pod("shop/web", "10.0.0.1")


def test_lists_are_taken_apart() -> None:
    listed = {"apiVersion": "v1", "kind": "List", "items": [GOOD, {"kind": "PodList", "items": [pod("shop/db")]}]}
    found = read_documents([listed])
    assert [(item.place, str(key)) for key, item in found.items()] == [
        ("resources[0].items[0]", "Pod shop/web"),
        ("resources[0].items[1].items[0]", "Pod shop/db"),
    ]


def test_a_document_without_a_namespace_is_of_default() -> None:
    document = kubernetes_policy("x/deny")
    del document["metadata"]["namespace"]
    assert [str(key) for key in read_documents([document])] == ["NetworkPolicy default/deny"]


@pytest.mark.parametrize(
    ("api_version", "kind"),
    [
        ("apps/v1", "Deployment"),
        ("v1", "ConfigMap"),
        ("networking.k8s.io/v1", "Ingress"),
        ("example.com/v1", "NetworkPolicy"),
    ],
)
def test_kinds_that_are_no_matter_of_policy_are_left_aside(api_version: str, kind: str) -> None:
    assert read_documents([{"apiVersion": api_version, "kind": kind, "metadata": {"name": "a"}}]) == {}


def test_fields_that_we_do_not_know_are_let_pass() -> None:
    assert read_documents([{**GOOD, "metadata": {**GOOD["metadata"], "managedFields": [{}]}}])


def test_null_is_nothing() -> None:
    document = kubernetes_policy(
        "shop/all", podSelector=None, ingress=None, egress=[{"to": None, "ports": [{"port": 53, "protocol": None}]}]
    )
    ((item,),) = [tuple(read_documents([document]).values())]
    plain = kubernetes_policy("shop/all", egress=[{"ports": [{"port": 53}]}])
    assert [item.resource] == [found.resource for found in read_documents([plain]).values()]


def without(document: Document, field: str) -> Document:
    return {name: value for name, value in document.items() if name != field}


CASES: list[tuple[str, Any, str]] = [
    ("no object", 7, r"resources\[1\]: expected an object with apiVersion and kind, got 7"),
    ("no kind", without(GOOD, "kind"), r"resources\[1\]: kind is missing"),
    ("no apiVersion", without(GOOD, "apiVersion"), r"resources\[1\]: apiVersion is missing"),
    ("items", {"kind": "List", "items": 7}, r"resources\[1\]: items: expected a list"),
    (
        "misspelt kind",
        calico("NetworkPolcy", "a/b"),
        r"resources\[1\]: NetworkPolcy a/b: 'NetworkPolcy' is not a known kind.*did you mean NetworkPolicy\?",
    ),
    (
        "another version",
        {**kubernetes_policy("a/b"), "apiVersion": "crd.projectcalico.org/v1"},
        r"resources\[1\]: NetworkPolicy a/b: crd.projectcalico.org/v1 is not known; known: networking.k8s.io/v1, projectcalico.org/v3",
    ),
    (
        "wrong type",
        calico("GlobalNetworkPolicy", "a", ingress=[{"action": "Reject"}]),
        r"resources\[1\]: GlobalNetworkPolicy a: spec\.ingress\[0\]\.action: ",
    ),
    (
        "broken rule",
        calico("GlobalNetworkPolicy", "a", selector="role = 'x'"),
        r"resources\[1\]: GlobalNetworkPolicy a: spec\.selector: ",
    ),
    (
        "a label that is null",
        kubernetes_policy("a/b", podSelector={"matchLabels": {"app": None}}),
        r"resources\[1\]: NetworkPolicy a/b: spec\.podSelector\.matchLabels",
    ),
    ("no metadata", {"apiVersion": "v1", "kind": "Pod", "spec": {}}, r"resources\[1\]: Pod without metadata: "),
    ("twice", pod("shop/first", "10.0.0.9"), r"resources\[1\]: Pod shop/first is given twice"),
    ("bad address", pod("shop/web", "here"), r"resources\[1\]: Pod shop/web: 'here' is not an IP address"),
    (
        "meaning nothing safe",
        kubernetes_policy("shop/odd", podSelector={"matchLabels": {"a b": "c"}}),
        r"resources\[1\]: NetworkPolicy shop/odd: spec\.podSelector",
    ),
]  # fmt: skip


@pytest.mark.parametrize(("document", "message"), [case[1:] for case in CASES], ids=[case[0] for case in CASES])
def test_the_error_says_which_document_and_which_field(document: object, message: str) -> None:
    with pytest.raises(UnreadableDocumentError, match=message):
        cluster_of([pod("shop/first", "10.0.0.9"), document])
