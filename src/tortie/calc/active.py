"""Which policies govern which endpoints of this host, and in which order. A policy that governs none never leaves the graph.

policies ──► selectors, each text once ──► LabelIndex ◄── labels of this host's endpoints
                                               ▼
                          Groups: endpoints that the same selectors match ──► TierLists
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping

from tortie.calc.groups import Group, Groups
from tortie.calc.hoststate import EndpointId, PolicyId, TierPolicies
from tortie.calc.listing import Listing
from tortie.calc.policies import CompiledPolicy
from tortie.calc.resolver import Places, Stage, TierLists
from tortie.calc.visits import Visits
from tortie.model.policy import Tier
from tortie.selectors import LabelIndex, MatchStarted, Selector
from tortie.selectors.index import MatchChanges

_OF_WORKLOADS = (Stage.NORMAL,)


class ActivePolicies:
    """Policies against the labels of local endpoints.

    ``changed_policies`` and ``changed_endpoints`` collect what may be sent differently, until their reader clears them.
    """

    def __init__(self, visits: Visits) -> None:
        self._visits = visits
        self._policies: dict[PolicyId, CompiledPolicy] = {}
        self._policies_of: Listing[str, PolicyId] = Listing()
        """By their selector's text."""
        self._pending: dict[PolicyId, CompiledPolicy | None] = {}
        self._index: LabelIndex[EndpointId] = LabelIndex()
        self._places = Places()
        self._groups = Groups(self._index.selectors_of)
        self.changed_policies: set[PolicyId] = set()
        self.changed_endpoints: set[EndpointId] = set()

    def set_policy(self, policy_id: PolicyId, policy: CompiledPolicy | None) -> None:
        """What a policy is from now on; None: there is none."""
        self._pending[policy_id] = policy

    def set_endpoint(self, endpoint_id: EndpointId, labels: Mapping[str, str]) -> None:
        """Know an endpoint from now on, or its new labels."""
        self._groups.add(endpoint_id)
        self.changed_endpoints.add(endpoint_id)
        self._note(self._index.set_item(endpoint_id, labels))

    def remove_endpoint(self, endpoint_id: EndpointId) -> None:
        """Forget an endpoint; nothing happens if it is not known."""
        self._groups.remove(endpoint_id)
        self._note(self._index.remove_item(endpoint_id))
        self.changed_endpoints.add(endpoint_id)

    def settle(self, tiers: Mapping[str, Tier], *, are_tiers_changed: bool) -> None:
        """Work out what the changes since the last call mean for every list."""
        touched = self._take_policies()
        touched |= self._groups.settle()
        for group in self._groups.all() if are_tiers_changed else touched:
            if group.endpoints:
                self._refresh(group, tiers)
        self._places.settle()

    def active(self, policy_id: PolicyId) -> CompiledPolicy | None:
        """A policy if it governs an endpoint of this host, or asks to be ready before it does."""
        policy = self._policies.get(policy_id)
        return policy if policy is not None and self._is_active(policy) else None

    def tiers_of(self, endpoint_id: EndpointId, stage: Stage) -> tuple[TierPolicies, ...]:
        """The tiers of an endpoint at the last ``settle``; those of one group are one value."""
        return self._groups[endpoint_id].lists[stage].tiers

    # --- policies ------------------------------------------------------------------------------------------------------------

    def _take_policies(self) -> set[Group]:
        """Take in policies that came, went or moved; gives the groups whose lists hear of one."""
        moved: defaultdict[str, set[PolicyId]] = defaultdict(set)
        selectors: dict[str, Selector] = {}
        for policy_id, policy in self._pending.items():
            before = self._policies.get(policy_id)
            if policy == before:
                continue
            self.changed_policies.add(policy_id)
            for version in (before, policy):
                if version is not None and not _is_same_place(before, policy):
                    moved[version.selector.text].add(policy_id)
                    selectors[version.selector.text] = version.selector
            self._put(policy_id, before, policy)
        self._pending.clear()
        self._visits.count += sum(map(len, moved.values()))
        touched = set()
        for text, policies in moved.items():
            if self._policies_of.of(text):
                self._note(self._index.add_selector(text, selectors[text]), policies)
            else:
                self._note(self._index.remove_selector(text), policies)
            touched |= self._groups.tell(self._index.items_of(text), policies)
        return touched

    def _put(self, policy_id: PolicyId, before: CompiledPolicy | None, policy: CompiledPolicy | None) -> None:
        if before is not None:
            self._policies_of.discard(policy_id, (before.selector.text,))
        if policy is None:
            del self._policies[policy_id]
        else:
            self._policies[policy_id] = policy
            self._policies_of.add(policy_id, (policy.selector.text,))
        self._places.set(policy_id, policy.place if policy is not None else None)

    def _is_active(self, policy: CompiledPolicy) -> bool:
        """Policies of host endpoints alone are not active because of workloads that their selectors match too."""
        endpoints = self._index.items_of(policy.selector.text)
        if policy.is_needed_everywhere:
            return True
        if Stage.NORMAL in policy.place.stages:
            return bool(endpoints)
        return any(is_host_endpoint(endpoint_id) for endpoint_id in endpoints)

    # --- matches -------------------------------------------------------------------------------------------------------------

    def _note(self, changes: MatchChanges[EndpointId], had: Iterable[PolicyId] = ()) -> None:
        """Take in matches that started or stopped; *had* are policies that the selector had, and may not have now."""
        by_text: defaultdict[str, defaultdict[int, list[EndpointId]]] = defaultdict(lambda: defaultdict(list))
        for change in changes:
            by_text[change.selector_id][1 if isinstance(change, MatchStarted) else -1].append(change.item_id)
        self._visits.count += len(changes)
        for text, by_step in by_text.items():
            policies = {*self._policies_of.of(text), *had}
            if self._may_switch(text, by_step):
                self.changed_policies |= policies
            for step, endpoints in by_step.items():
                self.changed_endpoints.update(endpoints)
                self._groups.toggle(text, endpoints, policies, step)

    def _may_switch(self, text: str, by_step: Mapping[int, list[EndpointId]]) -> bool:
        """Whether these matches may make policies of the selector active or inactive."""
        count = len(self._index.items_of(text))
        count_before = count - sum(step * len(endpoints) for step, endpoints in by_step.items())
        return not count or not count_before or any(map(is_host_endpoint, (i for ids in by_step.values() for i in ids)))

    # --- lists ---------------------------------------------------------------------------------------------------------------

    def _refresh(self, group: Group, tiers: Mapping[str, Tier]) -> None:
        for lists in group.lists.values():
            lists.refresh(
                group.pending, lambda: self._governing(group), lambda policy_id: self._governs(group, policy_id)
            )
        has_hosts = any(map(is_host_endpoint, group.endpoints))
        for stage in Stage if has_hosts else _OF_WORKLOADS:
            if stage not in group.lists:
                group.lists[stage] = TierLists(stage, self._places, self._governing(group))
        for lists in group.lists.values():
            if lists.arrange(tiers):
                self.changed_endpoints |= group.endpoints
        self._visits.count += len(group.pending) * len(group.lists)
        group.pending.clear()

    def _governing(self, group: Group) -> Iterable[PolicyId]:
        texts = self._index.selectors_of(group.member)
        return [policy_id for text in texts for policy_id in self._policies_of.of(text)]

    def _governs(self, group: Group, policy_id: PolicyId) -> bool:
        policy = self._policies.get(policy_id)
        return policy is not None and policy.selector.text in self._index.selectors_of(group.member)


def is_host_endpoint(endpoint_id: EndpointId) -> bool:
    return not endpoint_id.namespace


def _is_same_place(before: CompiledPolicy | None, after: CompiledPolicy | None) -> bool:
    """Whether only what the policy enforces differs."""
    return (
        before is not None and after is not None and before.selector == after.selector and before.place == after.place
    )
