"""The JSON Schemas accept what the reader of files accepts, and see the mistakes of shape that it sees."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner, Result
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from schema_checker import documents, fits

from tortie.cli.main import cli
from tortie.cli.reference.naming import stem
from tortie.cli.reference.schema import any_kind_schema, kind_schema
from tortie.cli.reference.tree import StructDoc, describe_kind
from tortie.cli.schema import ALL
from tortie.model import kinds
from tortie.model.document import read
from tortie.model.kinds import KINDS, Kind
from tortie.model.walk import Walk
from tortie.model.yamltree import MappingNode
from tortie.model.yamltree import documents as trees

SCHEMAS = {kind: kind_schema(kind) for kind in KINDS}
ANY = any_kind_schema()

Place = tuple[str | int, ...]


def accepted(kind: Kind, document: Any) -> bool:
    return fits(document, SCHEMAS[kind], SCHEMAS[kind])


def run(*arguments: str, status: int = 0) -> Result:
    result = CliRunner().invoke(cli, ["schema", *arguments])
    assert result.exit_code == status, result.output
    return result


# --- against the reader ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS, ids=stem)
@settings(max_examples=25, deadline=None)
@given(data=st.data())
def test_what_is_read_without_errors_fits_the_schema(kind: Kind, data: st.DataObject) -> None:
    document = data.draw(documents(kind))
    (node,) = trees(json.dumps(document))
    assert isinstance(node, MappingNode)
    walk = Walk(omit_zero=not kind.is_kubernetes)
    walk.resource(kind.struct, node)
    assert walk.errors == []
    assert accepted(kind, document)
    assert fits(document, ANY, ANY)


@pytest.mark.parametrize("kind", KINDS, ids=stem)
@settings(max_examples=25, deadline=None)
@given(data=st.data())
def test_mistakes_of_shape_are_seen_by_schema_and_reader(kind: Kind, data: st.DataObject) -> None:
    document = copy.deepcopy(data.draw(documents(kind)))
    mistakes = [*_unknown_fields(kind, document), *_wrong_types(document), *_missing(describe_kind(kind), document)]
    place, wrong = data.draw(st.sampled_from(mistakes))
    _put(document, place, wrong)
    assert not accepted(kind, document)
    assert not fits(document, ANY, ANY)
    assert read(json.dumps(document)).errors


MISSING = object()


def _unknown_fields(kind: Kind, document: Any) -> Iterator[tuple[Place, Any]]:
    """A field that nobody knows, in each object whose fields are all declared."""

    def below(struct: StructDoc, value: Any, place: Place) -> Iterator[tuple[Place, Any]]:
        if isinstance(value, list):
            for index, item in enumerate(value):
                yield from below(struct, item, (*place, index))
        elif isinstance(value, dict):
            if struct.kept is not None:
                yield (*place, "frobnicate"), 1
            for name, item in value.items():
                field = struct.field(name)
                if field is not None and field.struct is not None:
                    yield from below(field.struct, item, (*place, name))

    yield from below(describe_kind(kind), document, ())


def _wrong_types(document: Any, place: Place = ()) -> Iterator[tuple[Place, Any]]:
    """A list for each object, an object for each list and scalar."""
    if place and document is not None:
        yield place, [["x"]] if isinstance(document, dict) else {"frobnicate": 1}
    items = (
        document.items() if isinstance(document, dict) else enumerate(document) if isinstance(document, list) else ()
    )
    for part, item in items:
        yield from _wrong_types(item, (*place, part))


def _missing(struct: StructDoc, document: Any) -> Iterator[tuple[Place, Any]]:
    for field in struct.fields:
        if field.required:
            yield (field.name,), MISSING
            if field.struct is not None:
                yield from (((field.name, *place), wrong) for place, wrong in _missing(field.struct, document))


def _put(document: Any, place: Place, value: Any) -> None:
    *parents, last = place
    for part in parents:
        assume(not isinstance(document, list) or isinstance(part, int))
        document = document[part]
        assume(document is not None)
    if value is not MISSING:
        document[last] = value
    elif isinstance(document, dict):
        del document[last]
    else:
        assume(document)  # the first item of a list
        del document[0][last]


POLICY = "{apiVersion: projectcalico.org/v3, kind: GlobalNetworkPolicy, metadata: {name: x}, spec: {%s}}"


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        ("ingress: [{action: Allow, protocol: TCP, destination: {ports: [80, '8000:8080', http]}}]", True),
        ("ingress: [{action: Allow, protocol: 6}]", True),
        ("ingress: [{action: Allow, protocol: '6'}]", True),
        ("ingress: [{action: Allow, ipVersion: 4, source: {nets: [10.0.0.0/8, '192.0.2.1/32']}}]", True),
        ("selector: ", True),
        ("order: 1.5", True),
        ("applyOnForward: true, preDNAT: true, ingress: [], order: 10", True),
        ("ingress: [{}]", False),
        ("ingress: [{action: allow}]", False),
        ("ingress: [{action: Allow, ipVersion: 5}]", False),
        ("ingress: [{action: Allow, protocol: tcp}]", False),
        ("ingress: [{action: Allow, protocol: 300}]", False),
        ("ingress: [{action: Allow, protocol: TCP, destination: {ports: [70000]}}]", False),
        ("ingress: [{action: Allow, protocol: TCP, destination: {ports: ['80-90 ']}}]", False),
        ("ingress: [{action: Allow, source: {nets: [10.0.0.1]}}]", False),
        ("ingress: {action: Allow}", False),
        ("order: high", False),
        ("doNotTrack: 1", False),
        ("pre_dnat: true", False),
        ("types: [Ingress, Sideways]", False),
    ],
)
def test_schema_and_reader_agree_on_a_policy(spec: str, expected: bool) -> None:
    text = POLICY % spec
    assert accepted(kinds.GLOBAL_NETWORK_POLICY, yaml.safe_load(text)) is expected
    assert (not read(text).errors) is expected


@pytest.mark.parametrize(
    "document",
    [
        "{apiVersion: projectcalico.org/v3, kind: GlobalNetworkPolicy, metadata: {name: x, labels: {team: no}}}",
        "{apiVersion: projectcalico.org/v3, kind: GlobalNetworkPolicy, metadata: {name: x, labels: {version: 8}}}",
        "{apiVersion: projectcalico.org/v3, kind: GlobalNetworkPolicy, metadata: {name: x}, spec: {Selector: all()}}",
        "{apiVersion: projectcalico.org/v3, kind: globalnetworkpolicy, metadata: {name: x}}",
    ],
    ids=["truth-value-for-text", "number-for-text", "spelling-of-a-field", "spelling-of-the-kind"],
)
def test_the_schema_wants_what_the_reader_forgives(document: str) -> None:
    assert not read(document).errors
    assert not accepted(kinds.GLOBAL_NETWORK_POLICY, yaml.safe_load(document))


def test_a_cluster_wide_kind_has_no_namespace() -> None:
    tier = {"apiVersion": "projectcalico.org/v3", "kind": "Tier", "metadata": {"name": "x"}}
    assert accepted(kinds.TIER, tier)
    tier["metadata"] = {"name": "x", "namespace": "y"}
    assert not accepted(kinds.TIER, tier)


@pytest.mark.parametrize("kind", [kinds.POD, kinds.SERVICE], ids=stem)
def test_what_we_do_not_read_of_kubernetes_large_kinds_fits(kind: Kind) -> None:
    spec = {"dnsPolicy": "ClusterFirst", "containers": [{"name": "a", "resources": {}}]}
    document = {"apiVersion": "v1", "kind": kind.name, "metadata": {"name": "x"}, "spec": spec, "more": 1}
    assert accepted(kind, document)


# --- the schema of any kind ------------------------------------------------------------------------------------------------


def test_the_schema_of_all_kinds_judges_by_kind() -> None:
    tier = {"apiVersion": "projectcalico.org/v3", "kind": "Tier", "metadata": {"name": "x"}}
    assert fits(tier, ANY, ANY)
    assert fits({"apiVersion": "v1", "kind": "List", "items": [tier]}, ANY, ANY)
    assert not fits({**tier, "kind": "Tear"}, ANY, ANY)
    assert not fits({**tier, "spec": {"selector": "all()"}}, ANY, ANY)
    assert not fits({"apiVersion": "v1", "kind": "List", "items": [{**tier, "kind": "Tear"}]}, ANY, ANY)


def test_kinds_of_one_name_have_definitions_of_their_own() -> None:
    calico, kubernetes = (SCHEMAS[kind]["$defs"] for kind in (kinds.NETWORK_POLICY, kinds.K8S_NETWORK_POLICY))
    assert "NetworkPolicySpec" in calico
    assert "NetworkPolicySpec" in kubernetes
    assert {"policy.NetworkPolicySpec", "kubernetes.NetworkPolicySpec"} <= ANY["$defs"].keys()


# --- the command -----------------------------------------------------------------------------------------------------------


def test_a_kind_is_printed() -> None:
    assert json.loads(run("gnp").stdout) == SCHEMAS[kinds.GLOBAL_NETWORK_POLICY]
    assert json.loads(run("networkpolicy.networking.k8s.io").stdout) == SCHEMAS[kinds.K8S_NETWORK_POLICY]
    assert json.loads(run("--all").stdout) == ANY


def test_files_of_all_kinds_are_written(tmp_path: Path) -> None:
    printed = run("-o", str(tmp_path / "new")).stdout.splitlines()
    written = {path.name: json.loads(path.read_text()) for path in (tmp_path / "new").iterdir()}
    assert written == {**{f"{stem(kind)}.json": SCHEMAS[kind] for kind in KINDS}, ALL: ANY}
    assert sorted(printed) == sorted(str(tmp_path / "new" / name) for name in written)


def test_one_file_is_written_for_one_kind(tmp_path: Path) -> None:
    run("tier", "-o", str(tmp_path))
    assert [path.name for path in tmp_path.iterdir()] == ["tier.json"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "expected KIND, --all, or -o DIR for files of all kinds"),
        (["tier", "--all"], "KIND and --all exclude each other"),
        (["teir"], "'teir' is not a kind; did you mean Tier?"),
        (["tier.spec"], "'tier.spec' names a field; expected a kind alone, such as tier"),
    ],
)
def test_wrong_usage_is_explained(arguments: list[str], message: str) -> None:
    assert message in run(*arguments, status=2).stderr
