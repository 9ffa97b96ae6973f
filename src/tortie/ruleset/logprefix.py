"""What rules with action Log write before a packet: Calico's ``logPrefix``, whose specifiers tell whose rule it is.

    %t   the tier               %k   the kind, in short (gnp)
    %n   the policy's name      %p   namespace/name, or the name of what has no namespace

Most hosts have a prefix without specifiers, and nothing of this is done there. With them a rule that logs is made a
``NamedLogRule`` before anything compares it or is compiled of it: two policies' equal rules are then two.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

import msgspec

from tortie.calc.hoststate import HostRule, PolicyId
from tortie.model.policy import Action
from tortie.ruleset.names import readable_name
from tortie.ruleset.options import Options

MAX_PREFIX_BYTES = 127
"""The kernel takes no longer ones (Linux, NF_LOG_PREFIXLEN, with the NUL at its end)."""

_SEPARATOR = ": "
_SPECIFIER = re.compile("%[tknp]")
_SHORT_KINDS = {
    "NetworkPolicy": "np",
    "GlobalNetworkPolicy": "gnp",
    "StagedNetworkPolicy": "snp",
    "StagedGlobalNetworkPolicy": "sgnp",
    "StagedKubernetesNetworkPolicy": "sknp",
}
_PROFILE = "pro"


class NamedLogRule(HostRule, frozen=True, kw_only=True):
    """A rule that logs, with the prefix that is its owner's."""

    prefix: str


def log_prefix(rule: HostRule, options: Options) -> str:
    """What *rule* writes, cut where the kernel would refuse it."""
    prefix = rule.prefix if isinstance(rule, NamedLogRule) else options.log_prefix
    room = MAX_PREFIX_BYTES - len(_SEPARATOR)
    return prefix.encode()[:room].decode(errors="ignore") + _SEPARATOR


def named_for_policy(
    rules: tuple[HostRule, ...], policy_id: PolicyId, tier: str, options: Options
) -> tuple[HostRule, ...]:
    """A policy's rules, those that log with its name in their prefix."""
    kind = _SHORT_KINDS.get(policy_id.kind, policy_id.kind)
    return _named(rules, {"%t": tier, "%k": kind, "%n": policy_id.name, "%p": readable_name(policy_id)}, options)


def named_for_profile(rules: tuple[HostRule, ...], name: str, options: Options) -> tuple[HostRule, ...]:
    """A profile's rules, those that log with its name in their prefix; it is in no tier."""
    return _named(rules, {"%t": "", "%k": _PROFILE, "%n": name, "%p": name}, options)


def _named(rules: tuple[HostRule, ...], values: Mapping[str, str], options: Options) -> tuple[HostRule, ...]:
    template = options.log_prefix
    if not _SPECIFIER.search(template) or all(rule.action is not Action.LOG for rule in rules):
        return rules
    prefix = _SPECIFIER.sub(lambda specifier: values[specifier[0]], template)
    return tuple(_with_prefix(rule, prefix) if rule.action is Action.LOG else rule for rule in rules)


def _with_prefix(rule: HostRule, prefix: str) -> NamedLogRule:
    return NamedLogRule(prefix=prefix, **msgspec.structs.asdict(rule))
