"""Which endpoints a policy governs, and which peers one end of a rule means: a matter of their labels alone.

A namespace's labels are an endpoint's labels with prefix ``pcns.``, a service account's with ``pcsa.``; so a selector over
namespaces is one over endpoints with its labels prefixed, where ``all()`` means "has a namespace". Which namespace that is says
a label too. Host endpoints and global network sets have none of these, which is why what is negative finds them.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping

from tortie.model.policy import EntityRule, GlobalNetworkPolicySpec, ServiceAccountMatch
from tortie.selectors import Selector, parse
from tortie.selectors.syntax import All, Compare, Global, Has, Leaf, Node, Not, OneOf, map_leaves
from tortie.verdict.names import NAMESPACE, SERVICE_ACCOUNT
from tortie.verdict.order import AnyPolicy

Labels = Mapping[str, str]


def governs(policy: AnyPolicy, labels: Labels) -> bool:
    """Whether *policy* applies to an endpoint with *labels*, in whichever directions and stages it has."""
    if isinstance(policy.spec, GlobalNetworkPolicySpec):
        return _global_policy_governs(policy.spec, labels)
    spec = policy.spec
    return (
        labels.get(NAMESPACE) == policy.metadata.namespace
        and parse(spec.selector).matches(labels)
        and (not spec.service_account_selector or _over(spec.service_account_selector, "pcsa.").matches(labels))
    )


def _global_policy_governs(spec: GlobalNetworkPolicySpec, labels: Labels) -> bool:
    """As Calico has it, a namespaceSelector or serviceAccountSelector changes what ``all()`` means in the selectors before it."""
    all_means = NAMESPACE if spec.namespace_selector else SERVICE_ACCOUNT if spec.service_account_selector else ""
    if spec.selector and not _over(spec.selector, all_means=all_means).matches(labels):
        return False
    if spec.namespace_selector and not _over(spec.namespace_selector, "pcns.", NAMESPACE).matches(labels):
        return False
    accounts = spec.service_account_selector
    return not accounts or _over(accounts, "pcsa.", SERVICE_ACCOUNT).matches(labels)


def is_limited(peer: EntityRule, policy_namespace: str) -> bool:
    """Whether *peer* matches known endpoints and network sets only. Addresses and ports alone are not limited, in a namespace either."""
    accounts = peer.service_accounts or ServiceAccountMatch()
    selectors = (peer.selector, peer.namespace_selector, accounts.selector, accounts.names)
    return any(selectors) or bool(policy_namespace and peer.not_selector)


def selects(peer: EntityRule, policy_namespace: str, labels: Labels) -> bool:
    """Whether what has *labels* is among what *peer* means in a policy of that namespace (empty: a cluster-wide policy).

    To be asked of a peer that is limited; ``notSelector`` excepts endpoints from it.
    """
    return (
        _in_scope(peer, policy_namespace, labels)
        and (peer.service_accounts is None or _has_account(peer.service_accounts, labels))
        and parse(peer.selector).matches(labels)
        and not excepts(peer, labels)
    )


def excepts(peer: EntityRule, labels: Labels) -> bool:
    """Whether the peer's ``notSelector`` selects what has *labels*. It is never limited to a namespace."""
    return bool(peer.not_selector) and parse(peer.not_selector).matches(labels)


def _in_scope(peer: EntityRule, policy_namespace: str, labels: Labels) -> bool:
    if peer.namespace_selector:
        return _over(peer.namespace_selector, "pcns.", NAMESPACE).matches(labels)
    return not policy_namespace or labels.get(NAMESPACE) == policy_namespace


def _has_account(accounts: ServiceAccountMatch, labels: Labels) -> bool:
    if accounts.selector and not _over(accounts.selector, "pcsa.").matches(labels):
        return False
    return not accounts.names or labels.get(SERVICE_ACCOUNT) in accounts.names


@functools.lru_cache(maxsize=4096)
def _over(text: str, prefix: str = "", all_means: str = "") -> Selector:
    """The selector *text* over labels with *prefix*; ``all()`` means having the label *all_means*, ``global()`` not having it."""

    def leaf(node: Leaf) -> Node:
        match node:
            case All():
                return Has(all_means) if all_means else node
            case Global():
                return Not(Has(all_means)) if all_means else node
            case Has(label):
                return Has(prefix + label)
            case Compare(label, comparison, value):
                return Compare(prefix + label, comparison, value)
            case OneOf(label, values, negate):
                return OneOf(prefix + label, values, negate)

    return Selector(map_leaves(parse(text).node, leaf))
