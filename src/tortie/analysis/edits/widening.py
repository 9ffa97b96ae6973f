"""One criterion of a rule that nearly matches, changed so that it holds as well for one flow more: a port, a peer, a label's value."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from tortie.analysis.edits.operations import Operation, added, value_at
from tortie.analysis.edits.words import FlowInWords, Words
from tortie.analysis.provenance import Origin
from tortie.model import kinds
from tortie.model.fieldpath import FieldPath
from tortie.model.policy import Direction
from tortie.selectors import SelectorError, parse
from tortie.selectors.syntax import Compare, Comparison, OneOf

_PORTS_KINDS = (kinds.K8S_NETWORK_POLICY, kinds.CLUSTER_NETWORK_POLICY)


def widened(origin: Origin, words: FlowInWords, direction: Direction) -> Iterator[Operation]:
    """Changes of the rule at *origin*, each of one criterion; whether it is the one that fails is not looked at."""
    document, namespace = origin.written.document, origin.written.key.namespace
    rule = value_at(document, origin.path)
    if not isinstance(rule, dict):
        return
    kind = origin.written.key.kind
    if kind in _PORTS_KINDS:
        yield from _of_kubernetes(origin, rule, words, namespace)
    else:
        yield from _of_calico(origin, rule, words, namespace, direction)


# --- Kubernetes' ---------------------------------------------------------------------------------------------------------------


def _of_kubernetes(origin: Origin, rule: Words, words: FlowInWords, namespace: str) -> Iterator[Operation]:
    document, path = origin.written.document, origin.path
    of_cluster = origin.written.key.kind is kinds.CLUSTER_NETWORK_POLICY
    port = words.cluster_port() if of_cluster else words.kubernetes_port()
    field = "protocols" if of_cluster else "ports"
    if port is not None and rule.get(field):
        yield added(document, (*path, field), port)
    peer = words.cluster_peer() if of_cluster else words.kubernetes_peer(namespace)
    for end in ("from", "to"):
        if rule.get(end):
            if peer is not None:
                yield added(document, (*path, end), peer)
            for number in range(len(rule[end])):
                yield from _values(origin, (*path, end, number), words)


def _values(origin: Origin, peer: FieldPath, words: FlowInWords) -> Iterator[Operation]:
    """The other end's value, put among those of a label that the peer's expressions name."""
    document = origin.written.document
    for selector in ("podSelector", "namespaceSelector"):
        for start in ((), ("pods",)):
            path = (*peer, *start, selector, "matchExpressions")
            for number, expression in enumerate(value_at(document, path) or ()):
                value = words.label(expression.get("key", ""), of_namespace=selector == "namespaceSelector")
                if expression.get("operator") == "In" and value is not None:
                    yield added(document, (*path, number, "values"), value)


# --- Calico's --------------------------------------------------------------------------------------------------------------------


def _of_calico(
    origin: Origin, rule: Words, words: FlowInWords, namespace: str, direction: Direction
) -> Iterator[Operation]:
    document, path = origin.written.document, origin.path
    own, other = ("destination", "source") if direction is Direction.INGRESS else ("source", "destination")
    if value_at(rule, ("destination", "ports")) and words.port is not None:
        yield added(document, (*path, "destination", "ports"), words.port)
    peer, there = words.peer(namespace) or {}, value_at(rule, (other,)) or {}
    if there.get("nets") and "nets" in peer:
        yield added(document, (*path, other, "nets"), peer["nets"][0])
    if there.get("selector") and "selector" in peer:
        yield from _selector((*path, other, "selector"), there["selector"], peer["selector"], words)
    if there.get("namespaceSelector") and words.namespace:
        also = f"projectcalico.org/name == '{words.namespace}'"
        text = f"({there['namespaceSelector']}) || {also}"
        yield Operation("replace", (*path, other, "namespaceSelector"), text)
    yield from _exceptions((*path, other), there)
    yield from _exceptions((*path, own), value_at(rule, (own,)) or {})


def _selector(path: FieldPath, text: str, also: str, words: FlowInWords) -> Iterator[Operation]:
    """With a value more of the label that it names, or else with the other end beside what it selects."""
    try:
        node = parse(text).node
    except SelectorError:
        return
    match node:
        case Compare(label, Comparison.EQUAL, value):
            values = {value}
        case OneOf(label, several, False):
            values = set(several)
        case _:
            label, values = "", set()
    own = words.label(label) if label else None
    if own is not None and not any("'" in value for value in (*values, own)):
        told = ", ".join(f"'{value}'" for value in sorted({*values, own}))
        yield Operation("replace", path, f"{label} in {{{told}}}")
    yield Operation("replace", path, f"({text}) || ({also})")


def _exceptions(path: FieldPath, peer: dict[str, Any]) -> Iterator[Operation]:
    """Without one of what it excepts."""
    for field in ("notNets", "notPorts"):
        for index in range(len(peer.get(field) or ())):
            yield Operation("remove", (*path, field, index))
    if peer.get("notSelector"):
        yield Operation("remove", (*path, "notSelector"))
