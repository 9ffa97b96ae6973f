"""Which endpoints a policy governs and a rule's peers mean: the namespace scoping of Calico's selectors.

What people write is relative to the policy's namespace; what the graph matches is one selector over endpoint labels, where a
namespace's labels carry the prefix ``pcns.`` and a service account's ``pcsa.``. The texts are joined, printed and read again
exactly in Calico's order, because a selector's canonical text names its IP set on every host of a cluster.
"""

from __future__ import annotations

from typing import NamedTuple

from tortie.model.policy import (
    EntityRule,
    GlobalNetworkPolicy,
    GlobalNetworkPolicySpec,
    NetworkPolicy,
    ServiceAccountMatch,
)
from tortie.model.staged import StagedGlobalNetworkPolicy, StagedNetworkPolicy
from tortie.selectors import Selector, parse

NAMESPACE_LABEL = "projectcalico.org/namespace"
SERVICE_ACCOUNT_LABEL = "projectcalico.org/serviceaccount"
NAMESPACE_PREFIX = "pcns."
SERVICE_ACCOUNT_PREFIX = "pcsa."

_NAMESPACED = f"has({NAMESPACE_LABEL})"
_HAS_ACCOUNT = f"has({SERVICE_ACCOUNT_LABEL})"


class PeerSelectors(NamedTuple):
    """What one end of a rule asks of a packet's address."""

    positive: Selector | None
    """The address must belong to an endpoint that this selects; None: any address will do."""
    negative: Selector | None
    """The address must not. Only without a positive selector: with one it is folded in."""


def policy_selector(
    policy: NetworkPolicy | GlobalNetworkPolicy | StagedNetworkPolicy | StagedGlobalNetworkPolicy,
) -> Selector:
    """Which endpoints *policy* governs; SelectorError if one of its selectors cannot be read."""
    spec = policy.spec
    if not isinstance(spec, GlobalNetworkPolicySpec):
        text = _and(spec.selector, f"{NAMESPACE_LABEL} == '{policy.metadata.namespace}'")
        return parse(_and_prefixed(text, spec.service_account_selector, SERVICE_ACCOUNT_PREFIX))
    text = spec.selector
    # The replacements are of the whole text, the policy's own selector included: ``all()`` beside a namespaceSelector means
    # namespaced endpoints only. Calico's users have come to rely on it.
    if spec.namespace_selector:
        text = _and_prefixed(text, spec.namespace_selector, NAMESPACE_PREFIX).replace("all()", _NAMESPACED)
    if spec.service_account_selector:
        text = _and_prefixed(text, spec.service_account_selector, SERVICE_ACCOUNT_PREFIX).replace("all()", _HAS_ACCOUNT)
    return parse(text)


def peer_selectors(peer: EntityRule, namespace: str) -> PeerSelectors:
    """The selectors of one end of a rule in a policy of *namespace* (empty: cluster-wide, or a profile).

    A selector in a namespaced policy means that namespace only, unless a namespaceSelector says which. A rule of addresses
    and ports alone is not limited to anything. SelectorError if a text cannot be read.
    """
    accounts = _account_selector(peer.service_accounts) if peer.service_accounts is not None else ""
    positive = f"({accounts}) && ({peer.selector})" if accounts and peer.selector else accounts or peer.selector
    scope = _namespace_scope(peer.namespace_selector, namespace)
    if scope and (positive or peer.not_selector or peer.namespace_selector):
        positive = f"({scope}) && ({positive})" if positive else scope
    negative = peer.not_selector
    if positive and negative:
        # Known endpoints are asked for anyway, so one smaller set does instead of two.
        positive, negative = f"({positive}) && (!({negative}))", ""
    return PeerSelectors(parse(positive) if positive else None, parse(negative) if negative else None)


def _namespace_scope(namespace_selector: str, namespace: str) -> str:
    if namespace_selector:
        text = parse(namespace_selector).with_prefix(NAMESPACE_PREFIX).text
        return text.replace("all()", _NAMESPACED).replace("global()", f"!{_NAMESPACED}")
    return f"{NAMESPACE_LABEL} == '{namespace}'" if namespace else ""


def _account_selector(accounts: ServiceAccountMatch) -> str:
    selector = parse(accounts.selector).with_prefix(SERVICE_ACCOUNT_PREFIX).text if accounts.selector else ""
    if not accounts.names:
        return selector
    quoted = ", ".join(f"'{name}'" for name in accounts.names)
    names = parse(f"{SERVICE_ACCOUNT_LABEL} in {{{quoted}}}").text
    return f"({selector}) && ({names})" if selector else names


def _and(text: str, further: str) -> str:
    return f"({text}) && {further}" if text else further


def _and_prefixed(text: str, further: str, prefix: str) -> str:
    return _and(text, parse(further).with_prefix(prefix).text) if further else text
