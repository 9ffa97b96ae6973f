"""The bodies of the chains below the stages: a policy's rules, and a class's way through its tiers.

Pass leaves a tier: the rule sets the pass bit and returns from the policy's chain; the class chain skips the rest of that tier
by asking, after the first policy that can pass, that the bit is not set: before each further jump and before the tier's
default. The bit is cleared at the start of such a tier, so a tier without Pass pays nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import TypeAlias

import msgspec

from tortie.calc.hoststate import HostRule, PolicyId
from tortie.model.policy import Action, Direction
from tortie.net import UDP, Protocol
from tortie.ruleset import marks
from tortie.ruleset.classes import ClassContent, ClassTier
from tortie.ruleset.names import comment, policy_chain
from tortie.ruleset.options import Options
from tortie.ruleset.rules import SetNames, action_statements, compile_rule, matches_everything
from tortie.ruleset.values import (
    Accept,
    CtState,
    CtStateMatch,
    Drop,
    Jump,
    PortsMatch,
    ProtocolMatch,
    Range,
    Rule,
    Side,
)

CanPass: TypeAlias = Callable[[PolicyId], bool]
"""Whether a policy has a Pass rule in the direction at hand."""

IPIP = Protocol(4)


def policy_body(
    policy_id: PolicyId, direction: Direction, rules: Iterable[HostRule], set_names: SetNames, options: Options
) -> tuple[Rule, ...]:
    """The rules of a policy's chain. What none of them decides goes back to the caller."""
    owner = f"{policy_id.namespace}/{policy_id.name}" if policy_id.namespace else policy_id.name
    return tuple(_numbered_rules(f"{owner} {direction.lower()}", rules, set_names, options))


def class_body(
    content: ClassContent, direction: Direction, can_pass: CanPass, set_names: SetNames, options: Options
) -> tuple[Rule, ...]:
    """The rules of a class's chain: it always ends in a verdict.

    What stands after a verdict for every packet is left out: most tiers end in one, and whoever reads the chain need not
    wonder about profiles that are never asked.
    """
    rules = (
        Rule((CtStateMatch(frozenset({CtState.INVALID})),), (Drop(),), "invalid"),
        *(_no_tunnels(options) if direction is Direction.EGRESS else ()),
        *(rule for tier in content.tiers for rule in _tier_body(tier, direction, can_pass)),
        *_numbered_rules(f"profiles {direction.lower()}", content.profile_rules, set_names, options),
        Rule((), (Drop(),), "no rule allows it"),
    )
    last = next(index for index, rule in enumerate(rules) if _decides_all(rule))
    return rules[: last + 1]


def _decides_all(rule: Rule) -> bool:
    return not rule.matches and isinstance(rule.statements[-1], (Accept, Drop))


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


def _tier_body(tier: ClassTier, direction: Direction, can_pass: CanPass) -> Iterator[Rule]:
    passing = [can_pass(policy_id) for policy_id in tier.policies]
    if any(passing):
        yield Rule((), (marks.clear_bits(marks.PASS),), comment(f"tier {tier.name}"))
    may_have_passed = False
    for policy_id, passes in zip(tier.policies, passing, strict=True):
        guard = (marks.lacks_bit(marks.PASS),) if may_have_passed else ()
        yield Rule(guard, (Jump(policy_chain(policy_id, direction)),))
        may_have_passed = may_have_passed or passes
    if tier.default_action == "Deny":
        guard = (marks.lacks_bit(marks.PASS),) if may_have_passed else ()
        yield Rule(guard, (Drop(),), comment(f"tier {tier.name}: Deny"))


def _numbered_rules(owner: str, rules: Iterable[HostRule], set_names: SetNames, options: Options) -> Iterator[Rule]:
    for index, rule in enumerate(rules):
        statements = action_statements(rule.action, options.log_prefix)
        yield from compile_rule(rule, statements, set_names, comment(f"{owner} {index}"))


def _no_tunnels(options: Options) -> tuple[Rule, ...]:
    """A workload must not speak the hosts' tunnel protocols: what comes out of a tunnel is believed."""
    port = Range(options.vxlan_port, options.vxlan_port)
    return (
        Rule((ProtocolMatch(UDP), PortsMatch(Side.DESTINATION, (port,))), (Drop(),), "VXLAN from a workload"),
        Rule((ProtocolMatch(IPIP),), (Drop(),), "IPIP from a workload"),
    )
