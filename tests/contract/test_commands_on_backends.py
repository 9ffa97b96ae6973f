"""The commands do the same on every backend; where one bounds its transactions, a larger apply says so and nothing is lost."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from tortie.cli.main import cli
from tortie.datastore.sqlite import SQLiteStore
from tortie.datastore.store import Store
from tortie.testing.etcd import EtcdCluster

Tortie = Callable[..., Result]


@pytest.fixture(params=["sqlite", "etcd"])
def opened(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Store]:
    """The store that the commands use, empty at first."""
    if request.param == "sqlite":
        monkeypatch.setenv("TORTIE_DATASTORE", f"sqlite://{tmp_path}/tortie.db")
        with SQLiteStore.open(tmp_path / "tortie.db") as store:
            yield store
        return
    cluster: EtcdCluster = request.getfixturevalue("etcd")
    cluster.ctl("del", "--from-key", "")
    monkeypatch.setenv("TORTIE_DATASTORE", cluster.url)
    with cluster.client() as store:
        yield store


@pytest.fixture
def tortie(opened: Store) -> Tortie:
    def run(*arguments: str, stdin: str = "") -> Result:
        result = CliRunner().invoke(cli, arguments, input=stdin)
        assert result.exit_code == 0, result.output
        return result

    return run


def namespaces(count: int) -> str:
    """Each of them is two writes: itself, and its profile."""
    return "---\n".join(f"{{apiVersion: v1, kind: Namespace, metadata: {{name: ns{n:03}}}}}\n" for n in range(count))


def test_resources_come_in_change_and_go(tortie: Tortie, opened: Store) -> None:
    before = opened.revision()
    tortie("create", "-f", "-", stdin=namespaces(3))
    assert opened.revision() == before + 1
    tortie("label", "ns", "ns001", "a=b")
    tortie("patch", "ns", "ns002", "-p", '{"metadata": {"labels": {"c": "d"}}}')
    assert tortie("get", "ns", "-l", "a=b", "-o", "name").stdout == "namespace/ns001\n"
    profile = json.loads(tortie("get", "profile", "kns.ns002", "-o", "json").stdout)
    assert profile["spec"]["labelsToApply"]["pcns.c"] == "d"
    tortie("delete", "ns", "ns000", "ns001", "ns002")
    assert opened.list("/").entries == ()


def test_a_large_apply_is_whole_or_says_in_how_many_parts(tortie: Tortie, opened: Store) -> None:
    before = opened.revision()
    result = tortie("apply", "-f", "-", stdin=namespaces(150))
    parts = opened.revision() - before
    assert len(result.stdout.splitlines()) == 150
    assert parts == (1 if opened.limits.operations is None else 3)
    assert (f"in one transaction, but in {parts}" in result.stderr) == (parts > 1)
    assert len(opened.list("/").entries) == 300
    assert "configured" not in tortie("apply", "-f", "-", stdin=namespaces(150)).stdout


def test_a_large_namespace_is_deleted_with_all_that_is_in_it(tortie: Tortie, opened: Store) -> None:
    pods = "---\n".join(
        f"{{apiVersion: v1, kind: Pod, metadata: {{name: p{n}, namespace: ns000}}}}\n" for n in range(200)
    )
    tortie("apply", "-f", "-", stdin=f"{namespaces(1)}---\n{pods}")
    assert tortie("delete", "ns", "ns000").stdout == 'namespace "ns000" deleted\n'
    assert opened.list("/").entries == ()
