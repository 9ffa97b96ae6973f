"""``tortie apply``: all of it or nothing, with what it means, and only what changes."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result

from tortie.cli.errors import CommandError
from tortie.cli.writing import ATTEMPTS, Action, Stamp, perform, plan_apply
from tortie.datastore.sqlite import SQLiteStore
from tortie.datastore.store import Check, TooLargeError, Write
from tortie.model.document import read

Tortie = Callable[..., Result]

NAMESPACE = "apiVersion: v1\nkind: Namespace\nmetadata: {name: stars, labels: {role: demo}}\n"
DENY = (
    "apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata: {name: default-deny}\nspec: {podSelector: {}}\n"
)
POOL = "apiVersion: projectcalico.org/v3\nkind: IPPool\nmetadata: {name: p}\nspec: {cidr: 10.0.0.0/16}\n"
CALICO = "/calico/resources/v3/projectcalico.org/"


def value(store: SQLiteStore, key: str) -> dict[str, Any]:
    document: dict[str, Any] = json.loads(store.get(key).value)
    return document


def keys(store: SQLiteStore) -> list[str]:
    return [entry.key for entry in store.list("/").entries]


def test_a_kubernetes_object_is_stored_with_what_it_means(tortie: Tortie, store: SQLiteStore) -> None:
    result = tortie("apply", "-f", "-", "-n", "stars", stdin=f"{NAMESPACE}---\n{DENY}")
    assert result.output == "namespace/stars created\nnetworkpolicy.networking.k8s.io/default-deny created\n"
    assert keys(store) == [
        f"{CALICO}networkpolicies/stars/knp.default.default-deny",
        f"{CALICO}profiles/kns.stars",
        "/tortie/kubernetes/namespaces/stars",
        "/tortie/kubernetes/networkpolicies/stars/default-deny",
    ]


def test_all_of_it_is_one_transaction(tortie: Tortie, store: SQLiteStore) -> None:
    before = store.revision()
    tortie("apply", "-f", "-", stdin=f"{NAMESPACE}---\n{DENY}---\n{POOL}")
    assert store.revision() == before + 1


def test_defaults_are_stored(tortie: Tortie, store: SQLiteStore) -> None:
    tortie("apply", "-f", "-", stdin=POOL)
    assert value(store, f"{CALICO}ippools/p")["spec"]["blockSize"] == 26


def test_the_same_again_is_unchanged_and_writes_nothing(tortie: Tortie, store: SQLiteStore) -> None:
    tortie("apply", "-f", "-", stdin=f"{NAMESPACE}---\n{DENY}---\n{POOL}")
    before = store.revision()
    result = tortie("apply", "-f", "-", stdin=f"{NAMESPACE}---\n{DENY}---\n{POOL}")
    assert [line.rpartition(" ")[2] for line in result.output.splitlines()] == ["unchanged"] * 3
    assert store.revision() == before


def test_a_change_keeps_identity_and_status_and_replaces_the_rest(tortie: Tortie, store: SQLiteStore) -> None:
    tortie(
        "apply",
        "-f",
        "-",
        stdin=POOL.replace("{name: p}", "{name: p, labels: {a: b}}").replace("/16", "/16, natOutgoing: true"),
    )
    key = f"{CALICO}ippools/p"
    stored = value(store, key)
    store.apply(key, json.dumps({**stored, "status": {"ours": 1}, "later": "version"}).encode())
    assert "configured" in tortie("apply", "-f", "-", stdin=POOL).output
    changed = value(store, key)
    assert changed["metadata"] == {name: stored["metadata"][name] for name in ("name", "uid", "creationTimestamp")}
    assert (changed["status"], changed["later"]) == ({"ours": 1}, "version")
    assert "natOutgoing" not in changed["spec"]


def test_a_kubernetes_policy_without_a_spec_loses_the_old_one(tortie: Tortie, store: SQLiteStore) -> None:
    tortie("apply", "-f", "-", stdin=DENY.replace("podSelector: {}", "podSelector: {}, ingress: [{}]"))
    tortie("apply", "-f", "-", stdin=DENY.replace("spec: {podSelector: {}}\n", ""))
    assert "spec" not in value(store, "/tortie/kubernetes/networkpolicies/default/default-deny")
    assert "ingress" not in value(store, f"{CALICO}networkpolicies/default/knp.default.default-deny")["spec"]


def test_what_is_meant_is_restored_where_it_was_lost(tortie: Tortie, store: SQLiteStore) -> None:
    tortie("apply", "-f", "-", stdin=NAMESPACE)
    store.delete(f"{CALICO}profiles/kns.stars")
    assert tortie("apply", "-f", "-", stdin=NAMESPACE).output == "namespace/stars configured\n"
    assert f"{CALICO}profiles/kns.stars" in keys(store)


def test_json_tells_revision_and_time_of_the_commit(tortie: Tortie, store: SQLiteStore) -> None:
    before = time.monotonic_ns()
    (created,) = json.loads(tortie("apply", "-f", "-", "-o", "json", stdin=POOL).output)
    assert before < created.pop("committedAtNs") < time.monotonic_ns()
    assert created == {
        "apiVersion": "projectcalico.org/v3", "kind": "IPPool", "namespace": "", "name": "p", "action": "created",
        "revision": store.revision(),
    }  # fmt: skip
    (unchanged,) = json.loads(tortie("apply", "-f", "-", "-o", "json", stdin=POOL).output)
    assert (unchanged["action"], unchanged["revision"], unchanged["committedAtNs"]) == (
        "unchanged",
        store.revision(),
        None,
    )


def test_a_dry_run_says_what_would_be_done_and_does_nothing(tortie: Tortie, store: SQLiteStore) -> None:
    said, _, shown = tortie("apply", "-f", "-", "--dry-run", stdin=POOL).output.partition("\n")
    assert said == "ippool.projectcalico.org/p created (dry run)"
    assert "+  cidr: 10.0.0.0/16" in shown.splitlines()
    assert keys(store) == []


# --- files -----------------------------------------------------------------------------------------------------------------


def test_directories_and_files_are_read_in_order(tortie: Tortie, store: SQLiteStore, tmp_path: Path) -> None:
    folder = tmp_path / "manifests"
    (folder / "sub").mkdir(parents=True)
    (folder / "b.yaml").write_text(DENY)
    (folder / "a.json").write_text(json.dumps({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "x"}}))
    (folder / "notes.txt").write_text("not a manifest: [")
    (folder / "sub" / "c.yml").write_text(POOL)
    flat = tortie("apply", "-f", str(folder), "--dry-run", "-o", "name").output.splitlines()
    deep = tortie("apply", "-R", "-f", str(folder), "--dry-run", "-o", "name").output.splitlines()
    assert [line.partition(" ")[0] for line in flat] == ["namespace/x", "networkpolicy.networking.k8s.io/default-deny"]
    assert len(deep) == 3


def test_one_bad_file_changes_nothing_and_every_error_is_shown(
    tortie: Tortie, store: SQLiteStore, tmp_path: Path
) -> None:
    (tmp_path / "good.yaml").write_text(POOL)
    (tmp_path / "bad.yaml").write_text(POOL.replace("cidr", "cidrr"))
    (tmp_path / "worse.yaml").write_text("a: [")
    files = [argument for name in ("good", "bad", "worse") for argument in ("-f", str(tmp_path / f"{name}.yaml"))]
    result = tortie("apply", *files, status=1)
    assert result.stdout == ""
    assert [line.removeprefix(f"Error: {tmp_path}/").partition(": ")[0] for line in result.stderr.splitlines()] == [
        "bad.yaml:4:8", "bad.yaml:4:7", "worse.yaml:2:1",
    ]  # fmt: skip
    assert keys(store) == []


@pytest.mark.parametrize(
    ("content", "message"),
    [
        pytest.param(b"a: \xff", "Error: <stdin>:1:4: not UTF-8 text: byte 0xff\n", id="not UTF-8"),
        pytest.param(b"# nothing\n", "Error: no resources were found in what -f names\n", id="nothing"),
        pytest.param(
            f"{POOL}---\n{POOL}".encode(),
            "Error: IPPool p is given twice; the second time in line 6 of its file\n",
            id="twice",
        ),
    ],
)
def test_unusable_input_is_one_sentence(tortie: Tortie, content: bytes, message: str) -> None:
    assert tortie("apply", "-f", "-", stdin=content, status=1).stderr == message


def test_a_missing_file_is_one_sentence(tortie: Tortie) -> None:
    assert (
        tortie("apply", "-f", "/no/such.yaml", status=1).stderr == "Error: /no/such.yaml: No such file or directory\n"
    )


def test_warnings_go_to_standard_error(tortie: Tortie) -> None:
    result = tortie("apply", "-f", "-", stdin=POOL.replace("{name: p}", "{name: p, labels: {a: no}}"))
    assert result.stderr.startswith("Warning: <stdin>:3:33: metadata.labels.a: 'no' is stored as the text 'false'")
    assert result.stdout == "ippool.projectcalico.org/p created\n"


# --- other objects and other writers ---------------------------------------------------------------------------------------

TIER = "apiVersion: projectcalico.org/v3\nkind: Tier\nmetadata: {name: sec}\nspec: {order: 5}\n"
IN_TIER = "apiVersion: projectcalico.org/v3\nkind: GlobalNetworkPolicy\nmetadata: {name: sec.g}\nspec: {tier: sec}\n"


def test_a_policy_needs_its_tier(tortie: Tortie) -> None:
    assert "its tier sec does not exist" in tortie("apply", "-f", "-", stdin=IN_TIER, status=1).stderr
    tortie("apply", "-f", "-", stdin=f"{IN_TIER}---\n{TIER}")
    tortie("apply", "-f", "-", stdin=IN_TIER.replace("sec.g", "sec.h"))


def test_a_file_with_a_revision_changes_only_that_one(tortie: Tortie) -> None:
    tortie("apply", "-f", "-", stdin=POOL)
    printed = tortie("get", "ippool", "p", "-o", "yaml").stdout
    assert "unchanged" in tortie("apply", "-f", "-", stdin=printed).output
    tortie("apply", "-f", "-", stdin=printed.replace("Never", "Always", 1))
    assert "IPPool p has changed since the file was made" in tortie("apply", "-f", "-", stdin=printed, status=1).stderr


class Disturbed:
    """A store in which somebody else is faster *times* times, or which takes only so many writes at once."""

    def __init__(self, store: SQLiteStore, *, times: int = 0, most_writes: int = 100) -> None:
        self._store = store
        self._times = times
        self._most_writes = most_writes
        self.transactions = 0

    def transact(self, checks: tuple[Check, ...], writes: tuple[Write, ...]) -> int:
        if len(writes) > self._most_writes:
            raise TooLargeError("too large")
        if self._times:
            self._times -= 1
            self._store.apply(f"{CALICO}ippools/p", POOL_VALUE.replace(b'"t"', b'"t%d"' % self._times))
        self.transactions += 1
        return self._store.transact(checks, writes)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)


POOL_VALUE = (
    b'{"kind":"IPPool","apiVersion":"projectcalico.org/v3","metadata":{"name":"p","uid":"theirs","creationTimestamp":"t"},'
    b'"spec":{"cidr":"10.0.0.0/16"}}'
)
STAMP = Stamp(lambda: "new", "2026-01-02T03:04:05Z")


def test_a_lost_race_is_planned_again_from_what_is_there_then(store: SQLiteStore) -> None:
    disturbed: Any = Disturbed(store, times=3)
    resources = read(POOL).resources
    (outcome,) = perform(disturbed, lambda: plan_apply(disturbed, resources, STAMP), lambda: 7)
    assert (outcome.action, outcome.committed_at_ns, disturbed.transactions) == (Action.CONFIGURED, 7, 4)
    assert value(store, f"{CALICO}ippools/p")["metadata"]["uid"] == "theirs"


def test_after_too_many_lost_races_it_gives_up(store: SQLiteStore) -> None:
    disturbed: Any = Disturbed(store, times=ATTEMPTS)
    resources = read(POOL).resources
    with pytest.raises(CommandError, match="was changed by somebody else, and so 10 times in a row"):
        perform(disturbed, lambda: plan_apply(disturbed, resources, STAMP), lambda: 7)
    assert disturbed.transactions == ATTEMPTS


def test_what_is_too_large_for_one_transaction_is_written_in_several(store: SQLiteStore) -> None:
    disturbed: Any = Disturbed(store, most_writes=4)
    text = "---\n".join(NAMESPACE.replace("stars", f"ns{n}") for n in range(5))
    resources = read(text).resources
    outcomes = perform(disturbed, lambda: plan_apply(disturbed, resources, STAMP), lambda: 7)
    assert [outcome.key.name for outcome in outcomes] == [f"ns{n}" for n in range(5)]
    assert disturbed.transactions == 3  # a namespace is two writes, which stay together: 2, 1 and 2 of them
    assert len(keys(store)) == 10
