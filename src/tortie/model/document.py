"""The reader of people's files: YAML or JSON to resources, and for every mistake its place and what was expected.

It walks the declarations of ``tortie.model`` beside the tree of a document, so no kind has code of its own here. Every
error of a file is reported, not only the first. What it returns is what will be stored: the plain document, and
the typed resource read from exactly that document, so the two cannot disagree. Defaults are not filled in here
(``tortie.model.defaults``); the semantic rules of ``tortie.model.validation`` and the advices of ``tortie.model.advice`` are
asked here, since here their field paths can still be turned into places. The reader of stored data is ``tortie.model.codec``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple, TypeAlias

from tortie.model import kinds
from tortie.model.advice import advice
from tortie.model.checks.policytest import check_policy_tests
from tortie.model.codec import Document, InvalidResourceError, from_document
from tortie.model.fieldpath import FieldPath, path_text
from tortie.model.fieldvalues import suggestion
from tortie.model.kinds import KINDS, Kind, ResourceKey, kind_with_header
from tortie.model.meta import Resource
from tortie.model.policytest import PolicyTests
from tortie.model.validation import violations
from tortie.model.walk import Finding, Walk, is_null
from tortie.model.yamltree import MappingNode, Node, Position, ScalarNode, SequenceNode, YAMLSyntaxError, documents


class Problem(NamedTuple):
    """Something to tell the author of a file; ``str()`` is the whole sentence with its place."""

    source: str
    """The file's name, as given to ``read``."""
    position: Position
    path: FieldPath
    text: str
    """The offending text; empty where something is missing."""
    message: str
    """What is wrong and what was expected."""

    def __str__(self) -> str:
        place = f"{self.source}:{self.position.line}:{self.position.column}: "
        return place + (f"{path_text(self.path)}: " if self.path else "") + self.message


class ReadResource(NamedTuple):
    """One resource of a file."""

    key: ResourceKey
    resource: Resource
    document: Document
    """What to store, before defaults."""
    position: Position
    source: str
    node: MappingNode
    """What was written."""

    def problem(self, path: FieldPath, message: str) -> Problem:
        """Something to tell about the field at *path*, in its place."""
        return _problem(self.source, self.node, path, message)


def _problem(source: str, node: Node, path: FieldPath, message: str) -> Problem:
    place = locate(node, path)
    text = place.text if isinstance(place, ScalarNode) else ""
    return Problem(source, place.position, path, text, message)


class ReadTests(NamedTuple):
    """What stands under ``tests`` beside a policy, or as a document of its own: it is no part of any resource."""

    beside: ResourceKey | None
    """The policy; None: of the document by itself."""
    spec: PolicyTests
    source: str
    node: MappingNode
    """What was written, ``tests`` and nothing else."""


class ReadResult(NamedTuple):
    """What a text holds: the resources without errors, and everything to be said about the others."""

    resources: tuple[ReadResource, ...]
    errors: tuple[Problem, ...]
    warnings: tuple[Problem, ...]
    tests: tuple[ReadTests, ...] = ()


Prepare: TypeAlias = Callable[[MappingNode], MappingNode | None]
"""What to read in place of a document; None: nothing."""


def read(
    text: str, *, source: str = "<input>", default_namespace: str = "default", prepare: Prepare = lambda node: node
) -> ReadResult:
    """Read every resource of *text*: documents, lists of them, and objects of kind List; empty documents are skipped.

    A namespaced resource without a namespace gets *default_namespace*. A document may also hold ``tests`` beside a policy, or alone.
    """
    return _Reading(source, default_namespace, prepare).read(text)


