"""The order in which policies see a packet: tiers, then policies within each.

Endpoints that the same policies govern share one list, and a changed policy is one edit of it: found by its old place, put in
at its new one. A list with many changes is made anew.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Callable, Collection, Iterable, Mapping
from enum import Enum
from typing import Literal, NamedTuple, TypeAlias

from tortie.calc.hoststate import PolicyId, TierPolicies
from tortie.model.policy import Direction, Tier

DEFAULT_TIER_ORDER = 1_000_000.0
"""Of a tier without an order."""

_EDITS = 32
"""More changes than this, and sorting all is cheaper than editing."""


class Stage(Enum):
    """A use of policy; workload endpoints have the normal one only."""

    NORMAL = "normal"
    FORWARD = "forward"
    UNTRACKED = "untracked"
    PRE_DNAT = "pre-DNAT"

    @property
    def is_final(self) -> bool:
        """Whether a tier's default action ends it; else later stages decide about what its policies do not."""
        return self in (Stage.NORMAL, Stage.FORWARD)


Rank: TypeAlias = tuple[float, str]
"""Within a tier: by order, those without one last, and then by ``name/namespace/kind``."""


class PolicyPlace(NamedTuple):
    """What decides where a policy stands."""

    tier: str
    rank: Rank
    types: frozenset[Direction]
    stages: frozenset[Stage]

    @classmethod
    def of(
        cls,
        policy_id: PolicyId,
        tier: str,
        order: float | None,
        types: frozenset[Direction],
        stages: frozenset[Stage],
    ) -> PolicyPlace:
        return cls(tier, (math.inf if order is None else order, policy_id.tie_break), types, stages)


class Places:
    """Where each policy stands, now and before the changes that lists have not been told of yet."""

    def __init__(self) -> None:
        self._now: dict[PolicyId, PolicyPlace] = {}
        self._before: dict[PolicyId, PolicyPlace | None] = {}

    def set(self, policy_id: PolicyId, place: PolicyPlace | None) -> None:
        self._before.setdefault(policy_id, self._now.get(policy_id))
        if place is None:
            self._now.pop(policy_id, None)
        else:
            self._now[policy_id] = place

    def now(self, policy_id: PolicyId) -> PolicyPlace | None:
        return self._now.get(policy_id)

    def before(self, policy_id: PolicyId) -> PolicyPlace | None:
        return self._before[policy_id] if policy_id in self._before else self._now.get(policy_id)

    def settle(self) -> None:
        """All lists have been told."""
        self._before.clear()


class _Lists(NamedTuple):
    """The policies of one tier, in order, by direction."""

    ingress: tuple[PolicyId, ...] = ()
    egress: tuple[PolicyId, ...] = ()


