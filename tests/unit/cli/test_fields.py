"""``tortie fields`` says what each field is, from the declarations alone."""

from __future__ import annotations

import json
from typing import Annotated, Any, Literal

import pytest
from click.testing import CliRunner, Result
from msgspec import Meta
from msgspec.inspect import VarTupleType, type_info

from tortie.cli.main import cli
from tortie.cli.reference.docstrings import attribute_docs, class_doc
from tortie.cli.reference.naming import find_place, group, names, stem
from tortie.cli.reference.tree import NO_DEFAULT, describe_kind, structs
from tortie.cli.reference.types import choices, limits, type_text
from tortie.model import kinds, kubernetes, policy
from tortie.model.kinds import KINDS, Kind, find_kind
from tortie.model.scalars import any_case


def run(*arguments: str, status: int = 0) -> Result:
    result = CliRunner().invoke(cli, ["fields", *arguments])
    assert result.exit_code == status, result.output
    return result


def shown(*arguments: str) -> dict[str, Any]:
    value = json.loads(run(*arguments, "-o", "json").stdout)
    assert isinstance(value, dict)
    return value


# --- from the source -------------------------------------------------------------------------------------------------------


def test_a_docstring_belongs_to_the_attribute_before_it() -> None:
    docs = attribute_docs(policy.TierSpec)
    assert set(docs) <= {"order", "default_action"}
    assert "decides" in docs["default_action"]


def test_inherited_fields_keep_their_docstrings() -> None:
    docs = attribute_docs(policy.GlobalNetworkPolicySpec)
    assert docs["order"] == attribute_docs(policy.NetworkPolicySpec)["order"]


def test_members_of_enums_have_docstrings_too() -> None:
    assert "next rule" in attribute_docs(policy.Action)["LOG"]


def test_what_is_not_ours_has_no_docstrings() -> None:
    assert class_doc(dict) == ""
    assert attribute_docs(dict) == {}


def test_descriptions_call_fields_as_files_do() -> None:
    assert "match_labels" in class_doc(kubernetes.LabelSelector)
    (selector,) = (
        struct for struct in structs(describe_kind(kinds.K8S_NETWORK_POLICY)) if struct.cls is kubernetes.LabelSelector
    )
    assert "`matchLabels`" in selector.description


# --- the tree --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS, ids=stem)
def test_a_kind_begins_with_its_header(kind: Kind) -> None:
    root = describe_kind(kind)
    assert [field.name for field in root.fields[:3]] == ["apiVersion", "kind", "metadata"]
    assert all(field.required for field in root.fields[:3])


@pytest.mark.parametrize("kind", KINDS, ids=stem)
def test_every_type_has_words_and_descriptions_are_for_people(kind: Kind) -> None:
    for struct in structs(describe_kind(kind)):
        assert "``" not in struct.description
        for field in struct.fields:
            assert type_text(field.type)
            assert "``" not in field.description


@pytest.mark.parametrize("kind", KINDS, ids=stem)
def test_a_kind_has_one_struct_of_each_name(kind: Kind) -> None:
    names = [struct.cls.__name__ for struct in structs(describe_kind(kind))]
    assert len(set(names)) == len(names)


def test_a_struct_is_required_only_if_something_in_it_is() -> None:
    tier = describe_kind(kinds.TIER)
    assert {field.name: field.required for field in tier.fields} == {
        "apiVersion": True, "kind": True, "metadata": True, "spec": False,
    }  # fmt: skip


def test_defaults_that_say_nothing_are_not_told() -> None:
    spec = describe_kind(kinds.GLOBAL_NETWORK_POLICY).field("spec")
    assert spec is not None
    assert spec.struct is not None
    defaults = {field.name: field.default for field in spec.struct.fields if field.default is not NO_DEFAULT}
    assert defaults == {"tier": "default", "doNotTrack": False, "preDNAT": False, "applyOnForward": False}


# --- names -----------------------------------------------------------------------------------------------------------------


def test_every_kind_has_a_page_name_that_finds_it() -> None:
    assert len({stem(kind) for kind in KINDS}) == len(KINDS)
    for kind in KINDS:
        assert {find_place(name).kind for name in names(kind)} == {kind}
    assert stem(kinds.NETWORK_POLICY) == "networkpolicy"
    assert stem(kinds.K8S_NETWORK_POLICY) == "networkpolicy.networking.k8s.io"


@pytest.mark.parametrize(
    ("words", "kind", "path"),
    [
        ("gnp", "GlobalNetworkPolicy", ""),
        ("GlobalNetworkPolicies", "GlobalNetworkPolicy", ""),
        ("gnp.SPEC.prednat", "GlobalNetworkPolicy", "spec.preDNAT"),
        ("gnp.spec.ingress[0].source.nets[1]", "GlobalNetworkPolicy", "spec.ingress.source.nets"),
        ("gnp.metadata.labels[example.com/role]", "GlobalNetworkPolicy", "metadata.labels"),
        ("networkpolicy.networking.k8s.io.spec.podSelector", "NetworkPolicy", "spec.podSelector"),
        ("networkpolicy.projectcalico.org.spec.types", "NetworkPolicy", "spec.types"),
        ("netpol.spec.ingress.from", "NetworkPolicy", "spec.ingress.from"),
        ("node.kind", "Node", "kind"),
    ],
)
def test_names_are_found_in_any_case_and_as_errors_print_them(words: str, kind: str, path: str) -> None:
    found = shown(words)
    assert (found["kind"], found["path"]) == (kind, path)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("globalnetworkpolcy", "'globalnetworkpolcy' is not a kind; did you mean GlobalNetworkPolicy?; there are "),
        ("gnp.spce", "GlobalNetworkPolicy has no field 'spce'; did you mean spec?; there are apiVersion, kind, metadata, spec"),
        ("gnp.spec.ingress.src", "GlobalNetworkPolicy.spec.ingress has no field 'src'"),
        ("gnp.spec.order.x", "GlobalNetworkPolicy.spec.order has no fields, so no 'x'"),
        ("gnp.", "GlobalNetworkPolicy has no field ''"),
    ],
)  # fmt: skip
def test_a_name_that_is_not_there_is_explained(words: str, message: str) -> None:
    assert message in run(words, status=2).stderr


