"""What is allowed and usually regretted, as a table of advices: warnings for whoever writes a resource.

Calico accepts all of it, so nothing is refused, and stored data is never asked. Only what one resource shows by itself is
said here, and only where it is sure: a warning that is wrong teaches people to ignore the others.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import NamedTuple, TypeAlias

import msgspec

from tortie.model import kinds
from tortie.model.coverage import shadowed, shadowed_cluster_rules
from tortie.model.fieldpath import FieldPath
from tortie.model.kinds import Kind
from tortie.model.kubernetes import LabelSelector, LabelSelectorRequirement
from tortie.model.kubernetes import NetworkPolicy as KubernetesPolicy
from tortie.model.kubernetes_cluster_policy import ClusterNetworkPolicy, ClusterNetworkPolicyEgressRule
from tortie.model.meta import NAMESPACE_LABEL, Resource
from tortie.model.policy import (
    Action,
    Direction,
    GlobalNetworkPolicy,
    NetworkPolicy,
    Profile,
    Rule,
)
from tortie.model.staged import StagedGlobalNetworkPolicy, StagedKubernetesNetworkPolicy, StagedNetworkPolicy
from tortie.selectors import SelectorError, parse
from tortie.selectors.impossible import why_impossible
from tortie.selectors.syntax import All, And, Compare, Comparison, Has, Node, Not, OneOf

_Namespaced = NetworkPolicy | StagedNetworkPolicy
_Policy = NetworkPolicy | GlobalNetworkPolicy | StagedNetworkPolicy | StagedGlobalNetworkPolicy
_Kubernetes = KubernetesPolicy | StagedKubernetesNetworkPolicy


class Advice(NamedTuple):
    """Something that is allowed and looks unintended."""

    path: FieldPath
    message: str


Adviser: TypeAlias = Callable[[Resource], Iterable[Advice]]


def advice(kind: Kind, resource: Resource) -> Iterator[Advice]:
    """Everything to be said about *resource*, which is valid."""
    for adviser in (*ANY_KIND, *ADVISERS.get(kind, ())):
        yield from adviser(resource)


# --- selectors -------------------------------------------------------------------------------------------------------------


def impossible_selectors(resource: Resource) -> Iterator[Advice]:
    """Selectors of any field that nothing can match."""
    for path, node, text in _selectors(resource, ()):
        why = why_impossible(node)
        if why is None or node == Not(All()):  # nobody writes !all() by mistake
            continue
        effect = "so it excepts nothing" if path[-1] == "notSelector" else "so it never matches anything"
        yield Advice(path, f"{text}: {why}, {effect}")


def _selectors(value: object, path: FieldPath) -> Iterator[tuple[FieldPath, Node, str]]:
    """Every selector in *value*: the fields called so, and Kubernetes' label selectors."""
    if isinstance(value, LabelSelector):
        yield path, _label_selector_node(value), "this selector"
    elif isinstance(value, msgspec.Struct):
        # Not by structs.fields, which evaluates the annotations again for every value.
        for name, written in zip(value.__struct_fields__, value.__struct_encode_fields__, strict=True):
            part = getattr(value, name)
            here = (*path, written)
            if isinstance(part, str):
                yield from _selector(written, part, here)
            else:
                yield from _selectors(part, here)
    elif isinstance(value, tuple):
        for index, item in enumerate(value):
            yield from _selectors(item, (*path, index))


def _selector(name: str, text: str, path: FieldPath) -> Iterator[tuple[FieldPath, Node, str]]:
    if not text or not name.lower().endswith("selector"):
        return
    try:
        yield path, parse(text).node, repr(text)
    except SelectorError:  # reported by the checks, where the field is one
        return


def _label_selector_node(selector: LabelSelector) -> Node:
    equalities = [Compare(key, Comparison.EQUAL, value) for key, value in selector.match_labels.items()]
    return And((All(), *equalities, *map(_requirement_node, selector.match_expressions)))


def _requirement_node(requirement: LabelSelectorRequirement) -> Node:
    match requirement.operator:
        case "In" | "NotIn":
            return OneOf(requirement.key, frozenset(requirement.values), requirement.operator == "NotIn")
        case "Exists":
            return Has(requirement.key)
        case "DoesNotExist":
            return Not(Has(requirement.key))


def other_namespaces(resource: Resource) -> Iterator[Advice]:
    """Selectors of a NetworkPolicy, which mean its own namespace, that ask for another one."""
    assert isinstance(resource, _Namespaced)
    own = Compare(NAMESPACE_LABEL, Comparison.EQUAL, resource.metadata.namespace)
    places: list[tuple[FieldPath, str, str]] = [(("spec", "selector"), resource.spec.selector, "move the policy there")]
    for path, rule in _rules(resource):
        for end, entity in (("source", rule.source), ("destination", rule.destination)):
            if not entity.namespace_selector:
                places.append(((*path, end, "selector"), entity.selector, "add a namespaceSelector to reach others"))
    for place, text, instead in places:
        node = parse(text).node
        if why_impossible(node) is None and why_impossible(And((node, own))) is not None:
            yield Advice(
                place, f"{text!r} never matches in this policy's namespace, {resource.metadata.namespace}; {instead}"
            )


