"""Policies, tiers and profiles."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Literal

from tortie.model.checks.metadata import check_policy_name, is_dns_subdomain
from tortie.model.checks.rule import check_destination_services, check_direction, check_rule, check_selector
from tortie.model.checks.violation import Violation, at_most, distinct, one_of, under
from tortie.model.codec import Document
from tortie.model.meta import ObjectMeta
from tortie.model.policy import Direction, GlobalNetworkPolicySpec, NetworkPolicySpec, ProfileSpec, Rule, Tier

BUILT_IN_TIERS: Mapping[str, tuple[int, Literal["Deny", "Pass"]]] = {
    "default": (1_000_000, "Deny"),
    "kube-admin": (1_000, "Pass"),
    "kube-baseline": (10_000_000, "Pass"),
}
"""Order and default action of the tiers that are always there."""

_CLUSTER_POLICY_NAME = re.compile(r"kcnp\.(admin|baseline)\..")


def check_global_policy_name(metadata: ObjectMeta) -> Iterator[Violation]:
    """``name`` or ``tier.name``, or ``kcnp.<tier>.<name>`` for what a ClusterNetworkPolicy means.

    The longer names of what other Kubernetes objects mean are for policies of a namespace.
    """
    if _CLUSTER_POLICY_NAME.match(metadata.name):
        return  # a subdomain like every name
    yield from check_policy_name(metadata)
    if metadata.name.count(".") > 1 and not list(check_policy_name(metadata)):
        message = f"{metadata.name!r} is not a global policy's name: one word, or two joined by a dot (tier.name)"
        yield Violation(("name",), message, at_door_only=True)


def check_policy_spec(spec: NetworkPolicySpec) -> Iterator[Violation]:
    """What holds for policies of a namespace and global ones."""
    yield from check_selector("selector", spec.selector)
    yield from check_selector("serviceAccountSelector", spec.service_account_selector)
    yield from distinct(("types",), spec.types)
    if not is_dns_subdomain(spec.tier):
        message = f"{spec.tier!r} is not a tier's name: lower-case letters, digits and '-', at most 63"
        yield Violation(("tier",), message, at_door_only=True)
    yield from distinct(("performanceHints",), spec.performance_hints)
    for index, hint in enumerate(spec.performance_hints):
        yield from one_of(("performanceHints", index), hint, ("AssumeNeededOnEveryNode",))
    for field, rules in (("ingress", spec.ingress), ("egress", spec.egress)):
        yield from _check_rules(field, rules)
        for index, rule in enumerate(rules):
            yield from under((field, index), check_direction(rule, egress=field == "egress"))
            yield from under((field, index), check_destination_services(rule))


def check_global_policy_spec(spec: GlobalNetworkPolicySpec) -> Iterator[Violation]:
    """Policy without a namespace, and its uses on host endpoints."""
    yield from check_policy_spec(spec)
    yield from check_selector("namespaceSelector", spec.namespace_selector)
    for field, wanted in (("doNotTrack", spec.do_not_track), ("preDNAT", spec.pre_dnat)):
        if wanted and not spec.apply_on_forward:
            yield Violation((field,), f"{field} needs applyOnForward: true")
    if spec.pre_dnat:
        if spec.do_not_track:
            yield Violation(("preDNAT",), "preDNAT and doNotTrack exclude each other")
        if spec.egress or Direction.EGRESS in spec.types:
            yield Violation(("egress" if spec.egress else "types",), "a preDNAT policy governs ingress only")
    for field, rules in (("ingress", spec.ingress), ("egress", spec.egress)):
        for index, rule in enumerate(rules):
            for end, entity in (("source", rule.source), ("destination", rule.destination)):
                if entity.services is not None and not entity.services.namespace:
                    path = (field, index, end, "services", "namespace")
                    yield Violation(path, "a global policy must say the service's namespace")


def check_profile_spec(spec: ProfileSpec) -> Iterator[Violation]:
    """Rules of a profile."""
    yield from _check_rules("ingress", spec.ingress)
    yield from _check_rules("egress", spec.egress)


def _check_rules(field: str, rules: tuple[Rule, ...]) -> Iterator[Violation]:
    yield from at_most((field,), rules, 1024)
    for index, rule in enumerate(rules):
        yield from under((field, index), check_rule(rule))


def check_tier(tier: Tier) -> Iterator[Violation]:
    """The built-in tiers keep their order and default action."""
    order, action = BUILT_IN_TIERS.get(tier.metadata.name, (tier.spec.order, tier.spec.default_action))
    if tier.spec.order not in (None, order):
        yield Violation(("spec", "order"), f"the order of the tier {tier.metadata.name} must be {order}")
    if tier.spec.default_action != action:
        yield Violation(("spec", "defaultAction"), f"the tier {tier.metadata.name} must have default action {action}")


def check_icmp_by_number(document: Document) -> Iterator[Violation]:
    """ICMP fields beside a protocol given as a number need ipVersion: Calico's agents cannot tell the family then."""
    spec = document.get("spec", {})
    for field in ("ingress", "egress"):
        for index, rule in enumerate(spec.get(field, ())):
            numeric = any(str(rule.get(name, "")).isdecimal() for name in ("protocol", "notProtocol"))
            if numeric and ("icmp" in rule or "notICMP" in rule) and "ipVersion" not in rule:
                message = "ICMP fields beside a protocol's number need ipVersion; or write ICMP or ICMPv6"
                yield Violation(("spec", field, index), message, at_door_only=True, stops_agents=True)
