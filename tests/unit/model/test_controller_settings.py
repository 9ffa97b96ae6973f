"""KubeControllersConfiguration and ClusterInformation: what is refused, what is stored."""

from __future__ import annotations

import json
from typing import Any

import pytest
from kinddocuments import document, refused_in_spec

from tortie.model import kinds
from tortie.model.defaults import with_defaults
from tortie.model.document import read

KIND = kinds.KUBE_CONTROLLERS_CONFIGURATION


def refused(spec: dict[str, Any], name: str = "default") -> list[str]:
    return refused_in_spec(KIND, spec, name)


def stored(spec: dict[str, Any]) -> dict[str, Any]:
    [resource] = read(json.dumps(document(KIND, spec, "default"))).resources
    complete = with_defaults(resource.document)
    assert complete["status"] == {}
    spec_stored: dict[str, Any] = complete["spec"]
    return spec_stored


def templates(*items: dict[str, Any]) -> dict[str, Any]:
    return {"controllers": {"node": {"hostEndpoint": {"autoCreate": "Enabled", "templates": list(items)}}}}


GOOD = {"generateName": "t", "interfaceCIDRs": ["10.0.0.0/8"], "labels": {"a": "b"}, "nodeSelector": "has(a)"}
PLACE = "controllers.node.hostEndpoint.templates"


@pytest.mark.parametrize(
    ("spec", "fields"),
    [
        pytest.param({}, [], id="nothing"),
        pytest.param({"logSeverityScreen": "Loud"}, ["logSeverityScreen"], id="severity"),
        pytest.param({"prometheusMetricsPort": 70000}, ["prometheusMetricsPort"], id="port"),
        pytest.param({"controllers": {"policy": {"reconcilerPeriod": "often"}}}, ["controllers.policy.reconcilerPeriod"], id="period"),
        pytest.param({"controllers": {"loadbalancer": {"assignIPs": "Some"}}}, ["controllers.loadBalancer.assignIPs"], id="choice"),
        pytest.param(templates(GOOD), [], id="template"),
        pytest.param(templates(GOOD, {**GOOD, "interfacePattern": "eth.*"}), [f"{PLACE}[1].generateName"], id="one name twice"),
        pytest.param(templates({"interfacePattern": "^(?i)eth[[:digit:]]"}), [f"{PLACE}[0].generateName"], id="no name"),
        pytest.param(templates({"generateName": "t"}), [f"{PLACE}[0]"], id="no addresses"),
        pytest.param(templates({**GOOD, "interfaceCIDRs": ["10.0.0.1"]}), [f"{PLACE}[0].interfaceCIDRs[0]"], id="no range"),
        pytest.param(templates({**GOOD, "interfacePattern": "eth("}), [f"{PLACE}[0].interfacePattern"], id="pattern"),
        pytest.param(templates({**GOOD, "nodeSelector": "has("}), [f"{PLACE}[0].nodeSelector"], id="selector"),
        pytest.param(templates({**GOOD, "labels": {"a b": "c"}}), [f"{PLACE}[0].labels[a b]"], id="label"),
        pytest.param(templates({**GOOD, "annotations": {"a b": "c"}}), [f"{PLACE}[0].annotations[a b]"], id="annotation"),
    ],
)  # fmt: skip
def test_controllers(spec: dict[str, Any], fields: list[str]) -> None:
    assert refused(spec) == fields


def test_there_is_only_one() -> None:
    assert refused({}, "mine") == ["metadata.name"]


def test_what_is_stored() -> None:
    added = {"healthChecks": "Enabled", "prometheusMetricsPort": 9094}
    assert stored({}) == {**added, "controllers": {}}
    node_and_policy = {"controllers": {"node": {"syncLabels": "Enabled"}, "policy": {}}}
    assert stored(node_and_policy)["controllers"] == {
        "node": {"syncLabels": "Enabled", "leakGracePeriod": "15m0s"},
        "policy": {},
    }
    off = {
        "healthChecks": "Disabled",
        "prometheusMetricsPort": 0,
        "etcdV3CompactionPeriod": "0",
        "controllers": {"node": {"leakGracePeriod": "0s"}},
    }
    assert stored(off) == {**off, "etcdV3CompactionPeriod": "0s"}


def test_cluster_information_is_read_whole() -> None:
    spec = {
        "clusterGUID": "a" * 32,
        "clusterType": "k8s,bgp",
        "calicoVersion": "v3.33",
        "datastoreReady": False,
        "variant": "Calico",
    }
    [resource] = read(json.dumps(document(kinds.CLUSTER_INFORMATION, spec, "default"))).resources
    assert resource.document["spec"] == spec
