"""Cluster policies and service accounts in the store: with what they mean, and the tiers that they need."""

from __future__ import annotations

import json
from collections.abc import Callable

from click.testing import Result

from tortie.datastore.sqlite import SQLiteStore

Tortie = Callable[..., Result]

CALICO = "/calico/resources/v3/projectcalico.org/"
POLICY = (
    "apiVersion: policy.networking.k8s.io/v1alpha2\nkind: ClusterNetworkPolicy\nmetadata: {name: c}\n"
    "spec: {tier: Admin, priority: 5, subject: {namespaces: {}}}\n"
)
ACCOUNT = "apiVersion: v1\nkind: ServiceAccount\nmetadata: {name: web, namespace: shop}\n"
NAMESPACE = "apiVersion: v1\nkind: Namespace\nmetadata: {name: shop}\n"


def keys(store: SQLiteStore) -> list[str]:
    return [entry.key.removeprefix(CALICO) for entry in store.list("/").entries]


def test_a_cluster_policy_brings_the_built_in_tiers_in_its_transaction(tortie: Tortie, store: SQLiteStore) -> None:
    before = store.revision()
    result = tortie("apply", "-f", "-", stdin=f"{POLICY}---\n{POLICY.replace('name: c', 'name: d')}")
    assert store.revision() == before + 1
    assert [line.partition(" ")[0].rpartition("/")[2] for line in result.stdout.splitlines()] == [
        "default", "kube-admin", "kube-baseline", "c", "d",
    ]  # fmt: skip
    assert keys(store)[:5] == [
        "globalnetworkpolicies/kcnp.admin.c",
        "globalnetworkpolicies/kcnp.admin.d",
        "tiers/default",
        "tiers/kube-admin",
        "tiers/kube-baseline",
    ]
    tier = json.loads(store.get(f"{CALICO}tiers/kube-admin").value)
    assert tier["spec"] == {"order": 1000, "defaultAction": "Pass"}


def test_tiers_that_are_there_stay_as_they_are(tortie: Tortie, store: SQLiteStore) -> None:
    tortie("apply", "-f", "-", stdin=POLICY)
    tiers = list(store.list(f"{CALICO}tiers/").entries)
    assert (
        tortie("apply", "-f", "-", stdin=POLICY).stdout == "clusternetworkpolicy.policy.networking.k8s.io/c unchanged\n"
    )
    assert list(store.list(f"{CALICO}tiers/").entries) == tiers


def test_calicos_policies_in_such_a_tier_bring_them_too(tortie: Tortie, store: SQLiteStore) -> None:
    text = (
        "apiVersion: projectcalico.org/v3\nkind: GlobalNetworkPolicy\nmetadata: {name: g}\nspec: {tier: kube-admin}\n"
    )
    tortie("apply", "-f", "-", stdin=text)
    assert "tiers/kube-baseline" in keys(store)


def test_a_policy_that_moves_to_the_other_tier_leaves_nothing_behind(tortie: Tortie, store: SQLiteStore) -> None:
    tortie("apply", "-f", "-", stdin=POLICY)
    tortie("apply", "-f", "-", stdin=POLICY.replace("Admin", "Baseline"))
    assert [key for key in keys(store) if "kcnp" in key] == ["globalnetworkpolicies/kcnp.baseline.c"]
    tortie("delete", "clusternetworkpolicy", "c")
    assert [key for key in keys(store) if "kcnp" in key] == []


def test_a_namespace_takes_along_what_its_accounts_mean(tortie: Tortie, store: SQLiteStore) -> None:
    tortie("apply", "-f", "-", stdin=f"{NAMESPACE}---\n{ACCOUNT}---\n{ACCOUNT.replace('shop', 'other')}")
    assert "profiles/ksa.shop.web" in keys(store)
    tortie("delete", "namespace", "shop")
    assert [key for key in keys(store) if key.startswith("profiles/")] == ["profiles/ksa.other.web"]


def test_all_three_kinds_are_shown(tortie: Tortie) -> None:
    slices = (
        "apiVersion: discovery.k8s.io/v1\nkind: EndpointSlice\nmetadata: {name: web-1, namespace: shop}\n"
        "addressType: IPv4\nendpoints: [{addresses: [10.0.0.1]}, {addresses: [10.0.0.2]}]\nports: [{port: 80}]\n"
    )
    tortie("apply", "-f", "-", stdin=f"{POLICY}---\n{ACCOUNT}---\n{slices}")
    assert tortie("get", "clusternetworkpolicies").stdout == "NAME   TIER    PRIORITY\nc      Admin   5\n"
    assert tortie("get", "sa", "-n", "shop").stdout == "NAME\nweb\n"
    assert tortie("get", "endpointslices", "-n", "shop").stdout == (
        "NAME    ADDRESSTYPE   PORTS   ENDPOINTS\nweb-1   IPv4          80      10.0.0.1,10.0.0.2\n"
    )


def test_apply_warns_as_validate_does(tortie: Tortie) -> None:
    rule = "{action: Accept, to: [{domainNames: [example.com]}]}"
    text = POLICY.replace("{namespaces: {}}", f"{{namespaces: {{}}}}, egress: [{rule}]")
    assert "peers by domainNames are not supported" in tortie("apply", "-f", "-", stdin=text).stderr
