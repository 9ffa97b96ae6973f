"""Staged policies, and kinds that a host does not read, change nothing on it."""

from typing import Any

import pytest
from calc_resources import HOST, endpoint, key_of, policy, profile

from tortie.calc import Calculation
from tortie.model import codec, kinds
from tortie.model.kinds import Kind, ResourceKey
from tortie.model.meta import Resource
from tortie.model.updates import ResourceUpdate

DENY = [{"action": "Deny"}]
OTHERS: tuple[tuple[Kind, dict[str, Any]], ...] = (
    (kinds.STAGED_NETWORK_POLICY, {"ingress": DENY, "types": ["Ingress"]}),
    (kinds.STAGED_NETWORK_POLICY, {"stagedAction": "Delete"}),
    (
        kinds.STAGED_GLOBAL_NETWORK_POLICY,
        {"egress": DENY, "types": ["Egress"], "performanceHints": ["AssumeNeededOnEveryNode"]},
    ),
    (kinds.STAGED_KUBERNETES_NETWORK_POLICY, {"podSelector": {}}),
)


def resource(kind: Kind, spec: dict[str, Any]) -> Resource:
    """Of the same name and namespace as the policy that is in force."""
    metadata = {"name": "p", "namespace": "ns" if kind.namespaced else ""}
    document = {"kind": kind.name, "apiVersion": kind.api_version, "metadata": metadata, "spec": spec}
    return codec.from_document(document, kind.struct)


@pytest.mark.parametrize(("kind", "spec"), OTHERS, ids=lambda value: getattr(value, "name", ""))
def test_a_staged_policy_changes_nothing(kind: Kind, spec: dict[str, Any]) -> None:
    calculation = Calculation(HOST)
    for value in (
        endpoint("w", "10.0.0.1", profiles=["open"]),
        profile("open"),
        policy("p", ingress=[{"action": "Allow"}]),
    ):
        calculation.update(ResourceUpdate(key_of(value), value, 1))
    calculation.in_sync()
    assert calculation.flush()
    staged = resource(kind, spec)
    for now in (staged, None):
        calculation.update(ResourceUpdate(key_of(staged), now, 2))
        assert calculation.flush() == ()


@pytest.mark.parametrize("kind", kinds.KINDS, ids=lambda kind: f"{kind.api_version} {kind.name}")
def test_every_kind_may_come_and_go(kind: Kind) -> None:
    calculation = Calculation(HOST)
    calculation.in_sync()
    calculation.update(ResourceUpdate(ResourceKey(kind, "ns" if kind.namespaced else "", "x"), None, 1))
    assert calculation.flush() == ()
