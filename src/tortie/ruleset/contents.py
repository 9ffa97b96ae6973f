"""What endpoints enforce at each place: their tiers and profiles as contents of classes.

Endpoints that the same policies govern share one value of tiers, so within a flush each value is looked at once.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias

from tortie.calc.hoststate import (
    HostHostEndpoint,
    HostProfile,
    HostRule,
    HostWorkloadEndpoint,
    PolicyId,
    TierPolicies,
)
from tortie.model.policy import Direction
from tortie.ruleset.chains import effective_rules
from tortie.ruleset.classes import ClassContent, ClassTier
from tortie.ruleset.limits import limits_connections
from tortie.ruleset.logprefix import named_for_profile
from tortie.ruleset.options import Options
from tortie.ruleset.places import HOSTS_OWN_PLACES, Kind, Place

_Tiers: TypeAlias = tuple[TierPolicies, ...]
_Key: TypeAlias = tuple[Place, int, tuple[str, ...], bool]


class Contents:
    """The policies and profiles of the host, as far as what an endpoint enforces depends on them."""

    def __init__(self, options: Options) -> None:
        self._options = options
        self.profiles: dict[str, HostProfile] = {}
        self.staged: set[PolicyId] = set()
        """Never enforced; a tier of nothing else does not exist for the endpoint."""
        self._made: dict[_Key, tuple[_Tiers, ClassContent]] = {}

    def forget(self) -> None:
        """Policies or profiles may change from now on."""
        self._made.clear()

    def of_workload(self, place: Place, endpoint: HostWorkloadEndpoint) -> ClassContent:
        return self._content(
            place, endpoint.tiers, endpoint.profiles, is_limited=limits_connections(place, endpoint.limits)
        )

    def of_host(self, place: Place, endpoint: HostHostEndpoint) -> ClassContent:
        """Profiles count for the host's own traffic only."""
        profiles = endpoint.profiles if place in HOSTS_OWN_PLACES else ()
        return self._content(place, tiers_of(place, endpoint), profiles, is_limited=False)

    def _content(self, place: Place, tiers: _Tiers, profiles: tuple[str, ...], *, is_limited: bool) -> ClassContent:
        key = place, id(tiers), profiles, is_limited
        if key not in self._made:
            found = (self._tier(place, tier) for tier in tiers)
            rules = (rule for name in profiles for rule in self._profile_rules(name, place.direction))
            content = ClassContent(
                tuple(tier for tier in found if tier.policies), effective_rules(rules), limits_connections=is_limited
            )
            self._made[key] = tiers, content  # the tiers too, so that the id stays theirs
        return self._made[key][1]

    def _tier(self, place: Place, tier: TierPolicies) -> ClassTier:
        policies = tier.ingress if place.direction is Direction.INGRESS else tier.egress
        if self.staged:
            policies = tuple(policy_id for policy_id in policies if policy_id not in self.staged)
        return ClassTier(tier.name, tier.default_action if place.kind.is_filter else "Pass", policies)

    def _profile_rules(self, name: str, direction: Direction) -> Sequence[HostRule]:
        profile = self.profiles[name]
        rules = profile.ingress if direction is Direction.INGRESS else profile.egress
        return named_for_profile(rules, name, self._options)


def tiers_of(place: Place, endpoint: HostHostEndpoint) -> _Tiers:
    """The tiers of a host endpoint that count at a place."""
    match place.kind:
        case Kind.UNTRACKED:
            return endpoint.untracked_tiers
        case Kind.PRE_DNAT:
            return endpoint.pre_dnat_tiers
        case _:
            return endpoint.forward_tiers if place in (Place.FORWARD_IN, Place.FORWARD_OUT) else endpoint.tiers
