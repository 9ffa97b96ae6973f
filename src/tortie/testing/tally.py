"""What packets were tried and what decided on them, so that a test cannot pass without having tested anything."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence

import msgspec

from tortie.model.kinds import kind_of
from tortie.model.meta import Resource
from tortie.model.policy import GlobalNetworkPolicy, NetworkPolicy, Profile, Rule
from tortie.model.staged import StagedGlobalNetworkPolicy, StagedNetworkPolicy
from tortie.testing.flows import Crossing
from tortie.verdict import Decision, EndpointRef, Flow, HostEndpointRef, HostRef, HostVerdict, PolicyRef, RuleTrace

_POLICIES = (NetworkPolicy, GlobalNetworkPolicy, StagedNetworkPolicy, StagedGlobalNetworkPolicy)

SECTIONS = {
    "flows": "packets by what they are, through and stopped",
    "causes": "decisions by stage, whose, verdict and cause",
    "rules": "rules that matched, by kind of policy, stage, direction and action",
    "criteria": "criteria of the rules that matched",
}
"""The counters of a tally, and what each counts."""


class Tally:
    """Counts. ``begin`` each state, then ``add`` each packet of it."""

    def __init__(self) -> None:
        self.counts: dict[str, Counter[str]] = {section: Counter() for section in SECTIONS}
        self._rules: dict[tuple[str, str], tuple[str, tuple[Rule, ...]]] = {}
        self._criteria: dict[int, tuple[str, ...]] = {}

    def __getitem__(self, section: str) -> Counter[str]:
        return self.counts[section]

    @property
    def total(self) -> int:
        return self["flows"]["all through"] + self["flows"]["all stopped"]

    def merge(self, counts: Mapping[str, Mapping[str, int]]) -> None:
        """Add what another tally has counted."""
        for section, found in counts.items():
            self.counts[section].update(found)

    # --- counting ----------------------------------------------------------------------------------------------------------

    def begin(self, resources: Iterable[Resource]) -> None:
        """The policies of the packets that follow are those of *resources*."""
        self._rules.clear()
        self._criteria.clear()
        for resource in resources:
            if isinstance(resource, _POLICIES):
                name = str(PolicyRef(kind_of(resource).name, resource.metadata.namespace, resource.metadata.name))
                kind = _kind_of_policy(resource)
            elif isinstance(resource, Profile):
                name, kind = resource.metadata.name, "profile"
            else:
                continue
            self._rules[name, "Ingress"] = kind, resource.spec.ingress
            self._rules[name, "Egress"] = kind, resource.spec.egress

    def add(self, flow: Flow | None, crossings: Sequence[Crossing], verdicts: Sequence[HostVerdict]) -> None:
        allowed = all(verdict.allowed for verdict in verdicts)
        packet = crossings[0].packet
        for kind in ("all", f"IPv{packet.family}", str(packet.protocol), _path(flow)):
            self["flows"][f"{kind} {'through' if allowed else 'stopped'}"] += 1
        for verdict in verdicts:
            for decision in verdict.decisions:
                self._add_decision(decision)

    def _add_decision(self, decision: Decision) -> None:
        word = "allowed" if decision.allowed else "denied"
        self["causes"][f"{decision.stage} of {_whose(decision)}: {word} by {decision.cause}"] += 1
        for tier in decision.tiers:
            for policy in tier.policies:
                self._add_rules(str(policy.policy), decision, policy.rules)
        for profile in decision.profiles:
            self._add_rules(profile.profile, decision, profile.rules)

    def _add_rules(self, name: str, decision: Decision, traces: Sequence[RuleTrace]) -> None:
        for trace in traces:
            if trace.mismatch:
                continue
            kind, rules = self._rules.get((name, decision.direction), ("built-in profile", ()))
            self["rules"][f"{kind}, {decision.stage}, {decision.direction}, {trace.action}"] += 1
            if rules:
                self["criteria"].update(self._criteria_of(rules[trace.index]))

    def _criteria_of(self, rule: Rule) -> tuple[str, ...]:
        if id(rule) not in self._criteria:
            self._criteria[id(rule)] = tuple(sorted(criteria(rule)))
        return self._criteria[id(rule)]

    # --- telling -----------------------------------------------------------------------------------------------------------

    def lines(self) -> Iterator[str]:
        """All counts, by section."""
        for section, title in SECTIONS.items():
            yield f"{title}:"
            yield from (f"  {count:>9,}  {name}" for name, count in sorted(self.counts[section].items()))


def criteria(rule: Rule) -> set[str]:
    """By what *rule* matches, in the words of its fields."""
    found = {name for name in _set_fields(rule) if name not in ("action", "source", "destination", "metadata")}
    for side in ("source", "destination"):
        peer = getattr(rule, side)
        found |= {f"{side}.{name}" for name in _set_fields(peer)}
        found |= {
            f"{side}.{field} by name"
            for field in ("ports", "not_ports")
            if any(p.is_named for p in getattr(peer, field))
        }
    return found or {"nothing"}


def _set_fields(value: msgspec.Struct) -> list[str]:
    return [name for name in value.__struct_fields__ if getattr(value, name)]


def _kind_of_policy(policy: Resource) -> str:
    name = policy.metadata.name
    of_kubernetes = {"knp.default.": "Kubernetes NetworkPolicy", "kcnp.": "ClusterNetworkPolicy"}
    found = [kind for prefix, kind in of_kubernetes.items() if name.startswith(prefix)]
    return found[0] if found else kind_of(policy).name


def _path(flow: Flow | None) -> str:
    if flow is None:
        return "at one host"
    return f"{_end(flow.source)} to {_end(flow.destination)}"


def _end(end: object) -> str:
    return "workload" if isinstance(end, EndpointRef) else "host" if isinstance(end, HostRef) else "outside"


def _whose(decision: Decision) -> str:
    return "host" if isinstance(decision.endpoint, HostEndpointRef) else "workload" if decision.endpoint else "nobody"
