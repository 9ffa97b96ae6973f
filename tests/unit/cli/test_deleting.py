"""``tortie delete``: a resource goes with what it means, all of it or nothing."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest
from click.testing import Result

from tortie.datastore.sqlite import SQLiteStore

Tortie = Callable[..., Result]

STARS = """
{apiVersion: v1, kind: Namespace, metadata: {name: stars}}
---
{apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, metadata: {name: deny, namespace: stars}, spec: {podSelector: {}}}
---
{apiVersion: v1, kind: Pod, metadata: {name: web, namespace: stars}, spec: {containers: []}}
---
{apiVersion: projectcalico.org/v3, kind: NetworkPolicy, metadata: {name: extra, namespace: stars}, spec: {}}
"""
OTHER = "{apiVersion: v1, kind: Namespace, metadata: {name: starship}}\n---\n{apiVersion: v1, kind: Pod, metadata: {name: web, namespace: starship}}\n"


def keys(store: SQLiteStore) -> list[str]:
    return [entry.key for entry in store.list("/").entries]


@pytest.fixture
def filled(tortie: Tortie) -> Tortie:
    tortie("apply", "-f", "-", stdin=STARS)
    return tortie


def test_a_kubernetes_object_goes_with_what_it_means(filled: Tortie, store: SQLiteStore) -> None:
    result = filled("delete", "netpol", "deny", "-n", "stars")
    assert result.stdout == 'networkpolicy "deny" deleted\n'
    assert not [key for key in keys(store) if "deny" in key]
    assert len(keys(store)) == 4


def test_a_namespace_takes_along_what_is_in_it_and_nothing_else(filled: Tortie, store: SQLiteStore) -> None:
    filled("apply", "-f", "-", stdin=OTHER)
    before = store.revision()
    filled("delete", "ns", "stars")
    assert store.revision() == before + 1
    assert keys(store) == [
        "/calico/resources/v3/projectcalico.org/profiles/kns.starship",
        "/tortie/kubernetes/namespaces/starship",
        "/tortie/kubernetes/pods/starship/web",
    ]


def test_files_name_what_is_deleted(filled: Tortie, store: SQLiteStore) -> None:
    result = filled("delete", "-f", "-", stdin=STARS)
    assert len(result.stdout.splitlines()) == 4
    assert keys(store) == []


def test_if_one_is_missing_nothing_is_deleted(filled: Tortie, store: SQLiteStore) -> None:
    before = store.revision()
    result = filled("delete", "pod", "web", "gone", "-n", "stars", status=1)
    assert result.stderr == "Error: Pod stars/gone does not exist\n"
    assert store.revision() == before
    assert filled("delete", "pod", "web", "gone", "-n", "stars", "--ignore-not-found").stdout == 'pod "web" deleted\n'


def test_json_tells_the_revision(filled: Tortie, store: SQLiteStore) -> None:
    (deleted,) = json.loads(filled("delete", "pod", "web", "-n", "stars", "-o", "json").stdout)
    assert (deleted["action"], deleted["revision"]) == ("deleted", store.revision())
    assert deleted["committedAtNs"] > 0


def test_a_file_with_a_revision_deletes_only_that_one(filled: Tortie) -> None:
    printed = filled("get", "pod", "web", "-n", "stars", "-o", "yaml").stdout
    filled(
        "apply", "-f", "-", stdin="{apiVersion: v1, kind: Pod, metadata: {name: web, namespace: stars, labels: {a: b}}}"
    )
    assert "update conflict" in filled("delete", "-f", "-", stdin=printed, status=1).stderr


TIER = """
{apiVersion: projectcalico.org/v3, kind: Tier, metadata: {name: sec}, spec: {order: 1}}
---
{apiVersion: projectcalico.org/v3, kind: GlobalNetworkPolicy, metadata: {name: sec.g}, spec: {tier: sec}}
"""


def test_a_tier_with_policies_stays(tortie: Tortie) -> None:
    tortie("apply", "-f", "-", stdin=TIER)
    message = "Error: Tier sec cannot be deleted: GlobalNetworkPolicy sec.g is in it\n"
    assert tortie("delete", "tier", "sec", status=1).stderr == message
    tortie("delete", "-f", "-", stdin=TIER)


def test_built_in_tiers_stay(tortie: Tortie) -> None:
    tortie("apply", "-f", "-", stdin="{apiVersion: projectcalico.org/v3, kind: Tier, metadata: {name: default}}")
    assert "is built in" in tortie("delete", "tier", "default", status=1).stderr


@pytest.mark.parametrize("arguments", [[], ["pod"], ["pod", "a", "-f", "-"]])
def test_what_is_meant_must_be_said(tortie: Tortie, arguments: list[str]) -> None:
    tortie("delete", *arguments, status=2)
