"""Documents of a cluster, as its API servers print them, to resources: decoded and checked, nothing filled in.

Like a stored value a document may have fields that we do not know, for a cluster has let it pass; what its kind's declaration or the
semantic rules refuse is refused here too, and so is what stops Calico's agents, for then there is no answer. Kinds of other groups (a Deployment, a ConfigMap) are no matter of policy, and left aside;
a kind that we do not know of a group that has policies is refused, since leaving it aside could open something.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

from tortie.analysis.nodes import calico_node, is_kubernetes_node
from tortie.model import kinds
from tortie.model.codec import Document, InvalidResourceError, from_document
from tortie.model.fieldpath import path_text
from tortie.model.fieldvalues import suggestion
from tortie.model.kinds import KINDS, Kind, ResourceKey, kind_with_header
from tortie.model.meta import Resource
from tortie.model.validation import violations

_WITH_POLICIES = ("projectcalico.org", "networking.k8s.io")
"""What the groups' names end with whose kinds must not be left aside."""

_LEFT_ASIDE = ("Ingress", "IngressClass", "IPAddress", "ServiceCIDR")
"""Kinds of Kubernetes' networking group that are none of policy."""

_MAPS = ("labels", "annotations", "matchLabels", "selector", "labelsToApply")
"""Fields whose keys are people's own."""

_PLACE = re.compile(r"(?P<message>.*) - at `\$\.?(?P<path>.*)`", re.DOTALL)
"""How msgspec says where it stopped."""


class UnreadableDocumentError(ValueError):
    """A document that cannot be taken: which one, of what kind and name, which field, and what was expected."""


class ReadDocument(NamedTuple):
    """A resource, and which document it was: ``resources[3]``."""

    place: str
    resource: Resource


def read_documents(documents: Iterable[object]) -> dict[ResourceKey, ReadDocument]:
    """The resources of *documents*, lists taken apart, in their order; UnreadableDocumentError for the first that cannot be taken."""
    found: dict[ResourceKey, ReadDocument] = {}
    for place, document in _taken_apart(documents, "resources"):
        kind = _kind(place, document)
        if kind is None:
            continue
        resource = _resource(place, kind, document)
        key = ResourceKey(kind, resource.metadata.namespace, resource.metadata.name)
        if key in found:
            raise UnreadableDocumentError(f"{place}: {key} is given twice")
        found[key] = ReadDocument(place, resource)
    return found


def _taken_apart(documents: Iterable[object], place: str) -> Iterator[tuple[str, Document]]:
    for index, document in enumerate(documents):
        here = f"{place}[{index}]"
        if not isinstance(document, dict):
            raise UnreadableDocumentError(f"{here}: expected an object with apiVersion and kind, got {document!r:.60}")
        name = document.get("kind")
        if isinstance(name, str) and name.endswith("List") and "items" in document:
            items = document["items"] or ()
            if not isinstance(items, list):
                raise UnreadableDocumentError(f"{here}: items: expected a list, got {items!r:.60}")
            yield from _taken_apart(items, f"{here}.items")
        else:
            yield here, document


# --- which kind ------------------------------------------------------------------------------------------------------------


def _kind(place: str, document: Document) -> Kind | None:
    """The kind of a document; None if it is to be left aside."""
    name, api_version = document.get("kind"), document.get("apiVersion")
    if not isinstance(name, str) or not isinstance(api_version, str):
        missing = "kind" if not isinstance(name, str) else "apiVersion"
        raise UnreadableDocumentError(f"{place}: {missing} is missing; a resource has apiVersion and kind")
    if is_kubernetes_node(document):
        return kinds.NODE
    found = kind_with_header(api_version, name)
    if found is not None and found.name == name:  # in other letters no API server would take it
        return found
    if is_no_matter_of_policy(api_version, name):
        return None
    known = sorted(kind.name for kind in KINDS if kind.api_version == api_version)
    if not known:
        of_name = sorted(kind.api_version for kind in KINDS if kind.name == name)
        expected = f"; known: {', '.join(of_name)}" if of_name else ""
        raise UnreadableDocumentError(f"{place}: {name} {_name(document)}: {api_version} is not known{expected}")
    hint = suggestion(name, known)
    raise UnreadableDocumentError(
        f"{place}: {name} {_name(document)}: {name!r} is not a known kind of {api_version}{hint}"
    )


def is_no_matter_of_policy(api_version: str, name: str) -> bool:
    """Whether a kind is to be left aside: it is not known, and none that could open or close something."""
    if kind_with_header(api_version, name) is not None:
        return False
    return not api_version.rpartition("/")[0].endswith(_WITH_POLICIES) or name in _LEFT_ASIDE


# --- reading ---------------------------------------------------------------------------------------------------------------


def _resource(place: str, kind: Kind, document: Document) -> Resource:
    if is_kubernetes_node(document):
        document = calico_node(document)
    document = _in_its_namespace(kind, _without_nulls(document))
    where = f"{place}: {kind.name} {_name(document)}"
    try:
        resource = from_document(document, kind.struct)
    except InvalidResourceError as error:
        raise UnreadableDocumentError(f"{where}: {_sentence(str(error))}") from error
    broken = [found for found in violations(kind, resource, document) if not found.at_door_only or found.stops_agents]
    if broken:
        found = "; ".join(f"{path_text(path)}: {message}" for path, message, *_ in broken)
        raise UnreadableDocumentError(f"{where}: {found}")
    return resource


def _without_nulls(document: Document) -> Document:
    """Null is nothing to an API server, wherever a field may be; in a map of labels it stays, and is refused."""
    return {
        field: _kept(value) if field not in _MAPS else value for field, value in document.items() if value is not None
    }


def _kept(value: Any) -> Any:
    if isinstance(value, dict):
        return _without_nulls(value)
    return [_kept(item) for item in value] if isinstance(value, list) else value


def _in_its_namespace(kind: Kind, document: Document) -> Document:
    """A namespaced document without a namespace is of ``default``, as if it had been applied."""
    metadata = document.get("metadata")
    if not isinstance(metadata, dict):
        return document
    if kind.namespaced:
        return document if metadata.get("namespace") else {**document, "metadata": {**metadata, "namespace": "default"}}
    return {**document, "metadata": {field: value for field, value in metadata.items() if field != "namespace"}}


def _name(document: Document) -> str:
    metadata = document.get("metadata")
    if not isinstance(metadata, dict):
        return "without metadata"
    namespace, name = metadata.get("namespace"), metadata.get("name")
    return f"{namespace}/{name}" if namespace else f"{name}"


def _sentence(text: str) -> str:
    """Msgspec's sentence with the field before it, as everywhere else."""
    found = _PLACE.fullmatch(text)
    if found is None or not found["path"]:
        return text
    return f"{found['path']}: {found['message']}"
