"""A staged Kubernetes policy is given to calc and the oracle as a staged Calico policy that says the same."""

from __future__ import annotations

from typing import Any

import pytest

from tortie.conversion import as_calico, network_policy, staged_network_policy
from tortie.model import codec, kinds, kubernetes
from tortie.model.kinds import ResourceKey
from tortie.model.staged import StagedAction, StagedKubernetesNetworkPolicy, StagedNetworkPolicy
from tortie.model.updates import ResourceUpdate

SPEC: dict[str, Any] = {
    "podSelector": {"matchLabels": {"app": "db"}},
    "ingress": [{"from": [{"podSelector": {}}], "ports": [{"port": 5432}]}],
    "policyTypes": ["Ingress", "Egress"],
}
KEY = ResourceKey(kinds.STAGED_KUBERNETES_NETWORK_POLICY, "ns", "p")


def staged(**spec: Any) -> StagedKubernetesNetworkPolicy:
    metadata = {"name": "p", "namespace": "ns"}
    return codec.from_document({"metadata": metadata, "spec": spec}, StagedKubernetesNetworkPolicy)


def test_it_says_what_the_kubernetes_policy_would():
    plain = codec.from_document({"metadata": {"name": "p", "namespace": "ns"}, "spec": SPEC}, kubernetes.NetworkPolicy)
    expected = network_policy(plain).policy
    found = staged_network_policy(staged(**SPEC))
    assert found.metadata.name == "knp.default.p"
    assert {name: getattr(found.spec, name) for name in expected.spec.__struct_fields__} == {
        name: getattr(expected.spec, name) for name in expected.spec.__struct_fields__
    }


@pytest.mark.parametrize("action", StagedAction)
def test_it_is_staged_for_the_same_action(action):
    assert staged_network_policy(staged(stagedAction=action.value)).spec.staged_action is action


def test_an_update_and_its_removal_have_the_same_key():
    key = ResourceKey(kinds.STAGED_NETWORK_POLICY, "ns", "knp.default.p")
    put, removed = as_calico(ResourceUpdate(KEY, staged(**SPEC), 7)), as_calico(ResourceUpdate(KEY, None, 8))
    assert (put.key, put.revision, type(put.value)) == (key, 7, StagedNetworkPolicy)
    assert removed == ResourceUpdate(key, None, 8)


def test_one_whose_pods_cannot_be_told_is_absent():
    unclear = staged(podSelector={"matchExpressions": [{"key": "no label", "operator": "Exists"}]})
    assert as_calico(ResourceUpdate(KEY, unclear, 7)).value is None


def test_other_updates_are_left_alone():
    update = ResourceUpdate(ResourceKey(kinds.PROFILE, "", "p"), None, 7)
    assert as_calico(update) is update
