"""The lean readers take a document only if the full reader takes it too, and then both say the same."""

import copy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tortie.model.codec import InvalidResourceError, encode_document
from tortie.model.endpoint import WorkloadEndpoint
from tortie.model.kinds import PROFILE, WORKLOAD_ENDPOINT, ResourceKey
from tortie.model.lean import lean_endpoint, lean_profile
from tortie.model.policy import Profile
from tortie.model.validation import stored_resource

METADATA = {"uid": "6f1c3d52-9b7e-4c0a-8e11-5d2f4a6b7c8d", "creationTimestamp": "2026-01-01T00:00:00Z"}
ENDPOINT: dict[str, Any] = {
    "kind": "WorkloadEndpoint",
    "apiVersion": "projectcalico.org/v3",
    "metadata": {
        "name": "node--1-k8s-web--0-eth0",
        "namespace": "shop",
        "labels": {"app": "web", "projectcalico.org/namespace": "shop", "projectcalico.org/orchestrator": "k8s"},
        **METADATA,
    },
    "spec": {
        "orchestrator": "k8s",
        "node": "node-1",
        "containerID": "0123456789abcdef",
        "pod": "web-0",
        "endpoint": "eth0",
        "serviceAccountName": "robot",
        "ipNetworks": ["10.0.0.1/32", "fd00::1/128"],
        "profiles": ["kns.shop", "ksa.shop.robot"],
        "interfaceName": "cali0123456789a",
        "mac": "ee:ee:ee:ee:ee:ee",
        "ports": [{"name": "http", "protocol": "TCP", "port": 80, "hostPort": 0, "hostIP": ""}],
    },
}
OPEN = [{"action": "Allow", "source": {}, "destination": {}}]
NAMESPACE: dict[str, Any] = {
    "kind": "Profile",
    "apiVersion": "projectcalico.org/v3",
    "metadata": {"name": "kns.shop", **METADATA},
    "spec": {"ingress": OPEN, "egress": OPEN, "labelsToApply": {"pcns.team": "red"}},
}
PLACES = sorted({
    *((part, field) for part in ("metadata", "spec") for field in ENDPOINT[part]),
    *((part, field) for part in ("metadata", "spec") for field in NAMESPACE[part]),
    ("spec", "ipNATs"), ("spec", "ipv4Gateway"), ("spec", "qosControls"), ("spec", "allowSpoofedSourcePrefixes"),
    ("metadata", "annotations"), ("metadata", "finalizers"), ("spec", "unheardOf"), ("kind",), ("apiVersion",), ("status",),
})  # fmt: skip
VALUES = [
    None, "", "x", "X", "-x", "a/b", "10.0.0.0/24", "ee:ee:ee:ee:ee:ee\n", "cali0123456789abcdef", 7, 1.5, True, {}, [], [[]],
    {"a": "x"}, {"a": 1}, {"not a label": "x"}, {"a": "not a value"}, ["10.0.0.0/24"], ["10.0.0.1"], ["10.0.0.1/33"], ["x"], [7],
    [{"name": "HTTP", "protocol": "TCP", "port": 80}], [{"name": "http", "protocol": "ICMP", "port": 80}],
    [{"name": "http", "protocol": "UDP", "port": 0}], [{"protocol": "TCP", "port": 80}], [{"protocol": "TCP", "port": 80, "hostPort": 7}],
    [{"action": "Allow", "source": {"selector": "a =="}}], [{"action": "allow"}], OPEN, "k8s", "cni", "WorkloadEndpoint",
]  # fmt: skip

changes = st.lists(st.tuples(st.sampled_from(PLACES), st.sampled_from([*VALUES, "delete"])), max_size=3)


def changed(document: dict[str, Any], edits: list[tuple[tuple[str, ...], Any]]) -> bytes:
    """The bytes of *document* after some of its fields were set or deleted."""
    edited = copy.deepcopy(document)
    for path, value in edits:
        inside = edited
        for step in path[:-1]:
            inside = inside.get(step) if isinstance(inside.get(step), dict) else {}
        if value == "delete":
            inside.pop(path[-1], None)
        else:
            inside[path[-1]] = copy.deepcopy(value)
    return encode_document(edited)


def read_fully(kind, document: dict[str, Any], value: bytes):
    """What is stored at the key of *document*."""
    metadata = document["metadata"]
    try:
        return stored_resource(ResourceKey(kind, metadata.get("namespace", ""), metadata["name"]), value)
    except InvalidResourceError:
        return None


def read_endpoint(value: bytes):
    return lean_endpoint(ENDPOINT["metadata"]["name"], ENDPOINT["metadata"]["namespace"], value)


def read_profile(value: bytes):
    return lean_profile(NAMESPACE["metadata"]["name"], value)


def check_endpoint(value: bytes) -> None:
    lean = read_endpoint(value)
    if lean is None:
        return
    full = read_fully(WORKLOAD_ENDPOINT, ENDPOINT, value)
    assert isinstance(full, WorkloadEndpoint), "the full reader refuses it"
    spec = full.spec
    assert lean == (
        spec.node, full.metadata.labels, spec.orchestrator, spec.service_account_name,
        spec.ip_networks, spec.profiles, spec.ports,
    )  # fmt: skip


def check_profile(value: bytes) -> None:
    lean = read_profile(value)
    if lean is None:
        return
    full = read_fully(PROFILE, NAMESPACE, value)
    assert isinstance(full, Profile), "the full reader refuses it"
    assert lean == (full.spec.labels_to_apply, full.spec.ingress, full.spec.egress)


@pytest.mark.parametrize("place", PLACES, ids=".".join)
def test_both_readers_agree_whatever_stands_in_one_field(place):
    for value in [*VALUES, "delete"]:
        check_endpoint(changed(ENDPOINT, [(place, value)]))
        check_profile(changed(NAMESPACE, [(place, value)]))


@given(changes)
def test_both_readers_agree_whatever_stands_in_several_fields(edits):
    check_endpoint(changed(ENDPOINT, edits))
    check_profile(changed(NAMESPACE, edits))


@pytest.mark.parametrize("field", [*ENDPOINT["spec"], "labels", "uid"])
def test_usual_endpoints_are_read_leanly(field):
    assert read_endpoint(changed(ENDPOINT, [])) is not None
    optional = field not in ("orchestrator", "node", "pod", "endpoint", "interfaceName")
    part = "spec" if field in ENDPOINT["spec"] else "metadata"
    assert (read_endpoint(changed(ENDPOINT, [((part, field), "delete")])) is not None) == optional


def test_usual_profiles_are_read_leanly_and_share_their_rules():
    one, other = (lean_profile(name, changed(NAMESPACE, [(("metadata", "name"), name)])) for name in ("kns.a", "kns.b"))
    assert one is not None
    assert other is not None
    assert one.ingress is other.ingress


@pytest.mark.parametrize(
    "value", [b"", b"{", b"\xff", b"[]", b'{"kind": "WorkloadEndpoint", "metadata": {"name": "\xff"}}']
)
def test_what_is_no_document_is_left_to_the_full_reader(value):
    assert read_endpoint(value) is None
    assert read_profile(value) is None


def test_a_value_under_the_key_of_another_name_is_for_the_full_reader_which_refuses_it():
    value = changed(ENDPOINT, [])
    assert lean_endpoint("other", ENDPOINT["metadata"]["namespace"], value) is None
    assert lean_endpoint(ENDPOINT["metadata"]["name"], "other", value) is None
    assert lean_profile("other", changed(NAMESPACE, [])) is None
