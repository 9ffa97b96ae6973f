"""A new policy for one flow: what decides where no policy, or only a tier's end, did; it leaves all else as it is.

One in the deciding tier, before all that were asked there; or, where profiles decided, one that passes the rest on to them.
"""

from __future__ import annotations

from collections.abc import Iterator

from tortie.analysis.edits.edit import Change
from tortie.analysis.edits.state import State
from tortie.analysis.edits.words import FlowInWords, Words, selector_of
from tortie.model import kinds
from tortie.model.kinds import ResourceKey
from tortie.model.policy import Action
from tortie.verdict import Cause, Decision
from tortie.verdict.names import DEFAULT_TIER
from tortie.verdict.order import reference
from tortie.verdict.refs import EndpointRef, HostEndpointRef, PolicyRef
from tortie.verdict.trace import Stage

_FIRST_ORDER = 100
"""Of a policy before others that have no order."""


class NewPolicies:
    """The policies that may turn one decision."""

    def __init__(self, state: State, words: FlowInWords, decision: Decision, wanted: Action) -> None:
        self._state = state
        self._words = words
        self._decision = decision
        self._direction = decision.direction
        self._field = decision.direction.lower()
        self._wanted = wanted

    def changes(self) -> Iterator[Change]:
        """One change for each form that the policy may have."""
        for document in self._documents():
            created = self._state.creation(document)
            if created is not None:
                yield created

    def _documents(self) -> Iterator[Words]:
        judge, decision = self._decision.endpoint, self._decision
        ends_tier = decision.cause in (Cause.POLICY_RULE, Cause.TIER_DEFAULT)
        tier = decision.tier if ends_tier else DEFAULT_TIER
        if isinstance(judge, EndpointRef):
            in_kubernetes = self._wanted is Action.ALLOW and tier == DEFAULT_TIER and ends_tier
            documents = list(self._kubernetes_policy(judge.namespace)) if in_kubernetes else []
            yield from documents
            if documents and self._words.port is not None and self._is_of_kubernetes:
                return  # who writes Kubernetes' policies is not told to write one of Calico's
            yield from self._calico_policy("NetworkPolicy", judge.namespace, tier, passes_on=not ends_tier)
        elif isinstance(judge, HostEndpointRef):
            yield from self._calico_policy("GlobalNetworkPolicy", "", tier, passes_on=not ends_tier)

    @property
    def _is_of_kubernetes(self) -> bool:
        """Whether all policies that were asked in the deciding tier are Kubernetes' own."""
        asked = [self._state.provenance.policy(traced.policy) for traced in self._decision.tiers[-1].policies]
        return all(origin is not None and origin.written.key.kind is kinds.K8S_NETWORK_POLICY for origin in asked)

    def _kubernetes_policy(self, namespace: str) -> Iterator[Words]:
        rule, labels = self._words.kubernetes_rule(namespace), self._words.own_labels
        if rule is None or labels is None:
            return
        spec = {
            "podSelector": {"matchLabels": dict(labels)} if labels else {},
            "policyTypes": [str(self._direction)],
            self._field: [rule],
        }
        metadata = {"name": self._name("networking.k8s.io/v1", namespace, ""), "namespace": namespace}
        yield {"apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy", "metadata": metadata, "spec": spec}

    def _calico_policy(self, kind: str, namespace: str, tier: str, *, passes_on: bool) -> Iterator[Words]:
        rule, selector = self._words.rule(str(self._wanted), namespace), self._own_selector()
        if rule is None or selector is None:
            return
        rules = [rule, {"action": "Pass"}] if passes_on else [rule]
        order = self._order()
        spec = {
            **({"tier": tier} if tier != DEFAULT_TIER else {}),
            **({"order": order} if order is not None else {}),
            "selector": selector,
            "types": [str(self._direction)],
            **({"applyOnForward": True} if self._decision.stage is Stage.FORWARD else {}),
            self._field: rules,
        }
        metadata: Words = {"name": self._name("projectcalico.org/v3", namespace, tier)}
        if namespace:
            metadata["namespace"] = namespace
        yield {"apiVersion": "projectcalico.org/v3", "kind": kind, "metadata": metadata, "spec": spec}

    def _own_selector(self) -> str | None:
        judge = self._decision.endpoint
        if isinstance(judge, HostEndpointRef):
            endpoint = next((e for e in self._state.cluster.host_endpoints if e.name == judge.name), None)
            return selector_of(dict(endpoint.labels)) or None if endpoint is not None else None
        labels = self._words.own_labels
        return None if labels is None else selector_of(labels) or "all()"

    def _order(self) -> float | None:
        """Before all that were asked in the deciding tier."""
        tier = self._decision.tiers[-1] if self._decision.tiers else None
        found = [self._policy_order(traced.policy) for traced in tier.policies] if tier is not None else []
        known = [order for order in found if order is not None]
        if not found:
            return None
        return _whole(min(known) - 1) if known else _FIRST_ORDER

    def _policy_order(self, policy: PolicyRef) -> float | None:
        tiers = self._state.cluster.policies.tiers
        return next(each.spec.order for tier in tiers for each in tier.policies if reference(each) == policy)

    def _name(self, api_version: str, namespace: str, tier: str) -> str:
        """A name that nobody has."""
        verb = "allow" if self._wanted is Action.ALLOW else "deny"
        prefix = f"{tier}." if tier not in ("", DEFAULT_TIER) else ""
        base = f"{prefix}{verb}-{self._field}-{self._words.title}"[:60].rstrip("-")
        kind_name = "NetworkPolicy" if namespace else "GlobalNetworkPolicy"
        kind = kinds.kind_with_header(api_version, kind_name)
        assert kind is not None
        numbered = (base, *(f"{base}-{number}" for number in range(2, 100)))
        return next((n for n in numbered if not self._state.has(ResourceKey(kind, namespace, n))), base)


def _whole(number: float) -> float | int:
    return int(number) if number == int(number) else number
