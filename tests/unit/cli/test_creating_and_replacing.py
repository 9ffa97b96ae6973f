"""``tortie create`` and ``replace``: only what is missing, only what is there; ``diff`` and ``--dry-run``: nothing at all."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import Result

from tortie.datastore.sqlite import SQLiteStore

Tortie = Callable[..., Result]


def pool(name: str, cidr: str, more: str = "") -> str:
    return f"{{apiVersion: projectcalico.org/v3, kind: IPPool, metadata: {{name: {name}}}, spec: {{cidr: {cidr}{more}}}}}\n---\n"


A, B = pool("a", "10.0.0.0/16"), pool("b", "10.1.0.0/16")
DERIVED = "{apiVersion: projectcalico.org/v3, kind: NetworkPolicy, metadata: {name: knp.default.x, namespace: shop}, spec: {}}"


def revisions(store: SQLiteStore) -> dict[str, int]:
    return {entry.key.rpartition("/")[2]: entry.revision for entry in store.list("/").entries}


def test_create_refuses_all_of_it_where_one_is_there(tortie: Tortie, store: SQLiteStore) -> None:
    tortie("create", "-f", "-", stdin=A)
    before = revisions(store)
    assert tortie("create", "-f", "-", stdin=A + B, status=1).stderr == "Error: IPPool a already exists\n"
    assert revisions(store) == before


def test_create_may_skip_what_is_there(tortie: Tortie, store: SQLiteStore) -> None:
    tortie("create", "-f", "-", stdin=A)
    changed = pool("a", "10.0.0.0/16", ", natOutgoing: true")
    result = tortie("create", "-f", "-", "--skip-exists", stdin=changed + B)
    assert result.stdout == "ippool.projectcalico.org/a skipped\nippool.projectcalico.org/b created\n"
    assert b"natOutgoing" not in store.get("/calico/resources/v3/projectcalico.org/ippools/a").value


def test_replace_refuses_all_of_it_where_one_is_missing(tortie: Tortie, store: SQLiteStore) -> None:
    tortie("create", "-f", "-", stdin=A)
    changed = pool("a", "10.0.0.0/16", ", natOutgoing: true")
    assert tortie("replace", "-f", "-", stdin=changed + B, status=1).stderr == "Error: IPPool b does not exist\n"
    assert tortie("replace", "-f", "-", stdin=changed).stdout == "ippool.projectcalico.org/a replaced\n"
    assert tortie("replace", "-f", "-", stdin=changed).stdout == "ippool.projectcalico.org/a unchanged\n"


@pytest.mark.parametrize("command", ["apply", "replace"])
def test_what_must_stay_is_refused(tortie: Tortie, command: str) -> None:
    tortie("create", "-f", "-", stdin=A)
    assert (
        "spec.cidr: 10.9.0.0/16 cannot replace 10.0.0.0/16"
        in tortie(command, "-f", "-", stdin=pool("a", "10.9.0.0/16"), status=1).stderr
    )


@pytest.mark.parametrize("command", ["create", "apply", "replace", "delete"])
def test_what_a_kubernetes_policy_means_is_managed_through_it(tortie: Tortie, command: str) -> None:
    policy = "{apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, metadata: {name: x, namespace: shop}, spec: {podSelector: {}}}"
    tortie("apply", "-f", "-", stdin=policy)
    assert (
        "is what the Kubernetes NetworkPolicy shop/x means"
        in tortie(command, "-f", "-", stdin=DERIVED, status=1).stderr
    )


@pytest.mark.parametrize("command", ["create", "apply", "replace"])
def test_calicoctls_options_are_understood(tortie: Tortie, command: str) -> None:
    tortie("apply", "-f", "-", stdin=A)
    file = B if command == "create" else A
    tortie("--allow-version-mismatch", command, "--file=-", "--allow-version-mismatch", "--skip-empty", stdin=file)
    assert tortie("delete", "ippool", "nobody", "--skip-not-exists").stdout == ""


# --- diff and dry runs -----------------------------------------------------------------------------------------------------


def test_diff_exits_as_diff_does_and_writes_nothing(tortie: Tortie, store: SQLiteStore) -> None:
    tortie("apply", "-f", "-", stdin=A)
    before = store.revision()
    assert tortie("diff", "-f", "-", stdin=A).stdout == ""
    lines = tortie(
        "diff", "-f", "-", stdin=pool("a", "10.0.0.0/16", ", natOutgoing: true") + B, status=1
    ).stdout.splitlines()
    assert lines[:2] == ["--- stored: IPPool a", "+++ wanted: IPPool a"]
    assert "+  natOutgoing: true" in lines
    assert "+  name: b" in lines
    assert not [line for line in lines if "uid" in line or "creationTimestamp" in line]
    assert store.revision() == before


@pytest.mark.parametrize("file", [pool("a", "nonsense"), pool("a", "10.9.0.0/16")], ids=["invalid", "refused"])
def test_diff_exits_2_where_it_cannot_tell(tortie: Tortie, file: str) -> None:
    tortie("apply", "-f", "-", stdin=A)
    tortie("diff", "-f", "-", stdin=file, status=2)


def test_diff_exits_2_without_a_datastore(tortie: Tortie) -> None:
    assert "the datastore: there is no datastore at" in tortie("diff", "-f", "-", stdin=A, status=2).stderr


POLICY = "{apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, metadata: {name: x, namespace: shop}, spec: {podSelector: {}}}"


@pytest.mark.parametrize(
    ("how", "titles"),
    [
        ("client", ["+++ wanted: NetworkPolicy shop/x"]),
        ("server", ["+++ wanted: NetworkPolicy shop/x", "+++ wanted: NetworkPolicy shop/knp.default.x"]),
    ],
)
def test_a_dry_run_shows_the_difference(tortie: Tortie, store: SQLiteStore, how: str, titles: list[str]) -> None:
    lines = tortie("apply", "-f", "-", f"--dry-run={how}", stdin=POLICY).stdout.splitlines()
    assert lines[0] == "networkpolicy.networking.k8s.io/x created (dry run)"
    assert [line for line in lines if line.startswith("+++")] == titles
    assert revisions(store) == {}


def test_only_a_servers_dry_run_looks_at_other_objects(tortie: Tortie, store: SQLiteStore) -> None:
    tortie("apply", "-f", "-", stdin=A)
    overlapping = pool("c", "10.0.1.0/24")
    assert "overlap" in tortie("apply", "-f", "-", "--dry-run=server", stdin=overlapping, status=1).stderr
    assert "created" in tortie("apply", "-f", "-", "--dry-run=client", stdin=overlapping).stdout


def test_a_deletion_can_be_tried(tortie: Tortie, store: SQLiteStore) -> None:
    tortie("apply", "-f", "-", stdin=A)
    lines = tortie("delete", "ippool", "a", "--dry-run").stdout.splitlines()
    assert lines[0] == 'ippool "a" deleted (dry run)'
    assert "-  name: a" in lines
    assert list(revisions(store)) == ["a"]


def test_names_may_stand_after_their_kind(tortie: Tortie, tmp_path: Path) -> None:
    tortie("apply", "-f", "-", stdin=A + B)
    assert tortie("delete", "ippool.projectcalico.org/a", "pool/b", "-o", "name").stdout == (
        "ippool.projectcalico.org/a\nippool.projectcalico.org/b\n"
    )
    tortie("delete", "ippool", "a/b", status=2)
    tortie("delete", "ippool/a", "b", status=2)


@pytest.mark.parametrize("command", ["create", "apply", "replace"])
def test_nothing_to_store_is_a_failure_unless_that_is_allowed(tortie: Tortie, tmp_path: Path, command: str) -> None:
    arguments = (command, "-f", str(tmp_path))
    assert "no resources were found" in tortie(*arguments, status=1).stderr
    assert tortie(*arguments, "--skip-empty").stdout == ""
    (tmp_path / "bad.yaml").write_text("kind: Nothing\n")
    tortie(*arguments, "--skip-empty", status=1)
