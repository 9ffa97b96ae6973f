"""Two states of a cluster, loaded so that they can be compared: one set of ends for both, and what of the resources is not the same."""

from __future__ import annotations

import functools
from collections.abc import Iterable, Mapping, Set
from typing import NamedTuple, TypeAlias

import msgspec

from tortie.analysis.reach.asked import names_services
from tortie.analysis.reach.bits import of_members
from tortie.analysis.reach.hosts import hosts_as_ends
from tortie.analysis.reach.population import strangers
from tortie.analysis.reach.state import Base, Reach
from tortie.analysis.reach.universe import Universe, WorkloadClass, universe
from tortie.model import kinds
from tortie.model.endpoint import WorkloadEndpoint
from tortie.model.kinds import ResourceKey
from tortie.model.kubernetes_endpointslice import EndpointSlice
from tortie.model.meta import Resource
from tortie.model.policy import Direction, GlobalNetworkPolicy, NetworkPolicy, Profile
from tortie.model.staged import StagedGlobalNetworkPolicy, StagedNetworkPolicy
from tortie.verdict import Cluster
from tortie.verdict.order import AnyPolicy, directions

_POLICIES = (NetworkPolicy, GlobalNetworkPolicy, StagedNetworkPolicy, StagedGlobalNetworkPolicy)

Resources: TypeAlias = Mapping[ResourceKey, Resource]
Changed: TypeAlias = Mapping[ResourceKey, tuple[Resource | None, Resource | None]]
"""What each resource that is not the same was and is; None: not there."""


class States(NamedTuple):
    """Before and after, and what changed."""

    before: Reach
    after: Reach
    changed: Changed
    ingress: int
    """For which ends what they let in may not be the same; all others need not be looked at."""
    egress: int
    """And what they send."""
    remade: int
    """Of both those that are not the same ends any more, so that what others send them may not be the same either."""

    @property
    def pairs(self) -> int:
        """Of how many pairs of ends a difference has to be looked for: what it costs."""
        return (self.ingress.bit_count() + self.egress.bit_count()) * self.after.population.count


def load(before: Resources, after: Resources, *, all_hosts: bool = False) -> States:
    """Both states. If only policies are not the same, the second is made of the first, and costs what the change does.

    If workloads are not either, only what is with those is looked at; for any other change, and with hosts as ends, everything.

    Hosts are ends if host endpoints stand on them in either state; with *all_hosts* all are.
    """
    changed = {
        key: (before.get(key), after.get(key))
        for key in dict.fromkeys((*before, *after))
        if before.get(key) != after.get(key)
    }
    first = Cluster.of(before.values())
    values = [value for pair in changed.values() for value in pair if value is not None]
    policies = [value for value in values if isinstance(value, _POLICIES)]
    if len(policies) < len(values) or first.host_endpoints:
        states = first, Cluster.of(after.values())
        ends = universe(states, hosts_as_ends(states, all_hosts=all_hosts))
        reaches = Reach(ends, 0), Reach(ends, 1)
        remade = _remade(ends, changed)
        affected = {direction: _governed(reaches, policies, direction) | remade for direction in Direction}
        return States(*reaches, changed, affected[Direction.INGRESS], affected[Direction.EGRESS], remade)
    second = msgspec.structs.replace(first, policies=Cluster.of(_without_endpoints(after.values())).policies)
    return _derived(universe((first, second), hosts_as_ends((first, second), all_hosts=all_hosts)), changed, policies)


def _without_endpoints(resources: Iterable[Resource]) -> Iterable[Resource]:
    return (resource for resource in resources if not isinstance(resource, WorkloadEndpoint))


def _derived(ends: Universe, changed: Changed, policies: list[AnyPolicy]) -> States:
    before = Reach(ends, 0)
    affected = {direction: _governed((before,), policies, direction) for direction in Direction}
    after = Reach(ends, 1, base=Base(before, affected))
    for reach in (before, after):
        for direction, governed in affected.items():
            reach.book.prepare(direction, governed)
    return States(before, after, changed, affected[Direction.INGRESS], affected[Direction.EGRESS], remade=0)


def _governed(reaches: Iterable[Reach], policies: Iterable[AnyPolicy], direction: Direction) -> int:
    """The workload classes that any of *policies* governs in one direction in any state."""
    asked = [policy for policy in policies if direction in directions(policy)]
    return functools.reduce(int.__or__, (reach.book.governs(policy) for reach in reaches for policy in asked), 0)


def _remade(ends: Universe, changed: Changed) -> int:
    """The ends that are not the same in both states; all, where what changed is none of policies, workloads and their profiles."""
    clusters = tuple(population.cluster for population in ends.states)
    ignored = () if any(map(names_services, clusters)) else (EndpointSlice,)
    others = [
        value
        for pair in changed.values()
        for value in pair
        if value is not None and not isinstance(value, (*_POLICIES, WorkloadEndpoint, Profile, *ignored))
    ]
    before, after = map(strangers, clusters)
    if others or ends.hosts or before != after:
        return ends.everybody
    profiles = {key.name for key in changed if key.kind is kinds.PROFILE}
    return of_members(
        number for number, found in enumerate(ends.classes) if not found.is_same or _has_any(found, profiles)
    )


def _has_any(found: WorkloadClass, profiles: Set[str]) -> bool:
    return any(not profiles.isdisjoint(sample.profiles) for sample in found.sample if sample is not None)
