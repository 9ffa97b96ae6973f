"""Changes of policies that may turn one decision: of a rule that nearly matches, of the rule that decides, a new rule, a new policy.

None of them is known to do so: what is chosen is judged (``search``).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from tortie.analysis.edits.creation import NewPolicies
from tortie.analysis.edits.edit import Change
from tortie.analysis.edits.operations import Operation, added, value_at
from tortie.analysis.edits.state import State
from tortie.analysis.edits.widening import widened
from tortie.analysis.edits.words import FlowInWords, Words
from tortie.analysis.near import NearMiss
from tortie.analysis.provenance import Origin
from tortie.model import kinds
from tortie.model.fieldpath import FieldPath
from tortie.model.policy import Action
from tortie.verdict import Cause, Decision, Verdict
from tortie.verdict.refs import PolicyRef

_POLICIES_TRIED = 5
"""Into so many policies of a tier a new rule is tried to be put."""
_RULES_TRIED = 20
"""So many rules of a policy are looked at that do not nearly match."""
_CLUSTER_ACTIONS = {Action.ALLOW: "Accept", Action.DENY: "Deny"}
_RULED = (kinds.NETWORK_POLICY, kinds.GLOBAL_NETWORK_POLICY)


class Candidates:
    """What may make one decision of a verdict another."""

    def __init__(self, state: State, verdict: Verdict, decision: Decision) -> None:
        self._state = state
        self._decision = decision
        self._direction = decision.direction
        self._field = decision.direction.lower()
        self._words = FlowInWords(state.cluster, verdict.flow, decision.direction)
        self._wanted = Action.DENY if decision.allowed else Action.ALLOW

    def changes(self, near: Iterable[NearMiss]) -> Iterator[Change]:
        """All of them, those of rules that are there first; one may come twice."""
        if self._wanted is Action.ALLOW:
            origins = (self._origin(miss) for miss in near)
            for origin in _distinct((*origins, *self._kubernetes_rules())):
                yield from self._widened(origin)
        yield from self._of_deciding_rule()
        yield from self._new_rules()
        yield from NewPolicies(self._state, self._words, self._decision, self._wanted).changes()

    def _changed(self, origin: Origin, *operations: Operation) -> Iterator[Change]:
        change = self._state.change(origin.written, operations)
        if change is not None:
            yield change

    # --- rules that nearly match ------------------------------------------------------------------------------------------------

    def _origin(self, miss: NearMiss) -> Origin | None:
        if miss.direction is not self._direction or miss.action is not self._wanted:
            return None
        return self._state.provenance.rule(miss.owner, miss.direction, miss.rule)

    def _kubernetes_rules(self) -> Iterator[Origin]:
        """Of Kubernetes' policies in the deciding tier: one item more may bring a protocol and a port."""
        for traced in self._decision.tiers[-1].policies[:_POLICIES_TRIED] if self._decision.tiers else ():
            origin = self._state.provenance.policy(traced.policy)
            if origin is not None and origin.written.key.kind is kinds.K8S_NETWORK_POLICY:
                rules = value_at(origin.written.document, ("spec", self._field)) or ()
                yield from (
                    origin._replace(path=("spec", self._field, n)) for n in range(min(len(rules), _RULES_TRIED))
                )

    def _widened(self, origin: Origin) -> Iterator[Change]:
        if origin.path:
            for operation in widened(origin, self._words, self._direction):
                yield from self._changed(origin, operation)

    # --- the rule that decides -----------------------------------------------------------------------------------------------------

    def _of_deciding_rule(self) -> Iterator[Change]:
        origin = self._deciding
        if origin is None or not origin.path:
            return
        kind = origin.written.key.kind
        yield from self._changed(origin, Operation("remove", origin.path))
        if kind is not kinds.K8S_NETWORK_POLICY:  # whose rules have no action
            of_cluster = kind is kinds.CLUSTER_NETWORK_POLICY
            action = _CLUSTER_ACTIONS[self._wanted] if of_cluster else str(self._wanted)
            yield from self._changed(origin, Operation("replace", (*origin.path, "action"), action))
        for path in self._parts(origin):
            yield from self._changed(origin, Operation("remove", path))

    @property
    def _deciding(self) -> Origin | None:
        decision = self._decision
        if decision.rule is None:
            return None
        return self._state.provenance.rule(decision.policy or decision.profile, self._direction, decision.rule)

    def _parts(self, origin: Origin) -> Iterator[FieldPath]:
        """The items of its lists, of which each may be the one for which it matches; not the last, without which it would match all."""
        rule = value_at(origin.written.document, origin.path)
        fields: list[FieldPath] = [("from",), ("to",), ("ports",), ("protocols",)]
        fields += [(end, name) for end in ("source", "destination") for name in ("nets", "ports")]
        for field in fields:
            listed = value_at(rule, field)
            for index in range(len(listed) if isinstance(listed, list) and len(listed) > 1 else 0):
                yield (*origin.path, *field, index)

    # --- new rules -----------------------------------------------------------------------------------------------------------------

    def _new_rules(self) -> Iterator[Change]:
        decision = self._decision
        if decision.cause not in (Cause.POLICY_RULE, Cause.TIER_DEFAULT):
            return
        tier = decision.tiers[-1]
        governing = [traced.policy for traced in tier.policies if not traced.staged]
        for policy in dict.fromkeys((*governing[-1:], *governing[:_POLICIES_TRIED])):
            origin = self._state.provenance.policy(policy)
            if origin is not None:
                yield from self._with_rule(origin, policy)

    def _with_rule(self, origin: Origin, policy: PolicyRef) -> Iterator[Change]:
        kind, namespace = origin.written.key.kind, origin.written.key.namespace
        rule = self._rule(kind, namespace)
        if rule is None:
            return
        index = 0
        deciding = self._deciding
        if deciding is not None and self._decision.policy == policy:
            index = int(deciding.path[-1])
        yield from self._changed(origin, added(origin.written.document, ("spec", self._field), rule, index))

    def _rule(self, kind: kinds.Kind, namespace: str) -> Words | None:
        if kind in _RULED:
            return self._words.rule(str(self._wanted), namespace)
        if kind is kinds.CLUSTER_NETWORK_POLICY:
            return self._words.cluster_rule(_CLUSTER_ACTIONS[self._wanted])
        if kind is kinds.K8S_NETWORK_POLICY and self._wanted is Action.ALLOW:
            return self._words.kubernetes_rule(namespace)
        return None


def _distinct(origins: Iterable[Origin | None]) -> Iterable[Origin]:
    return {(origin.written.key, origin.path): origin for origin in origins if origin is not None}.values()
