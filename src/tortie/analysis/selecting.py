"""What the selectors of a policy ask for: each in the place where it stands, and what limits it there.

Selectors that stand together limit each other: a rule's selector means the policy's own namespace, or those that its
namespaceSelector names. A ``Request`` is one of them with its limits, in terms of the labels of what it is to match.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from enum import Enum
from typing import NamedTuple

from tortie.calc.scoping import (
    NAMESPACE_LABEL,
    NAMESPACE_PREFIX,
    SERVICE_ACCOUNT_LABEL,
    SERVICE_ACCOUNT_PREFIX,
    peer_selectors,
    policy_selector,
)
from tortie.conversion import ConversionError
from tortie.conversion.label_selector import namespace_selector, pod_selector
from tortie.model import kinds, kubernetes
from tortie.model.fieldpath import FieldPath
from tortie.model.kinds import Kind
from tortie.model.kubernetes_cluster_policy import ClusterNetworkPolicy, NamespacedPod
from tortie.model.meta import Resource
from tortie.model.policy import EntityRule, GlobalNetworkPolicy, NetworkPolicy, Profile, Rule, ServiceAccountMatch
from tortie.model.staged import (
    StagedAction,
    StagedGlobalNetworkPolicy,
    StagedKubernetesNetworkPolicy,
    StagedNetworkPolicy,
)
from tortie.selectors import Selector, SelectorError, parse
from tortie.selectors.syntax import (
    All,
    And,
    Compare,
    Comparison,
    Global,
    Node,
    Not,
    Or,
    all_having,
    prefix_labels,
)

SELECTING_KINDS: tuple[Kind, ...] = (
    kinds.NETWORK_POLICY,
    kinds.GLOBAL_NETWORK_POLICY,
    kinds.STAGED_NETWORK_POLICY,
    kinds.STAGED_GLOBAL_NETWORK_POLICY,
    kinds.STAGED_KUBERNETES_NETWORK_POLICY,
    kinds.PROFILE,
    kinds.K8S_NETWORK_POLICY,
    kinds.CLUSTER_NETWORK_POLICY,
)
"""The kinds that ``selecting`` knows."""

EVERYTHING = parse("all()")
_HAS_NAMESPACE = f"has({NAMESPACE_LABEL})"
_HAS_ACCOUNT = f"has({SERVICE_ACCOUNT_LABEL})"


class Sort(Enum):
    """Of what a selector is to match."""

    ENDPOINT = "endpoint"
    PEER = "endpoint or network set"
    NAMESPACE = "namespace"
    ACCOUNT = "service account"
    ACCOUNT_NAME = "name of a service account"


class Limit(NamedTuple):
    """What else must be true of what a selector matches."""

    selector: Selector = EVERYTHING
    words: str = ""
    """For people, after a noun: `` in namespace shop``; empty where nothing limits it."""


class Request(NamedTuple):
    """A selector that is to match something."""

    path: FieldPath
    sort: Sort
    wanted: Node
    within: Limit = Limit()
    excepts: bool = False
    """It says what is left out, not what is meant."""
    of_peers: Selector | None = None
    """The same for endpoints and network sets: one that is without its namespace's or account's labels may match ``!=``."""


class Together(NamedTuple):
    """Selectors of one place, all of which something is to match at once; asked only where each by itself matches."""

    path: FieldPath
    sort: Sort
    wanted: Selector
    fields: tuple[str, ...]


class Selecting(NamedTuple):
    """One place: the subject of a policy, or one end of a rule."""

    requests: tuple[Request, ...]
    together: Together | None


def selecting(resource: Resource) -> Iterator[Selecting]:
    """Every place in *resource* where something is selected; nothing for what is no policy or cannot be read."""
    try:
        yield from _places(resource)
    except (SelectorError, ConversionError):  # reported where it is validated, and enforced as told there
        return


def _places(resource: Resource) -> Iterator[Selecting]:
    match resource:
        case StagedNetworkPolicy() | StagedGlobalNetworkPolicy() if resource.spec.staged_action is StagedAction.DELETE:
            return
        case NetworkPolicy() | StagedNetworkPolicy():
            # A staged policy selects as the one that it may become.
            policy = NetworkPolicy(metadata=resource.metadata, spec=resource.spec)
            yield _subject(policy, resource.metadata.namespace)
            yield from _rules(resource.spec.ingress, resource.spec.egress, resource.metadata.namespace)
        case GlobalNetworkPolicy() | StagedGlobalNetworkPolicy():
            yield _subject(GlobalNetworkPolicy(metadata=resource.metadata, spec=resource.spec), "")
            yield from _rules(resource.spec.ingress, resource.spec.egress, "")
        case Profile():
            yield from _rules(resource.spec.ingress, resource.spec.egress, "")
        case kubernetes.NetworkPolicy() | StagedKubernetesNetworkPolicy():
            yield from _kubernetes_places(resource.spec, resource.metadata.namespace)
        case ClusterNetworkPolicy():
            yield from _cluster_places(resource)


# --- Calico's policies -----------------------------------------------------------------------------------------------------


def _subject(policy: NetworkPolicy | GlobalNetworkPolicy, namespace: str) -> Selecting:
    spec, path = policy.spec, ("spec",)
    namespaces = policy.spec.namespace_selector if isinstance(policy, GlobalNetworkPolicy) else ""
    requests = [*_namespaces(path, "namespaceSelector", namespaces)]
    if spec.service_account_selector:
        accounts = _limit(namespace, "")
        request = _accounts((*path, "serviceAccountSelector"), spec.service_account_selector, accounts)
        if isinstance(policy, GlobalNetworkPolicy) and request.of_peers is not None:
            # There all() means those with an account, so a negative one means those without.
            request = request._replace(of_peers=parse(request.of_peers.text.replace("all()", _HAS_ACCOUNT)))
        requests.append(request)
    if spec.selector or not requests:
        within = _limit(namespace, namespaces)
        requests.append(Request((*path, "selector"), Sort.ENDPOINT, parse(_as_meant(policy)).node, within))
    return Selecting(tuple(requests), Together(path, Sort.ENDPOINT, policy_selector(policy), _fields(requests)))


def _as_meant(policy: NetworkPolicy | GlobalNetworkPolicy) -> str:
    """The policy's own selector. Beside another one ``all()`` means what a global policy can find by that (``policy_selector``)."""
    spec = policy.spec
    if not isinstance(policy, GlobalNetworkPolicy):
        return spec.selector
    all_means = (
        _HAS_NAMESPACE if policy.spec.namespace_selector else _HAS_ACCOUNT if spec.service_account_selector else "all()"
    )
    return spec.selector.replace("all()", all_means)