class _Reading:
    """The state of reading one text: what was found so far."""

    def __init__(self, source: str, default_namespace: str, prepare: Prepare) -> None:
        self._source = source
        self._default_namespace = default_namespace
        self._prepare = prepare
        self._resources: list[ReadResource] = []
        self._errors: list[Problem] = []
        self._warnings: list[Problem] = []
        self._tests: list[ReadTests] = []

    def read(self, text: str) -> ReadResult:
        try:
            for root in documents(text):
                self._root(root)
        except YAMLSyntaxError as error:
            self._error(error.position, (), "", f"{error} (YAML cannot be read further)")
        return ReadResult(tuple(self._resources), tuple(self._errors), tuple(self._warnings), tuple(self._tests))

    def _error(self, position: Position, path: FieldPath, text: str, message: str) -> None:
        self._errors.append(Problem(self._source, position, path, text, message))

    def _root(self, node: Node) -> None:
        if isinstance(node, ScalarNode):
            if not is_null(node):
                self._error(
                    node.position,
                    (),
                    node.text,
                    f"{node.text!r} is not a resource; expected a mapping with apiVersion and kind",
                )
        elif isinstance(node, SequenceNode):
            for item in node.items:
                self._root(item)
        elif _is_list(node):
            self._list(node)
        elif (prepared := self._prepare(node)) is not None:
            self._document(prepared)

    def _list(self, node: MappingNode) -> None:
        items = next((value for key, value in node.entries if key.text.lower() == "items"), None)
        if isinstance(items, SequenceNode):
            self._root(items)
        elif items is None or not is_null(items):
            place, text = (node, "") if items is None else (items, items.text if isinstance(items, ScalarNode) else "")
            self._error(place.position, ("items",), text, "expected a list of the resources")

    def _document(self, node: MappingNode) -> None:
        """A resource; or a policy with tests beside it; or tests alone."""
        if not any(key.text == _TESTS for key, _ in node.entries):
            self._resource(node)
            return
        tests, rest = (_part(node, is_tests=is_tests) for is_tests in (True, False))
        if not rest.entries:
            self._tests_beside(None, tests)
        elif (kind := _kind_of(node)) is not None and kind not in _WITH_TESTS:
            self._resource(node)
        elif (item := self._resource(rest)) is not None:
            self._tests_beside(item.key, tests)

    def _tests_beside(self, policy: ResourceKey | None, node: MappingNode) -> None:
        walk = Walk(omit_zero=False)
        document = walk.struct(PolicyTests, node)
        self._errors.extend(self._problems(walk.errors))
        self._warnings.extend(self._problems(walk.warnings))
        if walk.errors:
            return
        spec = from_document(document, PolicyTests)
        found = [_problem(self._source, node, path, message) for path, message, *_ in check_policy_tests(spec)]
        self._errors.extend(found)
        if not found:
            self._tests.append(ReadTests(policy, spec, self._source, node))

    def _resource(self, node: MappingNode) -> ReadResource | None:
        """Read it, and keep it if nothing is wrong with it."""
        kind = self._kind(node)
        if kind is None:
            return None
        walk = Walk(omit_zero=not kind.is_kubernetes)
        document = walk.resource(kind.struct, node)
        self._errors.extend(self._problems(walk.errors))
        self._warnings.extend(self._problems(walk.warnings))
        return None if walk.errors else self._finish(kind, node, document)

    def _problems(self, findings: Iterable[Finding]) -> Iterator[Problem]:
        return (Problem(self._source, *finding) for finding in findings)

    def _kind(self, node: MappingNode) -> Kind | None:
        name, api_version = _header(node, "kind"), _header(node, "apiVersion")
        if name is None or api_version is None:
            missing = "kind" if name is None else "apiVersion"
            self._error(node.position, (), "", f"{missing} is missing; a resource begins with apiVersion and kind")
            return None
        found = kind_with_header(api_version.text, name.text)
        if found is None:
            self._unknown_kind(name, api_version)
        return found

    def _unknown_kind(self, name: ScalarNode, api_version: ScalarNode) -> None:
        of_version = sorted(kind.name for kind in KINDS if kind.api_version == api_version.text)
        of_name = sorted(kind.api_version for kind in KINDS if kind.name.lower() == name.text.lower())
        if of_name or not of_version:
            known = of_name or sorted({kind.api_version for kind in KINDS})
            message = (
                f"{api_version.text!r} is not an apiVersion of {name.text}"
                if of_name
                else f"{api_version.text!r} is not a known apiVersion"
            )
            self._error(
                api_version.position, ("apiVersion",), api_version.text, f"{message}; known: {', '.join(known)}"
            )
        else:
            message = f"{name.text!r} is not a known kind of {api_version.text}{suggestion(name.text, of_version)}"
            self._error(name.position, ("kind",), name.text, f"{message}; known: {', '.join(of_version)}")

    def _finish(self, kind: Kind, node: MappingNode, document: Document) -> ReadResource | None:
        metadata = document["metadata"]
        if kind.namespaced:
            metadata.setdefault("namespace", self._default_namespace)
        elif "namespace" in metadata:
            path: FieldPath = ("metadata", "namespace")
            message = f"a {kind.name} belongs to no namespace; leave this out"
            self._error(locate(node, path).position, path, metadata["namespace"], message)
            return None
        try:
            resource = from_document(document, kind.struct)
        except InvalidResourceError as error:  # a constraint of the declaration that the walk does not know
            self._error(node.position, (), "", str(error))
            return None
        key = ResourceKey(kind, metadata.get("namespace", ""), metadata["name"])
        item = ReadResource(key, resource, document, node.position, self._source, node)
        found = [item.problem(path, message) for path, message, *_ in violations(kind, resource, document)]
        self._errors.extend(found)
        if found:
            return None
        self._warnings.extend(item.problem(path, message) for path, message in advice(kind, resource))
        self._resources.append(item)
        return item


def _header(node: MappingNode, field: str) -> ScalarNode | None:
    for key, value in node.entries:
        if key.text.lower() == field.lower() and isinstance(value, ScalarNode) and value.text:
            return value
    return None


_TESTS = "tests"
_WITH_TESTS = (
    kinds.NETWORK_POLICY,
    kinds.GLOBAL_NETWORK_POLICY,
    kinds.STAGED_NETWORK_POLICY,
    kinds.STAGED_GLOBAL_NETWORK_POLICY,
    kinds.STAGED_KUBERNETES_NETWORK_POLICY,
    kinds.K8S_NETWORK_POLICY,
    kinds.CLUSTER_NETWORK_POLICY,
)
"""Kinds beside which tests may stand."""


def _part(node: MappingNode, *, is_tests: bool) -> MappingNode:
    """A document's ``tests``, or all else of it."""
    return MappingNode(node.position, tuple(entry for entry in node.entries if (entry[0].text == _TESTS) is is_tests))


def _kind_of(node: MappingNode) -> Kind | None:
    name, api_version = _header(node, "kind"), _header(node, "apiVersion")
    return None if name is None or api_version is None else kind_with_header(api_version.text, name.text)


def _is_list(node: MappingNode) -> bool:
    """Whether *node* is of kind ``List``, or ``NetworkPolicyList`` and the like; no kind of resource is called so."""
    kind = _header(node, "kind")
    return kind is not None and kind.text.lower().endswith("list")


def locate(node: Node, path: FieldPath) -> Node:
    """The node at *path*, or the nearest one above it that was written."""
    for part in path:
        if isinstance(node, MappingNode) and isinstance(part, str):
            spelled = [value for key, value in node.entries if key.text == part]
            found = next(
                iter(spelled or [value for key, value in node.entries if key.text.lower() == part.lower()]), None
            )
        elif isinstance(node, SequenceNode) and isinstance(part, int) and part < len(node.items):
            found = node.items[part]
        else:
            found = None
        if found is None:
            return node
        node = found
    return node
