"""From a policy's rule as hosts have it back to the object, field and place that it comes from."""

from __future__ import annotations

import pytest

from tortie.analysis.provenance import Origin, Provenance
from tortie.conversion import convert
from tortie.model.codec import from_document
from tortie.model.document import read
from tortie.model.kinds import key_of
from tortie.model.kubernetes import NetworkPolicy as KubernetesNetworkPolicy
from tortie.model.kubernetes_cluster_policy import ClusterNetworkPolicy
from tortie.model.policy import Direction
from tortie.verdict import PolicyRef
from tortie.verdict.order import EnforcedPolicy, reference

TEXT = """\
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: db, namespace: shop}
spec:
  podSelector: {}
  ingress:
  - from: [{podSelector: {}}, {ipBlock: {cidr: 10.0.0.0/8}}]
    ports: [{port: 1}, {port: 2, protocol: UDP}]
  - ports: [{port: http}]
  - from:
    - ipBlock: {cidr: 192.0.2.0/24}
  egress:
  - {}
---
apiVersion: policy.networking.k8s.io/v1alpha2
kind: ClusterNetworkPolicy
metadata: {name: gate}
spec:
  tier: Admin
  priority: 1
  subject: {namespaces: {}}
  ingress:
  - action: Deny
    from: [{namespaces: {}}, {pods: {podSelector: {}}}]
  - action: Accept
    from: [{namespaces: {}}]
---
apiVersion: projectcalico.org/v3
kind: StagedKubernetesNetworkPolicy
metadata: {name: later, namespace: shop}
spec:
  ingress:
  - from: [{podSelector: {}}, {ipBlock: {cidr: 10.0.0.0/8}}]
  - {}
---
apiVersion: projectcalico.org/v3
kind: GlobalNetworkPolicy
metadata: {name: all}
spec:
  egress:
  - action: Deny
  - action: Allow
---
apiVersion: v1
kind: Namespace
metadata: {name: shop}
---
apiVersion: projectcalico.org/v3
kind: Profile
metadata: {name: custom}
spec:
  ingress:
  - action: Allow
"""
READ = read(TEXT, source="shop/all.yaml").resources
PROVENANCE = Provenance.of_documents(READ)
INGRESS, EGRESS = Direction.INGRESS, Direction.EGRESS
DB = PolicyRef("NetworkPolicy", "shop", "knp.default.db")
GATE = PolicyRef("GlobalNetworkPolicy", "", "kcnp.admin.gate")
LATER = PolicyRef("StagedNetworkPolicy", "shop", "knp.default.later")
ALL = PolicyRef("GlobalNetworkPolicy", "", "all")


@pytest.mark.parametrize(
    ("owner", "direction", "rule", "place"),
    [
        (DB, INGRESS, 0, "shop/all.yaml:7:5"),
        (DB, INGRESS, 3, "shop/all.yaml:7:5"),
        (DB, INGRESS, 4, "shop/all.yaml:9:5"),
        (DB, INGRESS, 5, "shop/all.yaml:10:5"),
        (DB, EGRESS, 0, "shop/all.yaml:13:5"),
        (GATE, INGRESS, 1, "shop/all.yaml:23:5"),
        (GATE, INGRESS, 2, "shop/all.yaml:25:5"),
        (LATER, INGRESS, 1, "shop/all.yaml:33:5"),
        (LATER, INGRESS, 2, "shop/all.yaml:34:5"),
        (ALL, EGRESS, 1, "shop/all.yaml:42:5"),
        ("kns.shop", INGRESS, 0, "shop/all.yaml:44:1"),
        ("custom", INGRESS, 0, "shop/all.yaml:53:5"),
    ],
)
def test_a_rule_is_found_in_its_file(owner: PolicyRef | str, direction: Direction, rule: int, place: str) -> None:
    assert str(PROVENANCE.rule(owner, direction, rule)) == place


def test_every_rule_that_is_meant_comes_from_a_written_one() -> None:
    """And in their order, none left out."""
    for item in READ[:2]:
        (meant,) = convert(item.resource).objects.values()
        assert isinstance(meant, EnforcedPolicy)
        assert isinstance(item.resource, KubernetesNetworkPolicy | ClusterNetworkPolicy)
        origins = [PROVENANCE.rule(reference(meant), INGRESS, index) for index in range(len(meant.spec.ingress))]
        numbers = [origin.path[-1] for origin in origins if origin is not None]
        assert numbers == sorted(numbers, key=int)
        assert set(numbers) == set(range(len(item.resource.spec.ingress)))


def test_a_rule_that_means_nothing_has_no_number() -> None:
    """What a newer version stored: the rules after it are found all the same."""
    rules = [{"ports": [{"port": 70000}]}, {"from": [{"podSelector": {}}]}]
    document = {"kind": "NetworkPolicy", "metadata": {"name": "db", "namespace": "shop"}, "spec": {"ingress": rules}}
    policy = from_document(document, KubernetesNetworkPolicy)
    stored = Provenance.of_stored({key_of(policy): policy})
    assert str(stored.rule(DB, INGRESS, 0)) == "NetworkPolicy shop/db, spec.ingress[1]"


def test_what_was_filled_in_comes_from_nowhere() -> None:
    assert PROVENANCE.rule("kns.elsewhere", INGRESS, 0) is None
    assert PROVENANCE.policy(PolicyRef("NetworkPolicy", "shop", "knp.default.nobody")) is None


def test_an_object_of_a_datastore_is_told_by_its_name() -> None:
    stored = Provenance.of_stored({item.key: item.resource for item in READ})
    assert str(stored.rule(DB, INGRESS, 4)) == "NetworkPolicy shop/db, spec.ingress[1]"
    assert str(stored.rule(ALL, EGRESS, 1)) == "GlobalNetworkPolicy all, spec.egress[1]"
    assert str(stored.policy(GATE)) == "ClusterNetworkPolicy gate"
    origin = stored.rule("kns.shop", INGRESS, 0)
    assert isinstance(origin, Origin)
    assert (str(origin), origin.place) == ("Namespace shop", None)
