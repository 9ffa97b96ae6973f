"""``tortie lint``, and the same warnings of ``apply`` and ``validate``: selectors that match nothing of what exists."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import Result

from tortie.cli import unmatched
from tortie.datastore.sqlite import SQLiteStore

Tortie = Callable[..., Result]

PODS = """\
apiVersion: v1
kind: Pod
metadata: {name: a, namespace: shop, labels: {app: frontend}}
"""
POLICY = """\
apiVersion: projectcalico.org/v3
kind: NetworkPolicy
metadata: {name: web, namespace: shop}
spec:
  selector: app == 'frontned'
"""
TOLD = (
    "spec.selector: no endpoint in namespace shop has app == 'frontned'; did you mean app == 'frontend' (1 endpoint)?"
)
RIGHT = POLICY.replace("frontned", "frontend")


def datastore(database: Path) -> str:
    return f"sqlite://{database}"


def test_the_policies_of_the_datastore_are_named(tortie: Tortie) -> None:
    tortie("apply", "-f", "-", stdin=f"{PODS}---\n{POLICY}")
    assert tortie("lint", "--live", status=1).stdout.splitlines() == [
        f"Warning: NetworkPolicy shop/web: {TOLD}",
        "1 resource with selectors looked at, 1 warning",
    ]


def test_a_datastore_that_is_named_need_not_be_called_live(tortie: Tortie, database: Path) -> None:
    tortie("apply", "-f", "-", stdin=f"{PODS}---\n{POLICY}")
    for arguments in (["--datastore", datastore(database), "lint"], ["lint", "--datastore", datastore(database)]):
        assert TOLD in tortie(*arguments, status=1).stdout


def test_where_everything_matches_the_status_is_0(tortie: Tortie) -> None:
    tortie("apply", "-f", "-", stdin=f"{PODS}---\n{RIGHT}")
    assert tortie("lint", "--live").stdout == "1 resource with selectors looked at\n"


def test_of_a_kubernetes_policy_and_what_it_means_only_the_first_is_named(tortie: Tortie) -> None:
    policy = (
        "apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata: {name: web, namespace: shop}\n"
        "spec: {podSelector: {matchLabels: {app: frontned}}}\n"
    )
    tortie("apply", "-f", "-", stdin=f"{PODS}---\n{policy}")
    lines = tortie("lint", "--live", status=1).stdout.splitlines()
    assert [line.partition(": spec")[0] for line in lines[:-1]] == ["Warning: NetworkPolicy shop/web"]


def test_files_are_judged_by_what_is_in_them_and_open_no_datastore(tortie: Tortie, database: Path) -> None:
    lines = tortie("lint", "-f", "-", stdin=f"{PODS}---\n{POLICY}", status=1).stdout.splitlines()
    assert lines == [
        f"Warning: <stdin>:9:13: {TOLD}",
        "1 resource with selectors looked at in 1 file, 1 warning",
    ]
    assert not database.exists()


def test_files_and_the_datastore_are_judged_together(tortie: Tortie) -> None:
    tortie("apply", "-f", "-", stdin=f"{PODS}---\n{POLICY.replace('name: web', 'name: stored')}")
    lines = tortie("lint", "--live", "-f", "-", stdin=POLICY, status=1).stdout.splitlines()
    assert lines[0] == f"Warning: <stdin>:5:13: {TOLD}"
    assert len(lines) == 2
    tortie("lint", "--live", "-f", "-", stdin=RIGHT)


def test_a_file_with_an_error_fails(tortie: Tortie) -> None:
    result = tortie("lint", "-f", "-", stdin=RIGHT.replace("selector", "selecter"), status=1)
    assert result.stdout.startswith("Error: <stdin>:5:3: spec.selecter: there is no field 'selecter' here")


def test_nothing_to_look_at_is_wrong_usage(tortie: Tortie, tmp_path: Path) -> None:
    assert "Give -f FILE, or --live" in tortie("lint", status=2).stderr
    assert "there are no .yaml" in tortie("lint", "-f", str(tmp_path), status=1).stderr


def test_a_stored_policy_without_place_is_named_in_every_form(tortie: Tortie) -> None:
    tortie("apply", "-f", "-", stdin=f"{PODS}---\n{POLICY}")
    report = json.loads(tortie("lint", "--live", "-o", "json", status=1).stdout)
    assert report["warnings"] == [
        {"resource": "NetworkPolicy shop/web", "field": "spec.selector", "message": TOLD.partition(": ")[2]}
    ]
    assert tortie("lint", "--live", "-o", "github", status=1).stdout == f"::warning::NetworkPolicy shop/web: {TOLD}\n"
    (run,) = json.loads(tortie("lint", "--live", "-o", "sarif", status=1).stdout)["runs"]
    (result,) = run["results"]
    assert result["message"]["text"] == TOLD
    assert result["locations"] == [
        {"logicalLocations": [{"fullyQualifiedName": "NetworkPolicy shop/web: spec.selector"}]}
    ]


def test_what_is_stored_and_invalid_is_told_and_left_out(tortie: Tortie, store: SQLiteStore) -> None:
    tortie("apply", "-f", "-", stdin=f"{PODS}---\n{RIGHT}")
    store.apply("/calico/resources/v3/projectcalico.org/globalnetworksets/bad", b'{"kind":"GlobalNetworkSet"}')
    assert "GlobalNetworkSet bad counts as absent" in tortie("lint", "--live").stderr


# --- apply -----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("options", [[], ["--dry-run"]], ids=["written", "dry run"])
def test_apply_warns_of_a_label_that_nothing_has(tortie: Tortie, options: list[str]) -> None:
    tortie("apply", "-f", "-", stdin=PODS)
    assert tortie("apply", "-f", "-", *options, stdin=POLICY).stderr == f"Warning: <stdin>:5:13: {TOLD}\n"


def test_apply_counts_what_it_applies(tortie: Tortie) -> None:
    assert TOLD in tortie("apply", "-f", "-", stdin=f"{PODS}---\n{POLICY}").stderr
    right = f"{PODS.replace('frontend', 'new')}---\n{RIGHT.replace('frontend', 'new')}"
    assert tortie("apply", "-f", "-", "--dry-run", stdin=right).stderr == ""


def test_apply_is_silent_where_there_is_nothing_yet(tortie: Tortie) -> None:
    assert tortie("apply", "-f", "-", stdin=POLICY).stderr == ""


def test_apply_does_not_look_through_a_large_store(tortie: Tortie, monkeypatch: pytest.MonkeyPatch) -> None:
    tortie("apply", "-f", "-", stdin=PODS)
    monkeypatch.setattr(unmatched, "AT_MOST", 0)
    assert tortie("apply", "-f", "-", stdin=POLICY).stderr == ""


# --- validate --------------------------------------------------------------------------------------------------------------


def test_validate_asks_the_datastore_that_is_named_and_no_other(tortie: Tortie, database: Path) -> None:
    tortie("apply", "-f", "-", stdin=PODS)
    named = ["--datastore", datastore(database)]
    assert tortie("validate", "-f", "-", stdin=POLICY).stdout == "1 valid resource in 1 file\n"
    for arguments in (["validate", *named], [*named, "validate"]):
        assert tortie(*arguments, "-f", "-", stdin=POLICY).stdout.startswith(f"Warning: <stdin>:5:13: {TOLD}\n")
    tortie("validate", *named, "-f", "-", "--strict", stdin=POLICY, status=1)
    tortie("validate", *named, "-f", "-", "--strict", stdin=RIGHT)


def test_validate_counts_a_pod_of_both_once(tortie: Tortie, database: Path) -> None:
    tortie("apply", "-f", "-", stdin=PODS)
    both = f"{PODS}---\n{POLICY}"
    assert "(1 endpoint)" in tortie("validate", "--datastore", datastore(database), "-f", "-", stdin=both).stdout


def test_validate_tells_each_line_too(tortie: Tortie, database: Path) -> None:
    tortie("apply", "-f", "-", stdin=PODS)
    policy = {
        "apiVersion": "projectcalico.org/v3", "kind": "NetworkPolicy", "metadata": {"name": "web", "namespace": "shop"},
        "spec": {"selector": "app == 'frontned'"},
    }  # fmt: skip
    line = tortie("validate", "--jsonl", "--datastore", datastore(database), stdin=json.dumps(policy)).stdout
    assert json.loads(line)["warnings"] == [{"field": "spec.selector", "message": TOLD.partition(": ")[2]}]
