"""What a pod says of itself → its endpoint: addresses, finished pods, and the limits in its annotations."""

from __future__ import annotations

from typing import Any

import pytest

from tortie.conversion import ConversionError, endpoint_of_pod
from tortie.conversion.qos import qos_controls
from tortie.model import codec, kubernetes
from tortie.model.endpoint import WorkloadEndpoint
from tortie.model.qos import QoSControls

QOS = "qos.projectcalico.org/"


def endpoint(annotations: dict[str, str] | None = None, status: Any = None, **spec: Any) -> WorkloadEndpoint | None:
    document = {
        "kind": "Pod",
        "metadata": {"name": "web", "namespace": "shop", "annotations": annotations or {}, "resourceVersion": "7"},
        "spec": {"nodeName": "n1", "containers": [], **spec},
        "status": status or {},
    }
    return endpoint_of_pod(codec.from_document(document, kubernetes.Pod))


def test_the_endpoint_is_that_of_the_pods_node_and_revision() -> None:
    found = endpoint(status={"podIP": "10.0.0.1"})
    assert found is not None
    assert (found.metadata.name, found.metadata.resource_version) == ("n1-k8s-web-eth0", "7")


@pytest.mark.parametrize("spec", [{"nodeName": ""}, {"hostNetwork": True}], ids=["no node", "the host's network"])
def test_a_pod_without_a_link_of_its_own_has_none(spec: dict[str, Any]) -> None:
    assert endpoint(**spec) is None


@pytest.mark.parametrize(
    ("annotations", "status", "networks"),
    [
        pytest.param({}, {"podIP": "10.0.0.1"}, ["10.0.0.1/32"], id="the status"),
        pytest.param({}, {"podIP": "10.0.0.1", "podIPs": [{"ip": "10.0.0.1"}, {"ip": "fd00::1"}]}, ["10.0.0.1/32", "fd00::1/128"], id="both families"),
        pytest.param({"cni.projectcalico.org/podIPs": "10.0.0.2/32,fd00::2/128"}, {}, ["10.0.0.2/32", "fd00::2/128"], id="the annotation"),
        pytest.param({"cni.projectcalico.org/podIP": "10.0.0.3/32"}, {}, ["10.0.0.3/32"], id="the old annotation"),
        pytest.param({"cni.projectcalico.org/podIPs": "10.0.0.2/32"}, {"podIP": "10.0.0.1"}, ["10.0.0.1/32"], id="the status before the annotation"),
        pytest.param({}, {"podIP": "10.0.0.1", "phase": "Succeeded"}, [], id="a finished pod"),
        pytest.param({}, {}, [], id="none yet"),
    ],
)  # fmt: skip
def test_addresses_are_taken_from_where_they_are(annotations: dict[str, str], status: Any, networks: list[str]) -> None:
    found = endpoint(annotations, status)
    assert found is not None
    assert [str(network) for network in found.spec.ip_networks] == networks


def test_an_address_that_is_none_is_an_error() -> None:
    with pytest.raises(ConversionError, match="foobar"):
        endpoint({"cni.projectcalico.org/podIPs": "foobar"})


# --- limits ----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("annotations", "limits"),
    [
        pytest.param({"ingressBandwidth": "1M"}, {"ingress_bandwidth": 10**6}, id="decimal"),
        pytest.param({"ingressBandwidth": "1Mi"}, {"ingress_bandwidth": 1 << 20}, id="binary"),
        pytest.param({"ingressBandwidth": "1.5k"}, {"ingress_bandwidth": 1500}, id="fraction"),
        pytest.param({"ingressBandwidth": "1e6"}, {"ingress_bandwidth": 10**6}, id="exponent"),
        pytest.param({"egressBandwidth": "1"}, {"egress_bandwidth": 1000}, id="too small"),
        pytest.param({"egressBandwidth": "20P"}, {"egress_bandwidth": 10**15}, id="too great"),
        pytest.param({"egressPacketRate": "0"}, {"egress_packet_rate": 1}, id="nothing at all"),
        pytest.param({"egressMaxConnections": "80P"}, {"egress_max_connections": 2**32 - 1}, id="too many"),
        pytest.param({"ingressBandwidth": "1M", "ingressBurst": "2M"}, {"ingress_bandwidth": 10**6, "ingress_burst": 2 * 10**6}, id="burst"),
        pytest.param({"ingressBandwidth": "1M", "ingressPeakrate": "1M"}, {"ingress_bandwidth": 10**6}, id="a peak that is none"),
        pytest.param({"dscp": "ef"}, {"dscp": "EF"}, id="DSCP by name, in capitals"),
        pytest.param({"dscp": "46"}, {"dscp": "46"}, id="DSCP by number"),
    ],
)  # fmt: skip
def test_limits_are_read_and_held_in_range(annotations: dict[str, str], limits: dict[str, Any]) -> None:
    assert qos_controls({QOS + name: value for name, value in annotations.items()}) == QoSControls(**limits)


@pytest.mark.parametrize(
    "annotations",
    [
        {},
        {"ingressBandwidth": "fast"},
        {"ingressBandwidth": "-1"},
        {"ingressBandwidth": "1 M"},
        {"ingressBurst": "1M"},
        {"egressPacketBurst": "5"},
        {"dscp": "64"},
    ],
    ids=str,
)
def test_what_limits_nothing_is_absent(annotations: dict[str, str]) -> None:
    assert qos_controls({QOS + name: value for name, value in annotations.items()}) is None


def test_kubernetes_own_annotation_is_read_where_calicos_is_not_there() -> None:
    kubernetes_own = {"kubernetes.io/ingress-bandwidth": "1M"}
    assert qos_controls(kubernetes_own) == QoSControls(ingress_bandwidth=10**6)
    assert qos_controls({**kubernetes_own, QOS + "ingressBandwidth": "2M"}) == QoSControls(ingress_bandwidth=2 * 10**6)