def _rules(ingress: Iterable[Rule], egress: Iterable[Rule], namespace: str) -> Iterator[Selecting]:
    for field, rules in (("ingress", ingress), ("egress", egress)):
        for index, rule in enumerate(rules):
            for end, peer in (("source", rule.source), ("destination", rule.destination)):
                yield _peer(("spec", field, index, end), peer, namespace)


def _peer(path: FieldPath, peer: EntityRule, namespace: str) -> Selecting:
    within = _limit(namespace, peer.namespace_selector)
    requests = [*_namespaces(path, "namespaceSelector", peer.namespace_selector)]
    if peer.service_accounts is not None:
        accounts = _limit("" if peer.namespace_selector else namespace, "")
        requests += _service_accounts((*path, "serviceAccounts"), peer.service_accounts, accounts)
    if peer.selector:
        requests.append(Request((*path, "selector"), Sort.PEER, parse(peer.selector).node, within))
    positive = peer_selectors(peer, namespace).positive if len(requests) > 1 else None
    together = Together(path, Sort.PEER, positive, _fields(requests)) if positive is not None else None
    if peer.not_selector:
        wanted = parse(peer.not_selector).node
        requests.append(Request((*path, "notSelector"), Sort.PEER, wanted, within, excepts=True))
    return Selecting(tuple(requests), together)


def _service_accounts(path: FieldPath, accounts: ServiceAccountMatch, within: Limit) -> Iterator[Request]:
    if accounts.selector:
        yield _accounts((*path, "selector"), accounts.selector, within)
    for index, name in enumerate(accounts.names):
        wanted = Compare(SERVICE_ACCOUNT_LABEL, Comparison.EQUAL, name)
        yield Request((*path, "names", index), Sort.ACCOUNT_NAME, wanted, within)


