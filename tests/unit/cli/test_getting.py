"""``tortie get``: tables for people, documents for programs, both of what is stored."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest
import yaml
from click.testing import Result
from example_manifests import PODS_AND_POLICY
from hypothesis import given
from hypothesis import strategies as st

from tortie.cli.naming import resolve_kind
from tortie.datastore.sqlite import SQLiteStore
from tortie.datastore.store import Put
from tortie.model import kinds
from tortie.model.document import read
from tortie.model.kinds import Kind
from tortie.model.yamltext import yaml_text

Tortie = Callable[..., Result]


@pytest.fixture
def filled(tortie: Tortie) -> Tortie:
    tortie("apply", "-f", "-", stdin=PODS_AND_POLICY)
    return tortie


@pytest.mark.parametrize(
    ("arguments", "table"),
    [
        (["pods", "-n", "a"], "NAME   STATUS    NODE   IPS\nweb    Pending   h1\n"),
        (
            ["po", "-A"],
            "NAMESPACE   NAME   STATUS    NODE     IPS\na           web    Pending   h1\nb           db     Pending   <none>\n",
        ),
        (["gnp"], "NAME   TIER\ng      default\n"),
        (
            ["GlobalNetworkPolicy", "g", "-o", "wide"],
            "NAME   TIER      ORDER   SELECTOR\ng      default   10      has(role)\n",
        ),
        (["pods", "-A", "-l", "role=back", "-o", "name"], "pod/db\n"),
        (["pods", "-A", "-l", "role,tier=x", "-o", "name"], "pod/web\n"),
        (["gnp", "-o", "name"], "globalnetworkpolicy.projectcalico.org/g\n"),
    ],
)
def test_tables_and_names(filled: Tortie, arguments: list[str], table: str) -> None:
    assert filled("get", *arguments).stdout == table


def test_nothing_found_is_said_beside_an_empty_output(filled: Tortie) -> None:
    result = filled("get", "services", "-n", "a")
    assert (result.stdout, result.stderr) == ("", "There are no services in namespace a.\n")


def test_a_missing_name_is_a_failure(filled: Tortie) -> None:
    assert filled("get", "pod", "web", "gone", "-n", "a", status=1).stderr == "Error: Pod a/gone does not exist\n"


@pytest.mark.parametrize(("form", "load"), [("json", json.loads), ("yaml", yaml.safe_load)])
def test_one_name_is_one_document_and_many_are_a_list(
    filled: Tortie, form: str, load: Callable[[str], dict[str, object]]
) -> None:
    one = load(filled("get", "pod", "web", "-n", "a", "-o", form).stdout)
    many = load(filled("get", "pods", "-A", "-o", form).stdout)
    assert one["kind"] == "Pod"
    assert many["kind"] == "PodList"
    assert one in many["items"]


def test_documents_show_the_revision_and_not_the_bookkeeping(filled: Tortie, store: SQLiteStore) -> None:
    document = json.loads(filled("get", "gnp", "g", "-o", "json").stdout)
    assert document["metadata"]["resourceVersion"] == str(store.revision())
    assert "annotations" not in document["metadata"]


@pytest.mark.parametrize("form", ["json", "yaml"])
def test_what_is_printed_can_be_applied(filled: Tortie, form: str) -> None:
    for kind in ("pods", "gnp"):
        again = filled(
            "apply", "-f", "-", stdin=filled("get", kind, *(["-A"] if kind == "pods" else []), "-o", form).stdout
        )
        assert {line.rpartition(" ")[2] for line in again.stdout.splitlines()} == {"unchanged"}


def test_what_is_listed_in_many_pages_is_shown_whole(filled: Tortie, store: SQLiteStore) -> None:
    names = [f"p{number:04}" for number in range(1_001)]
    pods = (json.dumps({"metadata": {"name": name, "namespace": "many"}}) for name in names)
    store.transact(
        [], [Put(f"{kinds.POD.prefix}many/{name}", pod.encode()) for name, pod in zip(names, pods, strict=True)]
    )
    assert filled("get", "pods", "-n", "many", "-o", "name").stdout.split() == [f"pod/{name}" for name in names]


@pytest.mark.parametrize("value", [b"not JSON", b'{"metadata": 5}', b'{"metadata": {"name": "aaa", "labels": 5}}'])
def test_an_unreadable_value_does_not_hide_the_others(filled: Tortie, store: SQLiteStore, value: bytes) -> None:
    store.apply("/tortie/kubernetes/pods/a/aaa", value)
    result = filled("get", "pods", "-n", "a", "-o", "name")
    assert result.stdout == "pod/web\n"
    assert result.stderr.startswith("Warning: Pod a/aaa cannot be read")


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("networkpolicies", kinds.NETWORK_POLICY),
        ("networkpolicy.networking.k8s.io", kinds.K8S_NETWORK_POLICY),
        ("NetworkPolicies.projectcalico.org", kinds.NETWORK_POLICY),
        ("netpol", kinds.K8S_NETWORK_POLICY),
        ("NS", kinds.NAMESPACE),
        ("ipp", kinds.IP_POOL),
    ],
)
def test_kinds_have_many_names(name: str, kind: Kind) -> None:
    assert resolve_kind(name) is kind


@pytest.mark.parametrize(
    ("name", "meant"), [("netpols", "netpol"), ("gnpp", "gnp"), ("workloadendpiont", "workloadendpoint"), ("x", None)]
)
def test_an_unknown_kind_is_answered_with_the_one_it_resembles(tortie: Tortie, name: str, meant: str | None) -> None:
    said = tortie("get", name, status=2).stderr
    assert f"{name!r} is not a kind" in said
    assert (f"did you mean {meant}?" in said) == (meant is not None)
    assert ("there are bgpconfigurations, " in said) == (meant is None)


@pytest.mark.parametrize("verb", ["get", "delete"])
@pytest.mark.parametrize("arguments", [["\udcff"], ["x", "-n", "\udcff"]], ids=["name", "namespace"])
def test_bytes_that_are_no_text_are_no_name(
    tortie: Tortie, store: SQLiteStore, verb: str, arguments: list[str]
) -> None:
    assert "is not UTF-8 text" in tortie(verb, "np", *arguments, status=2).stderr


@pytest.mark.parametrize("arguments", [["foo"], ["pod.example.com"], ["pods", "a/b"], ["pods", "web", "-A"]])
def test_wrong_usage_is_status_2(tortie: Tortie, store: SQLiteStore, arguments: list[str]) -> None:
    assert "Error: " in tortie("get", *arguments, status=2).stderr


@given(
    st.one_of(
        st.text(max_size=10),
        st.sampled_from(["1e3", "no", "010", "0o7", "1_0", "~", "null", "=", "<<", "2024-01-01", "!x", "*a"]),
    )
)
def test_printed_yaml_reads_back_as_it_was(text: str) -> None:
    document = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "a", "annotations": {"k": text}}, "spec": {}}
    printed = yaml_text(document)
    result = read(printed)
    assert [str(error) for error in result.errors] == []
    assert result.resources[0].document["metadata"]["annotations"] == {"k": text}
    assert result.warnings == ()
