"""``tortie get``: its forms, selectors, files and names."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml
from click.testing import Result
from example_manifests import PODS_AND_POLICY

from tortie.datastore.sqlite import SQLiteStore

Tortie = Callable[..., Result]

MANIFEST = (
    PODS_AND_POLICY
    + """---
{apiVersion: v1, kind: Pod, metadata: {name: bare, namespace: b}, spec: {containers: []}}
---
{apiVersion: projectcalico.org/v3, kind: GlobalNetworkPolicy, metadata: {name: h}, spec: {}}
"""
)


@pytest.fixture
def filled(tortie: Tortie) -> Tortie:
    tortie("apply", "-f", "-", stdin=MANIFEST)
    return tortie


# --- forms -----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("form", "printed"),
    [
        ("jsonpath={.items[*].metadata.name}", "g h"),
        ('jsonpath={range .items[*]}{.metadata.name}={.spec.order}{"\\n"}{end}', "g=10\nh=\n"),
        ("custom-columns=NAME:.metadata.name,ORDER:.spec.order", "NAME   ORDER\ng      10\nh      <none>\n"),
        ("custom-columns=name,order", "NAME   ORDER\ng      10\nh      *\n"),
        ("custom-columns=TYPES:{.spec.types[*]}", "TYPES\nIngress\nIngress\n"),
    ],
)
def test_forms_of_ones_own(filled: Tortie, form: str, printed: str) -> None:
    assert filled("get", "gnp", "-o", form).stdout == printed


def test_a_form_may_come_from_a_file(filled: Tortie, tmp_path: Path) -> None:
    (tmp_path / "columns").write_text("NAME            ORDER\n.metadata.name  .spec.order\n")
    (tmp_path / "path").write_text("{.items[0].metadata.name}")
    assert filled("get", "gnp", "-o", f"custom-columns-file={tmp_path}/columns").stdout.splitlines()[1] == "g      10"
    assert filled("get", "gnp", "-o", f"jsonpath-file={tmp_path}/path").stdout == "g"


@pytest.mark.parametrize(
    ("form", "message"),
    [
        ('go-template={{range .items}}{{.metadata.name}} {{end}}', "use -o jsonpath='{range .items[*]}{.metadata.name} {end}'"),
        ("go-template={{if .spec}}x{{end}}", "use -o jsonpath=something like '{range .items[*]}"),
        ("go-template", "use -o jsonpath=something like"),
        ("jsonpath={.a", "is no JSONPath: the brace before '.a' is not closed"),
        ("jsonpath", "'jsonpath' is no form; expected ps, wide, yaml"),
        ("custom-columns=FOO", "'FOO' is no column of GlobalNetworkPolicy; there are NAME, NAMESPACE, TIER, ORDER, SELECTOR"),
        ("custom-columns=A:.a[", "is no part of a path"),
        ("xml", "'xml' is no form"),
    ],
)  # fmt: skip
def test_a_form_that_there_is_not_is_told(filled: Tortie, form: str, message: str) -> None:
    assert message in " ".join(filled("get", "gnp", "-o", form, status=2).stderr.split())


def test_export_leaves_out_what_is_this_clusters(filled: Tortie) -> None:
    exported = yaml.safe_load(filled("get", "pod", "web", "-n", "a", "-o", "yaml", "--export").stdout)
    assert exported["metadata"] == {"name": "web", "namespace": "a", "labels": {"role": "front", "tier": "x"}}


# --- which ones ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("selectors", "names"),
    [
        (["role=front"], ["web"]),
        (["role==back"], ["db"]),
        (["role!=front"], ["bare", "db"]),
        (["role"], ["db", "web"]),
        (["!role"], ["bare"]),
        (["role in (front, back),!tier"], ["db"]),
        (["role notin (front)"], ["bare", "db"]),
        (["role=front,tier=x"], ["web"]),
        (["role", "tier"], ["web"]),
        (["role == 'back' || has(tier)"], ["db", "web"]),
        (["all()"], ["bare", "db", "web"]),
        (["role="], []),
    ],
)
def test_selectors_are_ours_or_kubectls(filled: Tortie, selectors: list[str], names: list[str]) -> None:
    options = [option for selector in selectors for option in ("-l", selector)]
    assert sorted(filled("get", "pods", "-A", "-o", "name", *options).stdout.split()) == [
        f"pod/{name}" for name in names
    ]


@pytest.mark.parametrize("selector", ["role=", "a b", "role in x", "has(", "role=a b", "=a"])
def test_what_is_no_selector_is_told(filled: Tortie, selector: str) -> None:
    status = 0 if selector == "role=" else 2
    result = filled("get", "pods", "-A", "-l", selector, status=status)
    assert status == 0 or "is no selector" in result.stderr


@pytest.mark.parametrize("form", ["jsonpath-file", "custom-columns-file", "go-template-file"])
def test_a_form_in_a_file_that_is_no_text_is_told_with_its_place(filled: Tortie, tmp_path: Path, form: str) -> None:
    file = tmp_path / "form"
    file.write_bytes(b"{\xff}")
    assert f"{file}:1:2: not UTF-8 text" in filled("get", "gnp", "-o", f"{form}={file}", status=1).stderr


def test_files_name_what_is_shown(filled: Tortie, tmp_path: Path) -> None:
    (tmp_path / "all.yaml").write_text(MANIFEST)
    tables = filled("get", "-f", str(tmp_path)).stdout.split("\n\n")
    assert [table.split()[:2] for table in tables] == [["NAMESPACE", "NAME"], ["NAME", "TIER"]]
    assert json.loads(filled("get", "-f", str(tmp_path), "-o", "json").stdout)["kind"] == "List"
    one = "{apiVersion: v1, kind: Pod, metadata: {name: web}, spec: {containers: []}}"
    assert filled("get", "-f", "-", "-n", "a", "-o", "jsonpath={.spec.nodeName}", stdin=one).stdout == "h1"
    assert filled("get", "-f", "-", stdin=one, status=1).stderr == "Error: Pod default/web does not exist\n"


def test_names_may_stand_after_their_kind(filled: Tortie) -> None:
    assert filled("get", "gnp/g", "-o", "name").stdout == "globalnetworkpolicy.projectcalico.org/g\n"
    assert len(filled("get", "gnp/g", "gnp/h", "-o", "name").stdout.split()) == 2


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["gnp", ""], "a name cannot be empty"),
        (["gnp", "g", "-n", "x"], "GlobalNetworkPolicy is not namespaced: leave out --namespace"),
        (["gnp", "-A"], "GlobalNetworkPolicy is not namespaced: leave out --all-namespaces"),
        (["gnp", "-f", "x"], "not both"),
        ([], "not both"),
        (["gnp/g", "pod/web"], "'pod/web' is not a GlobalNetworkPolicy"),
    ],
)
def test_wrong_words_are_told(filled: Tortie, words: list[str], message: str) -> None:
    assert message in filled("get", *words, status=2).stderr


def test_tiers_stand_in_their_order_and_the_built_in_ones_always_do(tortie: Tortie, store: SQLiteStore) -> None:
    tiers = "".join(
        f"{{apiVersion: projectcalico.org/v3, kind: Tier, metadata: {{name: {name}}}, spec: {{order: {order}}}}}\n---\n"
        for name, order in (("last", 99_000_000), ("first", 1), ("admin", 1_000))
    )
    tortie("apply", "-f", "-", stdin=tiers)
    names = tortie("get", "tiers", "-o", "custom-columns=NAME").stdout.split()[1:]
    assert names == ["first", "admin", "kube-admin", "default", "kube-baseline", "last"]
    assert tortie("get", "tier", "default", "-o", "jsonpath={.spec.order}").stdout == "1000000"
    printed = tortie("get", "tiers", "-o", "yaml").stdout
    assert tortie("apply", "-f", "-", stdin=printed).stdout.count("created") == 3
