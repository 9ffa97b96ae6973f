"""The body of a class's chain: an endpoint's way through its tiers at one place.

Pass leaves a tier: the rule sets the pass bit and returns; the class chain skips the rest of that tier by asking, after the
first group that can pass, that the bit is not set: before each further jump and before the tier's default. The bit is cleared
at the start of such a tier, so a tier without Pass pays nothing.

How it begins and ends depends on the place. A workload's and a host endpoint's own traffic end with the profiles and are
dropped if those do not allow them; traffic that a host endpoint forwards, and what is judged before DNAT or untracked, goes on
if no policy has decided.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

import msgspec

from tortie.calc.hoststate import HostRule
from tortie.model.policy import Action
from tortie.ruleset.classes import ClassContent, ClassTier
from tortie.ruleset.failsafes import failsafe_rules
from tortie.ruleset.group import Group, GroupStage
from tortie.ruleset.interpreter import MAX_DEPTH
from tortie.ruleset.limits import connection_limit
from tortie.ruleset.marks import clear_bits, lacks_bit
from tortie.ruleset.names import comment
from tortie.ruleset.options import Options
from tortie.ruleset.places import HOSTS_OWN_PLACES, WORKLOAD_PLACES, Kind, Place
from tortie.ruleset.rules import denial, matches_everything
from tortie.ruleset.tunnels import no_tunnel_rules
from tortie.ruleset.values import (
    Accept,
    CtState,
    CtStateMatch,
    Drop,
    Jump,
    Reject,
    Rule,
)

_MAX_GROUP_DEPTH = MAX_DEPTH - 2
"""Chains below the class's, which stands below the base chain."""

_OWN_TRAFFIC = (*WORKLOAD_PLACES, *HOSTS_OWN_PLACES)
"""Where profiles are asked, and what nothing allows is dropped."""


class TierGroups(NamedTuple):
    """A tier of a class, with the groups that its policies fall into."""

    tier: ClassTier
    groups: Sequence[Group]


def class_body(place: Place, content: ClassContent, tiers: Iterable[TierGroups], stage: GroupStage) -> tuple[Rule, ...]:
    """The rules of a class's chain: it always ends in a verdict.

    What stands after a verdict for every packet is left out: most tiers end in one, and whoever reads the chain need not
    wonder about profiles that are never asked.
    """
    options = stage.options
    rules = (
        *_beginning(place, content, options),
        *(rule for tier in tiers for rule in _tier_body(tier, stage)),
        *_ending(place, content, stage),
    )
    last = next(index for index, rule in enumerate(rules) if _decides_all(rule))
    return rules[: last + 1]


def effective_rules(rules: Iterable[HostRule]) -> tuple[HostRule, ...]:
    """What a list of profiles' rules comes to: no rule after one that decides every packet, and no Pass.

    Pass has no tier to leave there, so it drops.
    """
    effective: list[HostRule] = []
    for rule in rules:
        effective.append(msgspec.structs.replace(rule, action=Action.DENY) if rule.action is Action.PASS else rule)
        if rule.action is not Action.LOG and matches_everything(rule):
            break
    return tuple(effective)


def _decides_all(rule: Rule) -> bool:
    return not rule.matches and isinstance(rule.statements[-1], (Accept, Drop, Reject))


def _beginning(place: Place, content: ClassContent, options: Options) -> Iterator[Rule]:
    if options.drop_invalid and place.kind is not Kind.UNTRACKED:
        yield Rule((CtStateMatch(frozenset({CtState.INVALID})),), (Drop(),), "invalid")
    if content.limits_connections:
        yield connection_limit(place)
    yield from failsafe_rules(place, options)
    if place is Place.WORKLOAD_EGRESS:
        yield from no_tunnel_rules(options)


def _tier_body(tier: TierGroups, stage: GroupStage) -> Iterator[Rule]:
    passed = stage.options.marks.passed
    if any(group.can_pass for group in tier.groups):
        yield Rule((), (clear_bits(passed),), comment(f"tier {tier.tier.name}"))
    may_have_passed = False
    for group in tier.groups:
        assert group.depth <= _MAX_GROUP_DEPTH, f"{group.chain} is {group.depth} chains deep, of {_MAX_GROUP_DEPTH}"
        yield Rule((lacks_bit(passed),) if may_have_passed else (), (Jump(group.chain),))
        may_have_passed = may_have_passed or group.can_pass
    if tier.tier.default_action == "Deny":
        guard = (lacks_bit(passed),) if may_have_passed else ()
        yield Rule(guard, (denial(stage.kind, stage.options),), comment(f"tier {tier.tier.name}: Deny"))


def _ending(place: Place, content: ClassContent, stage: GroupStage) -> Iterator[Rule]:
    for index, rule in enumerate(content.profile_rules):
        yield from stage.compile(rule, comment(f"profiles {place.direction.lower()} {index}"))
    if place in _OWN_TRAFFIC:
        yield Rule((), (denial(stage.kind, stage.options),), "no rule allows it")
    else:
        yield Rule((), (Accept(),), "no policy decides it")