def _accounts(path: FieldPath, text: str, within: Limit) -> Request:
    selector = parse(text)
    of_peers = selector.with_prefix(SERVICE_ACCOUNT_PREFIX)
    return Request(path, Sort.ACCOUNT, selector.node, within, of_peers=of_peers)


# --- Kubernetes' policies --------------------------------------------------------------------------------------------------


def _kubernetes_places(spec: kubernetes.NetworkPolicySpec, namespace: str) -> Iterator[Selecting]:
    yield _pods(("spec",), Sort.ENDPOINT, spec.pod_selector, None, namespace)
    ingress = (("ingress", index, "from", rule.from_) for index, rule in enumerate(spec.ingress))
    egress = (("egress", index, "to", rule.to) for index, rule in enumerate(spec.egress))
    for field, index, end, peers in (*ingress, *egress):
        for number, peer in enumerate(peers):
            if peer.ip_block is None:
                path = ("spec", field, index, end, number)
                yield _pods(path, Sort.PEER, peer.pod_selector, peer.namespace_selector, namespace)


def _cluster_places(policy: ClusterNetworkPolicy) -> Iterator[Selecting]:
    subject = policy.spec.subject
    yield from _cluster_peer(("spec", "subject"), Sort.ENDPOINT, subject.namespaces, subject.pods)
    for index, ingress in enumerate(policy.spec.ingress):
        for number, source in enumerate(ingress.from_):
            path = ("spec", "ingress", index, "from", number)
            yield from _cluster_peer(path, Sort.PEER, source.namespaces, source.pods)
    for index, egress in enumerate(policy.spec.egress):
        for number, destination in enumerate(egress.to):
            path = ("spec", "egress", index, "to", number)
            yield from _cluster_peer(path, Sort.PEER, destination.namespaces, destination.pods)


def _cluster_peer(
    path: FieldPath, sort: Sort, namespaces: kubernetes.LabelSelector | None, pods: NamespacedPod | None
) -> Iterator[Selecting]:
    if pods is not None:
        yield _pods((*path, "pods"), sort, pods.pod_selector, pods.namespace_selector, "")
    elif namespaces is not None:
        yield Selecting(tuple(_namespaces(path, "namespaces", namespace_selector(namespaces))), None)


def _pods(
    path: FieldPath,
    sort: Sort,
    pods: kubernetes.LabelSelector | None,
    namespaces: kubernetes.LabelSelector | None,
    namespace: str,
) -> Selecting:
    of_namespaces = namespace_selector(namespaces)
    requests = [*_namespaces(path, "namespaceSelector", of_namespaces)]
    if pods is not None:
        within = _limit(namespace, of_namespaces)
        requests.append(Request((*path, "podSelector"), sort, parse(pod_selector(pods)).node, within))
    return Selecting(tuple(requests), None)


# --- limits ----------------------------------------------------------------------------------------------------------------


def _namespaces(path: FieldPath, field: str, text: str) -> Iterator[Request]:
    """What a selector of namespaces asks for; nothing where it also means what belongs to none."""
    if text and not _mentions_global(node := parse(text).node):
        yield Request((*path, field), Sort.NAMESPACE, node, of_peers=_over_namespaces(node))


def _limit(namespace: str, namespaces: str) -> Limit:
    if namespaces:
        node = parse(namespaces).node
        if node == Global():
            words = " in no namespace"
        else:
            words = "" if node == All() or _mentions_global(node) else " in the selected namespaces"
        return Limit(_over_namespaces(node), words)
    if namespace:
        in_it = Selector(Compare(NAMESPACE_LABEL, Comparison.EQUAL, namespace))
        return Limit(in_it, f" in namespace {namespace}")
    return Limit()


def _over_namespaces(node: Node) -> Selector:
    """A selector of namespaces as one of what belongs to them."""
    return Selector(all_having(prefix_labels(node, NAMESPACE_PREFIX), NAMESPACE_LABEL))


def _mentions_global(node: Node) -> bool:
    match node:
        case Not(operand):
            return _mentions_global(operand)
        case And(operands) | Or(operands):
            return any(map(_mentions_global, operands))
        case _:
            return node == Global()


def _fields(requests: Iterable[Request]) -> tuple[str, ...]:
    return tuple(
        dict.fromkeys(str(request.path[-1 if request.sort is not Sort.ACCOUNT_NAME else -2]) for request in requests)
    )