# --- what is printed -------------------------------------------------------------------------------------------------------


def test_a_field_is_shown_with_all_that_is_known_of_it() -> None:
    found = shown("gnp.spec.ingress.action")
    assert (found["type"], found["required"]) == ("text", True)
    assert [choice["value"] for choice in found["values"]] == ["Allow", "Deny", "Log", "Pass"]
    assert found["values"][2]["description"].startswith("Write a log entry")
    text = run("gnp.spec.ingress.action").stdout
    assert text.startswith(
        "KIND:        GlobalNetworkPolicy\nVERSION:     projectcalico.org/v3\nFIELD:       spec.ingress.action\n"
    )
    assert "\nREQUIRED:    yes\n" in text
    assert "\n             Log    Write a log entry" in text


@pytest.mark.parametrize(
    ("words", "kind_of_type"),
    [
        ("gnp.spec.ingress", "list of Rule"),
        ("gnp.spec.order", "number"),
        ("gnp.spec.doNotTrack", "true or false"),
        ("gnp.spec.ingress.ipVersion", "whole number"),
        ("gnp.spec.ingress.source.nets", "list of network"),
        ("gnp.spec.ingress.destination.ports", "list of port, range of ports or port name"),
        ("gnp.metadata.labels", "mapping of text to text"),
        ("netpol.spec.ingress.ports.port", "whole number or text"),
        ("wep.spec.mac", "MAC address"),
        ("bgppeer.spec.asNumber", "AS number"),
    ],
)
def test_types_are_told_in_words(words: str, kind_of_type: str) -> None:
    assert shown(words)["type"] == kind_of_type
    assert f"\nTYPE:        {kind_of_type}\n" in run(words).stdout


def test_choices_in_any_case_are_listed_as_declared() -> None:
    declared = type_info(Annotated[str, any_case("Yes", "No")])
    assert type_text(declared) == "text"
    assert [choice.value for choice in choices(declared)] == ["Yes", "No"]
    assert [choice.value for choice in choices(VarTupleType(declared))] == ["Yes", "No"]


def test_a_default_is_shown() -> None:
    assert "\nDEFAULT:     Deny\n" in run("tier.spec.defaultAction").stdout
    assert shown("tier.spec.defaultAction")["default"] == "Deny"
    assert "default" not in shown("tier.spec.order")


@pytest.mark.parametrize(
    ("words", "expected"),
    [("bgppeer.spec.asNumber", "0-4294967295, or two parts such as 1.10 in quotes"), ("tier.spec.order", None)],
)
def test_limits_are_shown(words: str, expected: str | None) -> None:
    assert shown(words).get("limits") == expected
    assert (f"\nLIMITS:      {expected}\n" in run(words).stdout) is (expected is not None)


@pytest.mark.parametrize(
    ("declared", "expected"),
    [
        (Annotated[int, Meta(ge=1, le=9)], "1 to 9"),
        (Annotated[int, Meta(ge=1)], "at least 1"),
        (Annotated[int, Meta(le=9)], "at most 9"),
        (Annotated[str, Meta(max_length=9)], "at most 9 characters"),
        (Annotated[str, Meta(pattern="^a$")], "as the pattern ^a$"),
        (tuple[Annotated[int, Meta(ge=1)], ...], "at least 1"),
        (tuple[Annotated[str, any_case("Yes", "No")], ...], "any case"),
        (str, ""),
    ],
    ids=str,
)
def test_limits_of_a_declaration_are_told_in_words(declared: Any, expected: str) -> None:
    assert limits(type_info(declared)) == expected


def test_fields_of_fields_are_shown_when_asked_for() -> None:
    assert "fields" not in next(field for field in shown("gnp")["fields"] if field["name"] == "spec")
    assert "\n      action  <text>  required; Allow, Deny, Log or Pass\n" in run("gnp", "--recursive").stdout
    spec = next(field for field in shown("gnp", "--recursive")["fields"] if field["name"] == "spec")
    ingress = next(field for field in spec["fields"] if field["name"] == "ingress")
    assert "action" in {field["name"] for field in ingress["fields"]}


def test_fields_that_are_kept_unread_are_told() -> None:
    assert "  Any other field is kept as it is.\n" in run("pod.spec").stdout
    assert "  Kept as they are: status.\n" in run("tier").stdout


@pytest.mark.parametrize("kind", KINDS, ids=stem)
@pytest.mark.parametrize("columns", [40, 80, 200])
def test_text_keeps_within_the_terminal(kind: Kind, columns: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", str(columns))
    for place in (stem(kind), f"{stem(kind)}.metadata"):
        lines = run(place).stdout.splitlines()
        assert [line for line in lines if len(line) > min(columns, 100) and " " in line.strip()] == []
        assert [line for line in lines if line != line.rstrip()] == []


@pytest.mark.parametrize("form", ["text", "json"])
def test_without_a_kind_the_kinds_are_listed(form: Literal["text", "json"]) -> None:
    printed = run("-o", form).stdout
    assert all(kind.name in printed and kind.api_version in printed for kind in KINDS)
    assert find_kind("gnp") is kinds.GLOBAL_NETWORK_POLICY
    assert group(kinds.POD) == ""