class TierLists:
    """The ordered policies of one stage, for the endpoints that the same policies govern."""

    def __init__(self, stage: Stage, places: Places, policies: Iterable[PolicyId]) -> None:
        self._stage = stage
        self._places = places
        self._lists: dict[str, _Lists] = {}
        self.tiers: tuple[TierPolicies, ...] = ()
        """As it is sent; the same object as long as nothing differs."""
        self._rebuild(policies)

    def refresh(
        self,
        changed: Collection[PolicyId],
        governing: Callable[[], Iterable[PolicyId]],
        governs: Callable[[PolicyId], bool],
    ) -> None:
        """Take in what became of the policies *changed*; *governing* gives all those for which *governs* is true."""
        if len(changed) > _EDITS:
            self._rebuild(governing())
        else:
            self._edit(changed, governs)

    def arrange(self, tiers: Mapping[str, Tier]) -> bool:
        """Put the tiers in order; whether that changed anything."""
        known = {tier.name: tier for tier in self.tiers}
        arranged = tuple(
            self._tier(name, tiers.get(name), known.get(name))
            for name in sorted(self._lists, key=lambda name: _tier_rank(name, tiers.get(name)))
        )
        if arranged == self.tiers:
            return False
        self.tiers = arranged
        return True

    def _tier(self, name: str, tier: Tier | None, known: TierPolicies | None) -> TierPolicies:
        lists = self._lists[name]
        action: Literal["Deny", "Pass"] = "Pass"
        if self._stage.is_final:
            action = tier.spec.default_action if tier is not None else "Deny"
        if known and known.default_action == action and known.ingress is lists.ingress and known.egress is lists.egress:
            return known
        return TierPolicies(name=name, default_action=action, ingress=lists.ingress, egress=lists.egress)

    def _rebuild(self, policies: Iterable[PolicyId]) -> None:
        placed = [(place, i) for i in policies if (place := self._places.now(i)) and self._stage in place.stages]
        placed.sort(key=lambda entry: entry[0].rank)
        by_tier: dict[str, list[tuple[PolicyPlace, PolicyId]]] = {}
        for entry in placed:
            by_tier.setdefault(entry[0].tier, []).append(entry)
        self._lists = {
            tier: _Lists(
                tuple(i for place, i in entries if Direction.INGRESS in place.types),
                tuple(i for place, i in entries if Direction.EGRESS in place.types),
            )
            for tier, entries in by_tier.items()
        }

    def _edit(self, changed: Iterable[PolicyId], governs: Callable[[PolicyId], bool]) -> None:
        """All go first, by where they stood; then those that remain stand where they stood, and the rest can be put in."""
        edited: dict[tuple[str, Direction], list[PolicyId]] = {}
        for policy_id in changed:
            for key, policies, rank in self._positions(edited, self._places.before(policy_id)):
                index = bisect_left(policies, rank, key=self._rank_before)
                if index < len(policies) and policies[index] == policy_id:
                    del policies[index]
                    edited[key] = policies
        for policy_id in filter(governs, changed):
            for key, policies, rank in self._positions(edited, self._places.now(policy_id)):
                policies.insert(bisect_left(policies, rank, key=self._rank_now), policy_id)
                edited[key] = policies
        for (tier, direction), policies in edited.items():
            self._replace(tier, direction, tuple(policies))

    def _positions(
        self, edited: Mapping[tuple[str, Direction], list[PolicyId]], place: PolicyPlace | None
    ) -> Iterable[tuple[tuple[str, Direction], list[PolicyId], Rank]]:
        """Where a policy of this stage belongs: key and content of each list, and its rank there."""
        if place is None or self._stage not in place.stages:
            return
        lists = self._lists.get(place.tier, _Lists())
        for direction in place.types:
            key = (place.tier, direction)
            unedited = lists.ingress if direction is Direction.INGRESS else lists.egress
            yield key, edited[key] if key in edited else list(unedited), place.rank

    def _replace(self, tier: str, direction: Direction, policies: tuple[PolicyId, ...]) -> None:
        lists = self._lists.get(tier, _Lists())
        if direction is Direction.INGRESS:
            lists = lists._replace(ingress=lists.ingress if policies == lists.ingress else policies)
        else:
            lists = lists._replace(egress=lists.egress if policies == lists.egress else policies)
        if any(lists):
            self._lists[tier] = lists
        else:
            self._lists.pop(tier, None)

    def _rank_before(self, policy_id: PolicyId) -> Rank:
        place = self._places.before(policy_id)
        assert place is not None, f"{policy_id} stands in a list without having had a place"
        return place.rank

    def _rank_now(self, policy_id: PolicyId) -> Rank:
        place = self._places.now(policy_id)
        assert place is not None, f"{policy_id} stays in a list without having a place"
        return place.rank

    def copy(self) -> TierLists:
        """The same for endpoints that will be governed by other policies from now on."""
        twin = TierLists(self._stage, self._places, ())
        twin._lists = dict(self._lists)
        twin.tiers = self.tiers
        return twin


def _tier_rank(name: str, tier: Tier | None) -> tuple[bool, float, str]:
    """A tier that policies name and that does not exist comes after all that do: its policies are enforced all the same."""
    order = tier.spec.order if tier is not None else None
    return tier is None, DEFAULT_TIER_ORDER if order is None else order, name
