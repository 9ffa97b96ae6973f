"""Which policies govern which endpoints of this host. A policy that governs none is not active and never leaves the graph."""

from __future__ import annotations

from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from typing import TypeVar

from tortie.calc.hoststate import EndpointId, PolicyId
from tortie.selectors import LabelIndex, MatchStarted, Selector
from tortie.selectors.index import MatchChanges


class ActivePolicies:
    """Policy selectors against the labels of local endpoints.

    ``changed_policies`` and ``changed_endpoints`` collect whose matches changed, until their reader clears them.
    """

    def __init__(self) -> None:
        self._index: LabelIndex[EndpointId] = LabelIndex()
        self._policies_of: dict[EndpointId, set[PolicyId]] = {}
        self._endpoints_of: dict[PolicyId, set[EndpointId]] = {}
        self._ids: dict[str, PolicyId] = {}
        self.changed_policies: set[PolicyId] = set()
        self.changed_endpoints: set[EndpointId] = set()

    def set_policy(self, policy_id: PolicyId, selector: Selector) -> None:
        self._ids[policy_id.tie_break] = policy_id
        self._note(self._index.add_selector(policy_id.tie_break, selector))

    def remove_policy(self, policy_id: PolicyId) -> None:
        self._note(self._index.remove_selector(policy_id.tie_break))
        self._ids.pop(policy_id.tie_break, None)

    def set_endpoint(self, endpoint_id: EndpointId, labels: Mapping[str, str]) -> None:
        self._note(self._index.set_item(endpoint_id, labels))

    def remove_endpoint(self, endpoint_id: EndpointId) -> None:
        self._note(self._index.remove_item(endpoint_id))

    def policies_of(self, endpoint_id: EndpointId) -> AbstractSet[PolicyId]:
        """The policies that govern an endpoint, in either direction."""
        return self._policies_of.get(endpoint_id, frozenset())

    def endpoints_of(self, policy_id: PolicyId) -> AbstractSet[EndpointId]:
        """The local endpoints that a policy governs; none: it is not active."""
        return self._endpoints_of.get(policy_id, frozenset())

    def _note(self, changes: MatchChanges[EndpointId]) -> None:
        for change in changes:
            policy_id, endpoint_id = self._ids[change.selector_id], change.item_id
            self.changed_policies.add(policy_id)
            self.changed_endpoints.add(endpoint_id)
            if isinstance(change, MatchStarted):
                self._policies_of.setdefault(endpoint_id, set()).add(policy_id)
                self._endpoints_of.setdefault(policy_id, set()).add(endpoint_id)
            else:
                _discard(self._policies_of, endpoint_id, policy_id)
                _discard(self._endpoints_of, policy_id, endpoint_id)


_Key = TypeVar("_Key")
_Member = TypeVar("_Member")


def _discard(sets: dict[_Key, set[_Member]], key: _Key, member: _Member) -> None:
    """Take a member out, and the set with its last member."""
    sets[key].discard(member)
    if not sets[key]:
        del sets[key]
