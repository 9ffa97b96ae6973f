"""A change that breaks a stored PolicyTest is refused, whichever command it is; nothing is judged where there is no test."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import Result
from example_manifests import DATABASE_POLICY
from example_manifests import SHOP_TEST as TEST

from tortie.datastore.sqlite import SQLiteStore
from tortie.datastore.store import Entry, Put, Store, entries
from tortie.model import kinds

Tortie = Callable[..., Result]

POD = """
apiVersion: v1
kind: Pod
metadata: {{name: {name}, namespace: shop, labels: {{app: {name}}}}}
spec: {{nodeName: host1, containers: [{{name: main}}]}}
---"""
CLUSTER = "".join(POD.format(name=name) for name in ("web", "db", "backup")) + DATABASE_POLICY
OTHERS = DATABASE_POLICY.replace("app: web", "app: backup")
MORE = OTHERS.replace("name: db", "name: more")
REFUSED = """\
Error: this would break what policies are tested for: 2 assertions hold now and would not afterwards
PolicyTest shop/shop, test 1: allow web to db at tcp/5432: shop/web to shop/db, TCP 5432
  DENIED  shop/host1-k8s-web-eth0 (no address) → shop/host1-k8s-db-eth0 (no address) TCP port 5432
"""


@pytest.fixture
def shop(tortie: Tortie) -> Tortie:
    tortie("apply", "-f", "-", stdin=CLUSTER)
    tortie("apply", "-f", "-", stdin=TEST)
    return tortie


def everything(store: Store) -> list[Entry]:
    return list(entries(store, "/"))


@pytest.mark.parametrize(
    ("arguments", "stdin", "broken"),
    [
        pytest.param(("apply", "-f", "-"), OTHERS, (1, 2), id="apply"),
        pytest.param(("replace", "-f", "-"), OTHERS, (1, 2), id="replace"),
        pytest.param(("create", "-f", "-"), MORE, (2,), id="create"),
        pytest.param(
            ("patch", "netpol", "db", "-n", "shop", "-t", "merge", "-p", '{"spec": {"ingress": null}}'), "", (1,), id="patch"
        ),
        pytest.param(("label", "pod", "web", "-n", "shop", "app=other", "--overwrite"), "", (1,), id="label"),
        pytest.param(("delete", "netpol", "db", "-n", "shop"), "", (2,), id="delete"),
    ],
)  # fmt: skip
def test_a_change_that_breaks_an_assertion_is_refused_unless_tests_are_ignored(
    shop: Tortie,
    store: SQLiteStore,
    arguments: tuple[str, ...],
    stdin: str,
    broken: tuple[int, ...],
) -> None:
    before = everything(store)
    refused = shop(*arguments, stdin=stdin, status=1).stderr
    assert [number for number in (1, 2) if f"PolicyTest shop/shop, test {number}: " in refused] == list(broken)
    assert everything(store) == before
    shop(*arguments, "--ignore-policy-tests", stdin=stdin)
    assert everything(store) != before


def test_an_edited_text_that_breaks_an_assertion_comes_back_with_the_reason(
    shop: Tortie, store: SQLiteStore, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("EDITOR", f"sh -c 'cat $0 >> {tmp_path}/seen; sed -i s/5432/80/ $0'")
    before = everything(store)
    shop("edit", "netpol", "db", "-n", "shop", status=1)
    assert everything(store) == before
    assert "# PolicyTest shop/shop, test 1: allow web to db" in (tmp_path / "seen").read_text()
    shop("edit", "netpol", "db", "-n", "shop", "--ignore-policy-tests")
    assert everything(store) != before


def test_the_refusal_says_what_would_decide(shop: Tortie) -> None:
    refused = shop("apply", "-f", "-", stdin=OTHERS, status=1).stderr
    assert refused.startswith(REFUSED)
    assert ": allowed by tier default, NetworkPolicy shop/knp.default.db, ingress rule 0\n" in refused
    assert "      at NetworkPolicy shop/db, spec.ingress[0]\n" in refused
    assert refused.endswith("With --ignore-policy-tests it is written nevertheless\n")


def test_where_it_cannot_be_told_what_a_change_breaks_it_is_refused_too(shop: Tortie, store: SQLiteStore) -> None:
    pod = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "odd", "namespace": "shop"},
        "spec": {"hostNetwork": True, "nodeName": "host1"},
        "status": {"podIP": "10.0.0.300"},
    }
    store.transact((), (Put(kinds.POD.prefix + "shop/odd", json.dumps(pod).encode()),))
    refused = shop("apply", "-f", "-", stdin=MORE, status=1).stderr
    assert "Pod shop/odd" in refused
    assert "with --ignore-policy-tests it is written nevertheless" in refused
    shop("apply", "-f", "-", "--ignore-policy-tests", stdin=MORE)


@pytest.mark.parametrize(("mode", "status"), [("server", 1), ("client", 0)])
def test_a_dry_run_shows_the_change_and_fails_where_the_change_would(shop: Tortie, mode: str, status: int) -> None:
    result = shop("apply", "-f", "-", f"--dry-run={mode}", stdin=OTHERS, status=status)
    assert "+          app: backup" in result.stdout
    assert ("this would break" in result.stderr) is (mode == "server")


def test_a_test_that_fails_at_once_is_written_with_a_warning(tortie: Tortie, store: SQLiteStore) -> None:
    tortie("apply", "-f", "-", stdin=CLUSTER)
    wrong = TEST.replace("from: web", "from: backup")
    assert tortie("apply", "-f", "-", stdin=wrong).stderr == (
        "Warning: PolicyTest shop/shop, test 1: allow backup to db at tcp/5432: does not hold: "
        "shop/backup to shop/db, TCP 5432; `tortie policy test` tells more\n"
    )
    assert len(list(entries(store, kinds.POLICY_TEST.prefix))) == 1


@pytest.mark.parametrize(
    "changed",
    [
        pytest.param(
            TEST.replace("from: web", "from: backup").replace("deny: {from: backup", "deny: {from: web"), id="changed"
        ),
        pytest.param(TEST.replace("name: shop,", "name: other,"), id="beside one that breaks"),
    ],
)
def test_tests_that_are_written_with_the_change_count_as_they_are_then(shop: Tortie, changed: str) -> None:
    is_changed = "name: shop," in changed
    result = shop("apply", "-f", "-", stdin=f"{OTHERS}---{changed}", status=0 if is_changed else 1)
    assert ("test 1: allow web to db" in result.stderr) is not is_changed


def test_a_test_that_is_deleted_with_what_it_is_about_refuses_nothing(shop: Tortie) -> None:
    shop("delete", "-f", "-", stdin=f"{DATABASE_POLICY}---{TEST}")


def test_an_assertion_that_does_not_hold_now_refuses_nothing(shop: Tortie) -> None:
    shop("apply", "-f", "-", "--ignore-policy-tests", stdin=OTHERS)
    assert "this would break" not in shop("delete", "netpol", "db", "-n", "shop").stderr


def test_with_ends_goes_what_is_asserted_of_them(shop: Tortie) -> None:
    shop("delete", "pod", "web", "-n", "shop")


@pytest.mark.parametrize("has_test", [False, True])
def test_only_what_bears_on_it_is_judged_and_only_where_there_are_tests(
    tortie: Tortie, monkeypatch: pytest.MonkeyPatch, has_test: bool
) -> None:
    tortie("apply", "-f", "-", stdin=CLUSTER)
    if has_test:
        tortie("apply", "-f", "-", stdin=TEST)
    asked: list[str] = []
    listing = SQLiteStore.list
    monkeypatch.setattr(
        SQLiteStore, "list", lambda self, prefix, **given: asked.append(prefix) or listing(self, prefix, **given)
    )
    pool = {
        "apiVersion": "projectcalico.org/v3",
        "kind": "IPPool",
        "metadata": {"name": "p"},
        "spec": {"cidr": "10.0.0.0/16"},
    }
    tortie("apply", "-f", "-", stdin=json.dumps(pool))
    assert kinds.POLICY_TEST.prefix in asked
    assert kinds.NETWORK_POLICY.prefix not in asked
    tortie("delete", "netpol", "db", "-n", "shop", status=has_test)
    assert (kinds.NETWORK_POLICY.prefix in asked) is has_test
