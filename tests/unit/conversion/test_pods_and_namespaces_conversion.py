"""Namespaces → profiles, pods → workload endpoints, and what any one object means."""

from tortie.conversion import interface_name, meaning, namespace, pod_labels, workload_endpoint
from tortie.model import codec, kubernetes
from tortie.model.kinds import NETWORK_POLICY, PROFILE, ResourceKey
from tortie.net import MAC, Network


def a_namespace(name="shop", **labels):
    return codec.from_document(
        {"kind": "Namespace", "metadata": {"name": name, "labels": labels}}, kubernetes.Namespace
    )


def a_pod(labels=None, **spec):
    metadata = {"name": "web-0", "namespace": "default", "labels": labels or {}}
    return codec.from_document({"kind": "Pod", "metadata": metadata, "spec": spec}, kubernetes.Pod)


def endpoint(pod):
    networks = (Network.parse("10.65.0.2"), Network.parse("fd00::2"))
    return workload_endpoint(pod, node="host-1", ifname="cali1", mac=MAC(b"\2" * 6), networks=networks)


def test_a_namespace_is_a_profile_that_gives_its_labels_and_allows():
    profile = codec.to_document(namespace(a_namespace(team="red")))
    assert profile["metadata"] == {"name": "kns.shop"}
    assert profile["spec"] == {
        "ingress": ({"action": "Allow"},),
        "egress": ({"action": "Allow"},),
        "labelsToApply": {
            "pcns.kubernetes.io/metadata.name": "shop",
            "pcns.projectcalico.org/name": "shop",
            "pcns.team": "red",
        },
    }


def test_a_namespace_cannot_be_labelled_with_another_ones_name():
    profile = namespace(a_namespace(**{"projectcalico.org/name": "other"}))
    assert profile.spec.labels_to_apply["pcns.projectcalico.org/name"] == "shop"


def test_the_interface_name_is_calicos():
    # The check value of the compatible behaviour.
    assert interface_name("default", "web-0") == "cali0d7763386da"


def test_an_endpoint_tells_where_the_pod_is_and_what_it_may_be_called():
    made = endpoint(a_pod({"app": "web"}, serviceAccountName="reader"))
    assert (made.metadata.namespace, made.metadata.name) == ("default", "host--1-k8s-web--0-eth0")
    assert made.spec.profiles == ("kns.default", "ksa.default.reader")
    document = codec.to_document(made)["spec"]
    assert document == {
        "orchestrator": "k8s",
        "node": "host-1",
        "pod": "web-0",
        "endpoint": "eth0",
        "serviceAccountName": "reader",
        "ipNetworks": ("10.65.0.2/32", "fd00::2/128"),
        "profiles": ("kns.default", "ksa.default.reader"),
        "interfaceName": "cali1",
        "mac": "02:02:02:02:02:02",
    }


def test_a_pod_without_account_lists_its_namespace_only():
    assert endpoint(a_pod()).spec.profiles == ("kns.default",)


def test_labels_are_the_pods_and_those_of_its_identity():
    assert pod_labels(a_pod({"app": "web"}, serviceAccountName="reader")) == {
        "app": "web",
        "projectcalico.org/namespace": "default",
        "projectcalico.org/orchestrator": "k8s",
        "projectcalico.org/serviceaccount": "reader",
    }


def test_a_pod_cannot_claim_another_namespace_or_its_labels():
    claimed = {"pcns.team": "red", "pcsa.role": "admin", "projectcalico.org/namespace": "kube-system"}
    assert pod_labels(a_pod(claimed)) == {
        "projectcalico.org/namespace": "default",
        "projectcalico.org/orchestrator": "k8s",
    }


def test_an_account_too_long_for_a_label_is_none():
    long = pod_labels(a_pod(serviceAccountName="x" * 63))
    assert "projectcalico.org/serviceaccount" not in long


def test_only_ports_that_policy_or_the_host_can_use_are_kept():
    ports = [
        {"name": "http", "containerPort": 80},
        {"name": "dns", "containerPort": 53, "protocol": "UDP"},
        {"containerPort": 9000},
        {"containerPort": 500, "hostPort": 5000, "hostIP": "1.2.3.4"},
        {"name": "odd", "containerPort": 1, "protocol": "unknown"},
        {"name": "ping", "containerPort": 1, "protocol": "ICMP"},
    ]
    init = [{"name": "i", "ports": [{"name": "init", "containerPort": 3000}]}]
    made = endpoint(a_pod(containers=[{"name": "c", "ports": ports}], initContainers=init))
    assert [(p.name, str(p.protocol), p.port, p.host_port, p.host_ip) for p in made.spec.ports] == [
        ("http", "TCP", 80, 0, ""),
        ("dns", "UDP", 53, 0, ""),
        ("", "TCP", 500, 5000, "1.2.3.4"),
        ("init", "TCP", 3000, 0, ""),
    ]


def test_an_objects_meaning_is_keyed_by_where_it_is_stored():
    metadata = {"name": "p", "namespace": "ns"}
    policy = codec.from_document({"kind": "NetworkPolicy", "metadata": metadata}, kubernetes.NetworkPolicy)
    assert list(meaning(policy)) == [ResourceKey(NETWORK_POLICY, "ns", "knp.default.p")]
    assert list(meaning(a_namespace())) == [ResourceKey(PROFILE, "", "kns.shop")]


def test_pods_and_calicos_own_kinds_mean_nothing_further():
    assert meaning(a_pod()) == {}
    assert meaning(endpoint(a_pod())) == {}
