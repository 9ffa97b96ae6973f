"""conversion.json: Kubernetes objects become Calico's with every expected part, are refused, or mean nothing."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any

import differences
import msgspec
from vectortables import Case, Judge, Mismatch, NotApplicable, expect

from tortie.conversion import ConversionError, convert, endpoint_of_pod
from tortie.conversion.label_selector import namespace_selector, pod_selector
from tortie.model.codec import Document, decode_document, encode_document, from_document, to_document
from tortie.model.kinds import K8S_NETWORK_POLICY, KINDS, Kind
from tortie.model.kubernetes import LabelSelector, Pod
from tortie.model.meta import Resource
from tortie.net import Protocol

_SELECTORS = {"pod": pod_selector, "namespace": namespace_selector}


def judge(case: Case) -> None:
    if case["kind"] == "LabelSelector":
        source = msgspec.convert(case["input"], LabelSelector | None)
        expect(_SELECTORS[case["as"]](source), case["selector"])
        return
    kind = next((kind for kind in KINDS if kind.is_kubernetes and kind.name == case["kind"]), None)
    if kind is None:
        raise NotApplicable(f"no kind {case['kind']!r} in this project")
    outcome, found = _converted(kind, case["input"])
    expect(outcome, case["result"], "result")
    parts = case["expect"] if outcome == "fine" else []
    for part in parts:
        if not _is_own_name(kind, part, found):
            _judge_part(part, _at(found, part["path"]))
    if any(_is_own_name(kind, part, found) for part in parts):
        raise NotApplicable(differences.DERIVED_NAME)


def _is_own_name(kind: Kind, part: Case, found: Document) -> bool:
    """Whether *part* wants a policy named as its source is; Calico's etcd has it under a prefix, and so have we."""
    return (
        kind is K8S_NETWORK_POLICY
        and part["path"] == "metadata.name"
        and found["metadata"]["name"] == f"knp.default.{part.get('value')}"
    )


def _converted(kind: Kind, document: Document) -> tuple[str, Document]:
    metadata = dict(document.get("metadata") or {})
    if kind.namespaced:
        metadata.setdefault("namespace", "default")
    try:
        meant = _meant(from_document({**document, "metadata": metadata}, kind.struct))
    except ConversionError:
        return "error", {}
    return ("fine", decode_document(encode_document(to_document(meant[0])))) if meant else ("nothing", {})


def _meant(resource: Resource) -> list[Resource]:
    if isinstance(resource, Pod):
        endpoint = endpoint_of_pod(resource)
        return [] if endpoint is None else [endpoint]
    return list(convert(resource).objects.values())


# --- expected parts --------------------------------------------------------------------------------------------------------


def _judge_part(part: Case, found: Any) -> None:
    field = _steps(part["path"])[-1]
    holds = _holds(part["is"], _plain(found, field), _plain(part.get("value"), field))
    if holds is bool(part.get("not")):
        negated = "not " if part.get("not") else ""
        raise Mismatch(f"{part['path']} should {negated}{part['is']} {part.get('value')!r}, found {found!r}")


def _holds(matcher: str, found: Any, wanted: Any) -> bool:
    match matcher:
        case "BeNil" | "BeEmpty":
            return found in (None, "", [], {})
        case "HaveLen":
            return len(found or ()) == (wanted or 0)
        case "ConsistOf":
            return sorted(map(_sortable, found or ())) == sorted(map(_sortable, wanted or ()))
        case "Equal":
            return bool(found == wanted)
        case _:
            raise Mismatch(f"no matcher {matcher!r} is known")


def _sortable(value: Any) -> str:
    return json.dumps(value, sort_keys=True)


def _plain(value: Any, name: str = "") -> Any:
    """Without what is zero to Go, which prints some of that and not the rest; protocols, which are the same in any spelling, in ours."""
    match value:
        case dict():
            items = {field: _plain(item, field) for field, item in value.items()}
            return {field: item for field, item in items.items() if item not in (None, "", 0, [], {})} or None
        case list():
            return [_plain(item, name) for item in value] or None
        case str() | int() if name in ("protocol", "notProtocol"):
            return _protocol(value)
        case _:
            return value


def _protocol(value: str | int) -> str | int:
    try:
        return Protocol.parse(value).to_builtin()
    except ValueError:
        return value


def _steps(path: str | list[str]) -> list[str]:
    return [step for step in re.split(r"[.\[\]]+", path) if step] if isinstance(path, str) else path


def _at(document: Any, path: str | list[str]) -> Any:
    """What stands at *path*, None where there is nothing; fields that only differ in case are the same."""
    for step in _steps(path):
        if isinstance(document, list):
            document = document[int(step)] if int(step) < len(document) else None
        elif isinstance(document, dict):
            folded = {name.lower(): name for name in document}
            document = document.get(step, document.get(folded.get(step.lower(), step)))
        else:
            return None
    return document


def test_kubernetes_objects_mean_what_the_vectors_say(run_table: Callable[[str, Judge], None]) -> None:
    run_table("conversion.json", judge)
