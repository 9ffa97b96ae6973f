"""The strategies draw valid documents of every kind, and every field that a declaration has."""

from __future__ import annotations

import sys
from typing import Any, Literal

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis.strategies import SearchStrategy

from tortie.model import kinds
from tortie.model.codec import Document, decode, encode_document, from_document
from tortie.model.document import read
from tortie.model.kinds import KINDS, Kind
from tortie.model.meta import CALICO, Resource, Value
from tortie.model.scalars import Duration
from tortie.model.validation import violations
from tortie.testing.documents import Field, declared_fields, declared_paths, documents, resources, used_fields
from tortie.testing.repair import repaired


def drawn(strategy: SearchStrategy[Document], count: int) -> list[Document]:
    """*count* documents, always the same."""
    found = []

    @settings(
        max_examples=count, derandomize=True, database=None, phases=[Phase.generate],
        suppress_health_check=list(HealthCheck), deadline=None,
    )  # fmt: skip
    @given(strategy)
    def draw(document: Document) -> None:
        found.append(document)

    draw()
    return found


def used(kind: Kind, found: list[Document]) -> set[Field]:
    return {field for document in found for field in used_fields(kind, document)}


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: f"{kind.name}.{kind.api_version}")
def test_every_declared_field_is_drawn_and_all_that_is_drawn_is_read_alike_by_both_readers(kind: Kind) -> None:
    found = drawn(documents(kind), 50)
    missing = declared_fields(kind) - used(kind, found)
    for path, field in declared_paths(kind):
        if field in missing:
            asked_for = drawn(documents(kind, having=path), 10)
            missing -= used(kind, asked_for)
            found += asked_for
    assert missing == set()
    for value in map(encode_document, found):
        result = read(value.decode())
        assert result.errors == ()
        assert [item.resource for item in result.resources] == [decode(value, kind.struct)]


class GadgetPart(Value, frozen=True, kw_only=True):
    wait: Duration


class GadgetSpec(Value, frozen=True, kw_only=True):
    size: int = 0
    parts: tuple[GadgetPart, ...] = ()
    mode: Literal["Fast", "Slow"] | None = None


class Gadget(Resource, frozen=True, kw_only=True, tag="Gadget"):
    api_version: Literal["projectcalico.org/v3"] = CALICO
    spec: GadgetSpec


def test_a_kind_that_is_declared_today_is_drawn_today(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "tortie.model.gadget", sys.modules[__name__])
    gadget = Kind("Gadget", CALICO, "gadgets", "gadget.Gadget", namespaced=False)
    fields = used(gadget, drawn(documents(gadget), 100))
    assert fields == declared_fields(gadget)
    assert {Field(GadgetSpec, "mode"), Field(GadgetPart, "wait")} <= fields
    assert Field(Gadget, "metadata") in fields


@given(resources(kinds.TIER))
def test_resources_are_typed(resource: Resource) -> None:
    assert isinstance(resource, kinds.TIER.struct)


def rule(**fields: Any) -> Document:
    spec = {"ingress": [{"action": "Deny", **fields}]}
    return {"kind": "NetworkPolicy", "apiVersion": CALICO, "metadata": {"name": "a", "namespace": "b"}, "spec": spec}


@pytest.mark.parametrize(
    ("fields", "keep"),
    [
        pytest.param({"icmp": {"type": 8}}, ("icmp", "type"), id="another field is added"),
        pytest.param({"http": {"methods": ["GET"]}, "protocol": 47}, ("http", "methods"), id="two others change"),
        pytest.param({"source": {"selector": "((", "nets": ["10.0.0.0/8"]}}, ("source", "selector"), id="itself changes"),
        pytest.param({"source": {"services": {"name": "s"}, "selector": "all()"}}, ("source", "selector"), id="another goes"),
    ],
)  # fmt: skip
def test_what_is_to_be_kept_is_kept_by_changing_the_rest(fields: dict[str, Any], keep: tuple[str, ...]) -> None:
    document = rule(**fields)
    found = repaired(kinds.NETWORK_POLICY, document, ("spec", "ingress", 0, *keep))
    assert found is not None
    assert list(violations(kinds.NETWORK_POLICY, from_document(found, kinds.NETWORK_POLICY.struct), found)) == []
    part = found["spec"]["ingress"][0]
    for name in keep:
        assert name in part
        part = part[name]
    assert document == rule(**fields)
    assert repaired(kinds.NETWORK_POLICY, document, ("spec", "ingress", 0, *keep)) == found


def test_a_valid_document_stays_as_it_is() -> None:
    document = rule(protocol="TCP", destination={"ports": [80]})
    assert repaired(kinds.NETWORK_POLICY, document, ()) == document
