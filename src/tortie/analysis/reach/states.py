"""Two states of a cluster, loaded so that they can be compared: one set of ends for both, and what of the resources is not the same."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple

import msgspec

from tortie.analysis.reach.state import Base, Reach
from tortie.analysis.reach.universe import Universe, universe
from tortie.model.endpoint import WorkloadEndpoint
from tortie.model.kinds import ResourceKey
from tortie.model.meta import Resource
from tortie.model.policy import Direction, GlobalNetworkPolicy, NetworkPolicy
from tortie.model.staged import StagedGlobalNetworkPolicy, StagedNetworkPolicy
from tortie.verdict import Cluster
from tortie.verdict.order import AnyPolicy, directions

_POLICIES = (NetworkPolicy, GlobalNetworkPolicy, StagedNetworkPolicy, StagedGlobalNetworkPolicy)

Resources = Mapping[ResourceKey, Resource]


class States(NamedTuple):
    """Before and after, and what changed."""

    before: Reach
    after: Reach
    changed: Mapping[ResourceKey, tuple[Resource | None, Resource | None]]
    """What each was and is; None: not there."""
    ingress: int
    """For which ends what they let in may not be the same; all others need not be looked at."""
    egress: int
    """And what they send."""


def load(before: Resources, after: Resources) -> States:
    """Both states. If only policies are not the same, the second is made of the first, and costs what the change does."""
    changed = {
        key: (before.get(key), after.get(key))
        for key in dict.fromkeys((*before, *after))
        if before.get(key) != after.get(key)
    }
    first = Cluster.of(before.values())
    values = [value for pair in changed.values() for value in pair if value is not None]
    policies = [value for value in values if isinstance(value, _POLICIES)]
    if len(policies) < len(values) or first.host_endpoints:
        ends = universe((first, Cluster.of(after.values())))
        everybody = ends.everybody
        return States(Reach(ends, 0), Reach(ends, 1), changed, everybody, everybody)
    second = msgspec.structs.replace(first, policies=Cluster.of(_without_endpoints(after.values())).policies)
    return _derived(universe((first, second)), changed, policies)


def _without_endpoints(resources: Iterable[Resource]) -> Iterable[Resource]:
    return (resource for resource in resources if not isinstance(resource, WorkloadEndpoint))


def _derived(
    ends: Universe, changed: Mapping[ResourceKey, tuple[Resource | None, Resource | None]], policies: list[AnyPolicy]
) -> States:
    before = Reach(ends, 0)
    affected = dict.fromkeys(Direction, 0)
    for policy in policies:
        for direction in directions(policy):
            affected[direction] |= before.book.governs(policy)
    after = Reach(ends, 1, base=Base(before, affected))
    for reach in (before, after):
        for direction, governed in affected.items():
            reach.book.prepare(direction, governed)
    return States(before, after, changed, affected[Direction.INGRESS], affected[Direction.EGRESS])
