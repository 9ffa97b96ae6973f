"""Which endpoints a policy governs, and which endpoints one end of a rule means.

A namespace's labels are an endpoint's labels with prefix ``pcns.``, a service account's with ``pcsa.``; so a selector over
namespaces is one over endpoints with its labels prefixed, where ``all()`` means "has a namespace".
"""

from __future__ import annotations

import functools

from tortie.model.policy import EntityRule, GlobalNetworkPolicy, NetworkPolicy, ServiceAccountMatch
from tortie.selectors import Selector, parse
from tortie.selectors.syntax import All, Compare, Global, Has, Leaf, Node, Not, OneOf, map_leaves
from tortie.verdict.endpoint import NAMESPACE, SERVICE_ACCOUNT, Endpoint


def governs(policy: NetworkPolicy | GlobalNetworkPolicy, endpoint: Endpoint) -> bool:
    """Whether *policy* applies to the workload *endpoint*, in whichever directions it has."""
    if isinstance(policy, NetworkPolicy):
        return _network_policy_governs(policy, endpoint)
    if policy.spec.do_not_track or policy.spec.pre_dnat:
        return False  # These are for host endpoints only.
    return _global_policy_governs(policy, endpoint)


def _network_policy_governs(policy: NetworkPolicy, endpoint: Endpoint) -> bool:
    spec, labels = policy.spec, endpoint.labels
    return (
        endpoint.namespace == policy.metadata.namespace
        and parse(spec.selector).matches(labels)
        and (not spec.service_account_selector or _over(spec.service_account_selector, "pcsa.").matches(labels))
    )


def _global_policy_governs(policy: GlobalNetworkPolicy, endpoint: Endpoint) -> bool:
    """As Calico has it, a namespaceSelector or serviceAccountSelector changes what ``all()`` means in the selectors before it."""
    spec, labels = policy.spec, endpoint.labels
    all_means = NAMESPACE if spec.namespace_selector else SERVICE_ACCOUNT if spec.service_account_selector else ""
    if spec.selector and not _over(spec.selector, all_means=all_means).matches(labels):
        return False
    if spec.namespace_selector and not _over(spec.namespace_selector, "pcns.", NAMESPACE).matches(labels):
        return False
    accounts = spec.service_account_selector
    return not accounts or _over(accounts, "pcsa.", SERVICE_ACCOUNT).matches(labels)


def is_limited(peer: EntityRule, policy_namespace: str) -> bool:
    """Whether *peer* matches known endpoints only. Addresses and ports alone are not limited, in a namespace either."""
    accounts = peer.service_accounts or ServiceAccountMatch()
    selectors = (peer.selector, peer.namespace_selector, accounts.selector, accounts.names)
    return any(selectors) or bool(policy_namespace and peer.not_selector)


def selects(peer: EntityRule, policy_namespace: str, endpoint: Endpoint) -> bool:
    """Whether *endpoint* is among those that *peer* means in a policy of that namespace (empty: a cluster-wide policy).

    To be asked of a peer that is limited; ``notSelector`` excepts endpoints from it.
    """
    labels = endpoint.labels
    return (
        _in_scope(peer, policy_namespace, endpoint)
        and (peer.service_accounts is None or _has_account(peer.service_accounts, endpoint))
        and parse(peer.selector).matches(labels)
        and not excepts(peer, endpoint)
    )


def excepts(peer: EntityRule, endpoint: Endpoint) -> bool:
    """Whether the peer's ``notSelector`` selects *endpoint*. It is never limited to a namespace."""
    return bool(peer.not_selector) and parse(peer.not_selector).matches(endpoint.labels)


def _in_scope(peer: EntityRule, policy_namespace: str, endpoint: Endpoint) -> bool:
    if peer.namespace_selector:
        return _over(peer.namespace_selector, "pcns.", NAMESPACE).matches(endpoint.labels)
    return not policy_namespace or endpoint.namespace == policy_namespace


def _has_account(accounts: ServiceAccountMatch, endpoint: Endpoint) -> bool:
    if accounts.selector and not _over(accounts.selector, "pcsa.").matches(endpoint.labels):
        return False
    return not accounts.names or endpoint.labels.get(SERVICE_ACCOUNT) in accounts.names


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