# --- policies --------------------------------------------------------------------------------------------------------------


def _rules(resource: _Policy | Profile) -> Iterator[tuple[FieldPath, Rule]]:
    for field, rules in (("ingress", resource.spec.ingress), ("egress", resource.spec.egress)):
        for index, rule in enumerate(rules):
            yield ("spec", field, index), rule


def ignored_rules(resource: Resource) -> Iterator[Advice]:
    """Rules of a direction that the policy's ``types`` leaves out."""
    assert isinstance(resource, _Policy)
    spec = resource.spec
    yield from _ignored("types", spec.types, ingress=spec.ingress, egress=spec.egress)


def ignored_kubernetes_rules(resource: Resource) -> Iterator[Advice]:
    """The same of a Kubernetes NetworkPolicy."""
    assert isinstance(resource, _Kubernetes)
    spec = resource.spec
    yield from _ignored("policyTypes", spec.policy_types, ingress=spec.ingress, egress=spec.egress)


def _ignored(field: str, types: tuple[str, ...], **rules: tuple[object, ...]) -> Iterator[Advice]:
    for name, of_direction in rules.items():
        direction = Direction(name.capitalize())
        if types and of_direction and direction not in types:
            message = f"the {name} rules are ignored, since {field} is only {', '.join(types)}; add {direction} to it"
            yield Advice(("spec", name), message)


def shadowed_rules(resource: Resource) -> Iterator[Advice]:
    """Rules that never decide, since an earlier one matches all that they match."""
    assert isinstance(resource, _Policy | Profile)
    for field, rules in (("ingress", resource.spec.ingress), ("egress", resource.spec.egress)):
        for later, earlier in shadowed(rules):
            yield _shadow(field, later, earlier, str(rules[earlier].action))


def shadowed_rules_of_cluster_policy(resource: Resource) -> Iterator[Advice]:
    """The same of a ClusterNetworkPolicy."""
    assert isinstance(resource, ClusterNetworkPolicy)
    for later, earlier in shadowed_cluster_rules(resource.spec.ingress):
        yield _shadow("ingress", later, earlier, resource.spec.ingress[earlier].action)
    for later, earlier in shadowed_cluster_rules(resource.spec.egress):
        yield _shadow("egress", later, earlier, resource.spec.egress[earlier].action)


def _shadow(field: str, later: int, earlier: int, action: str) -> Advice:
    message = f"this rule never decides: {field}[{earlier}] before it matches all that it matches, with {action}"
    return Advice(("spec", field, later), message)


# --- what is not enforced as written -----------------------------------------------------------------------------------------


def unenforced_criteria(resource: Resource) -> Iterator[Advice]:
    """Criteria that packets are not judged by here: a rule is its other ones."""
    assert isinstance(resource, _Policy | Profile)
    for path, rule in _rules(resource):
        if rule.http is not None:
            yield Advice((*path, "http"), f"HTTP requests are not looked into: {_WIDER[rule.action]}")


_WIDER = {
    Action.ALLOW: "this rule allows the whole connection",
    Action.LOG: "this rule logs the whole connection",
    Action.DENY: "this rule denies the whole connection",
    Action.PASS: "this rule passes the whole connection on",
}


def unenforced_peers(resource: Resource) -> Iterator[Advice]:
    """Peers of a ClusterNetworkPolicy that cannot be told by address; rules that have them fail closed."""
    assert isinstance(resource, ClusterNetworkPolicy)
    for index, rule in enumerate(resource.spec.egress):
        for field, peer in _unenforced(rule):
            effect = "this rule accepts nothing" if rule.action == "Accept" else "this rule denies everything"
            yield Advice(("spec", "egress", index, "to", peer, field), f"peers by {field} are not supported; {effect}")


def _unenforced(rule: ClusterNetworkPolicyEgressRule) -> Iterator[tuple[str, int]]:
    for index, peer in enumerate(rule.to):
        if peer.nodes is not None:
            yield "nodes", index
        if peer.domain_names:
            yield "domainNames", index


# --- the table -------------------------------------------------------------------------------------------------------------

ANY_KIND: tuple[Adviser, ...] = (impossible_selectors,)

_OF_POLICIES: tuple[Adviser, ...] = (ignored_rules, shadowed_rules, unenforced_criteria)

ADVISERS: Mapping[Kind, tuple[Adviser, ...]] = {
    kinds.NETWORK_POLICY: (other_namespaces, *_OF_POLICIES),
    kinds.GLOBAL_NETWORK_POLICY: _OF_POLICIES,
    kinds.STAGED_NETWORK_POLICY: (other_namespaces, *_OF_POLICIES),
    kinds.STAGED_GLOBAL_NETWORK_POLICY: _OF_POLICIES,
    kinds.STAGED_KUBERNETES_NETWORK_POLICY: (ignored_kubernetes_rules,),
    kinds.PROFILE: (shadowed_rules, unenforced_criteria),
    kinds.K8S_NETWORK_POLICY: (ignored_kubernetes_rules,),
    kinds.CLUSTER_NETWORK_POLICY: (shadowed_rules_of_cluster_policy, unenforced_peers),
}
"""Beside ``ANY_KIND``, which is asked of every resource."""
