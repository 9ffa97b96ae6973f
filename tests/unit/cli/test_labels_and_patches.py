"""``tortie label`` and ``patch``: parts of what is stored, checked as a whole, planned again after a lost race."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result

from tortie.cli.errors import CommandError
from tortie.cli.writing import Stamp, perform, plan_modify
from tortie.datastore.sqlite import SQLiteStore
from tortie.datastore.store import Check, Write
from tortie.model import kinds
from tortie.model.kinds import ResourceKey

Tortie = Callable[..., Result]

POLICY_KEY = "/calico/resources/v3/projectcalico.org/globalnetworkpolicies/g"
POLICY = """
apiVersion: projectcalico.org/v3
kind: GlobalNetworkPolicy
metadata: {name: g, labels: {a: b}}
spec:
  order: 10
  selector: all()
  ingress:
  - {action: Allow, protocol: TCP, destination: {ports: [80]}}
  - {action: Deny}
"""
POD = "{apiVersion: v1, kind: Pod, metadata: {name: web, namespace: shop}, spec: {containers: [{name: a, image: x}, {name: b, image: y}]}}"


@pytest.fixture
def filled(tortie: Tortie) -> Tortie:
    tortie("apply", "-f", "-", stdin=POLICY)
    return tortie


def stored(store: SQLiteStore, key: str = POLICY_KEY) -> dict[str, Any]:
    document: dict[str, Any] = json.loads(store.get(key).value)
    return document


# --- label -----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("words", "said", "labels"),
    [
        (["c=d"], "labeled", {"a": "b", "c": "d"}),
        (["a=b"], "unchanged", {"a": "b"}),
        (["a=c", "--overwrite"], "labeled", {"a": "c"}),
        (["a-", "c=d"], "labeled", {"c": "d"}),
        (["a", "--remove"], "labeled", {}),
        (["example.com/x="], "labeled", {"a": "b", "example.com/x": ""}),
    ],
)
def test_labels_are_set_and_removed(
    filled: Tortie, store: SQLiteStore, words: list[str], said: str, labels: dict[str, str]
) -> None:
    assert filled("label", "gnp", "g", *words).stdout == f"globalnetworkpolicy.projectcalico.org/g {said}\n"
    assert stored(store)["metadata"]["labels"] == {**labels, "projectcalico.org/tier": "default"}


@pytest.mark.parametrize(
    ("words", "status", "message"),
    [
        (["gnp", "g", "a=c"], 1, "key a is already present with the value 'b'; --overwrite changes it"),
        (["gnp", "g", "x", "--remove"], 1, "cannot remove label x from GlobalNetworkPolicy g"),
        (["gnp", "nobody", "x=y"], 1, "GlobalNetworkPolicy nobody does not exist"),
        (["gnp", "g"], 2, "which labels?"),
        (["gnp", "g", "a b=c"], 2, "'a b' is not a label's name"),
        (["gnp", "g", "a=b c"], 2, "'b c' is not a label's value"),
        (["x=y"], 2, "which resource?"),
        (["gnp", "g", "-n", "x", "a=b"], 2, "GlobalNetworkPolicy is not namespaced"),
    ],
)
def test_what_cannot_be_labelled_is_told(filled: Tortie, words: list[str], status: int, message: str) -> None:
    assert message in filled("label", *words, status=status).stderr


def test_a_built_in_tier_can_be_labelled_before_it_is_stored(filled: Tortie, store: SQLiteStore) -> None:
    assert filled("label", "tier", "kube-admin", "a=b").stdout == "tier.projectcalico.org/kube-admin created\n"
    tier = stored(store, "/calico/resources/v3/projectcalico.org/tiers/kube-admin")
    assert (tier["metadata"]["labels"], tier["spec"]) == ({"a": "b"}, {"order": 1000, "defaultAction": "Pass"})


# --- patch -----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("words", "order"),
    [
        (["-p", '{"spec": {"order": 20}}'], 20),
        (["-p", "spec: {order: 30}", "--type=merge"], 30),
        (["-t", "json", "-p", '[{"op": "replace", "path": "/spec/order", "value": 40}]'], 40),
        (["-t", "merge", "-p", '{"spec": {"order": null}}'], None),
    ],
    ids=["strategic", "merge in YAML", "json", "null"],
)
def test_patches_change_what_they_name(filled: Tortie, store: SQLiteStore, words: list[str], order: int | None) -> None:
    before = stored(store)
    assert filled("patch", "gnp", "g", *words).stdout == "globalnetworkpolicy.projectcalico.org/g patched\n"
    after = stored(store)
    assert after["spec"].pop("order", None) == order
    del before["spec"]["order"]
    assert after == before


def test_a_patch_may_come_from_a_file_and_only_kubernetes_lists_have_keys(filled: Tortie, tmp_path: Any) -> None:
    filled("apply", "-f", "-", stdin=POD)
    (tmp_path / "p.yaml").write_text("spec: {containers: [{name: b, image: z}]}")
    filled("patch", "pod", "web", "-n", "shop", "--patch-file", str(tmp_path / "p.yaml"))
    pod = json.loads(filled("get", "pod", "web", "-n", "shop", "-o", "json").stdout)
    assert [container["image"] for container in pod["spec"]["containers"]] == ["x", "z"]
    filled("patch", "gnp", "g", "-p", '{"spec": {"ingress": [{"action": "Deny"}]}}')
    assert len(json.loads(filled("get", "gnp", "g", "-o", "json").stdout)["spec"]["ingress"]) == 1


@pytest.mark.parametrize(
    ("words", "status", "message"),
    [
        (["-p", '{"spec": {"ordr": 1}}'], 1, "GlobalNetworkPolicy g: there is no field spec.ordr"),
        (["-p", '{"spec": {"selector": "a ="}}'], 1, "GlobalNetworkPolicy g would be invalid: spec.selector: "),
        (["-p", '{"metadata": {"name": "h"}}'], 1, "GlobalNetworkPolicy g cannot become GlobalNetworkPolicy h"),
        (["-p", '{"spec": {"tier": "nowhere"}}'], 1, "tier nowhere does not exist"),
        (["-p", '{"metadata": {"resourceVersion": "1"}}'], 1, "has changed since the file was made"),
        (["-t", "json", "-p", '[{"op": "test", "path": "/spec/order", "value": 11}]'], 1, "operation 0: test of /spec/order"),
        (["-t", "json", "-p", '[{"op": "replace", "path": "", "value": 1}]'], 1, "the patch leaves no resource"),
        (["-p", "{"], 2, "the patch is neither JSON nor YAML"),
        (["-t", "merge", "-p", '{"spec": {"order": 1e400}}'], 2, "inf is no number that can be stored"),
        ([], 2, "which patch?"),
    ],
)  # fmt: skip
def test_a_patch_that_does_not_fit_changes_nothing(
    filled: Tortie, store: SQLiteStore, words: list[str], status: int, message: str
) -> None:
    before = store.revision()
    assert message in filled("patch", "gnp", "g", *words, status=status).stderr
    assert store.revision() == before


def test_a_patch_file_that_is_no_text_is_told_with_its_place(filled: Tortie, tmp_path: Path) -> None:
    file = tmp_path / "patch.json"
    file.write_bytes(b'{"spec":\xff}')
    assert f"{file}:1:9: not UTF-8 text" in filled("patch", "gnp", "g", "--patch-file", str(file), status=1).stderr


class Overtaken:
    """A store in which somebody else sets another label just before the first transaction."""

    def __init__(self, store: SQLiteStore, their_label: str) -> None:
        self._store = store
        self._their_label = their_label

    def transact(self, checks: tuple[Check, ...], writes: tuple[Write, ...]) -> int:
        if self._their_label:
            document = stored(self._store)
            document["metadata"]["labels"][self._their_label], self._their_label = "theirs", ""
            self._store.apply(POLICY_KEY, json.dumps(document).encode())
        return self._store.transact(checks, writes)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)


def test_both_labels_are_there_after_a_lost_race(filled: Tortie, store: SQLiteStore) -> None:
    overtaken: Any = Overtaken(store, "b")

    def add(document: dict[str, Any]) -> dict[str, Any]:
        metadata = document["metadata"]
        return {**document, "metadata": {**metadata, "labels": {**metadata["labels"], "c": "ours"}}}

    key = ResourceKey(kinds.GLOBAL_NETWORK_POLICY, "", "g")
    perform(overtaken, lambda: plan_modify(overtaken, {key: add}, Stamp(lambda: "u", "t")), lambda: 0)
    assert stored(store)["metadata"]["labels"] == {
        "a": "b",
        "b": "theirs",
        "c": "ours",
        "projectcalico.org/tier": "default",
    }


def test_what_cannot_be_read_cannot_be_patched(filled: Tortie, store: SQLiteStore) -> None:
    store.apply(POLICY_KEY, b"not JSON")
    with pytest.raises(CommandError, match="can only be replaced or deleted"):
        plan_modify(
            store, {ResourceKey(kinds.GLOBAL_NETWORK_POLICY, "", "g"): lambda document: document}, Stamp(str, "")
        )


# --- a newer version's fields ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "words",
    [
        ["label", "gnp", "g", "x=y"],
        ["patch", "gnp", "g", "-p", '{"spec": {"order": 20}}'],
        ["patch", "gnp", "g", "-t", "json", "-p", '[{"op": "replace", "path": "/spec/order", "value": 20}]'],
        ["apply", "-f", "-"],
        ["replace", "-f", "-"],
    ],
    ids=["label", "patch", "json patch", "apply", "replace"],
)
def test_fields_of_a_newer_version_survive(filled: Tortie, store: SQLiteStore, words: list[str]) -> None:
    document = stored(store)
    document["spec"]["future"] = {"a": 1}
    document["spec"]["ingress"][0]["destination"]["geo"] = "XX"
    document["metadata"]["newer"] = document["newest"] = True
    store.apply(POLICY_KEY, json.dumps(document).encode())
    filled(*words, stdin=POLICY.replace("order: 10", "order: 20"))
    after = stored(store)
    assert after != document
    assert (after["spec"]["future"], after["metadata"]["newer"], after["newest"]) == ({"a": 1}, True, True)
    assert after["spec"]["ingress"][0]["destination"] == {"ports": [80], "geo": "XX"}
