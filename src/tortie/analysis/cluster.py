"""A cluster out of what people have of it: a folder's documents, a line of JSON. What a live cluster adds by itself is filled in.

    documents ──► read_documents ──► Kubernetes' kinds converted ──► filled in ──► KnownCluster ──► verdict, calc

Filled in is what would be there if the documents had been applied: the profile of every namespace and service account that
something is in or of, Calico's tiers and its profile that allows all, a node for every pod, the slices of every service
that selects pods. What is given wins over what would be filled in.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

import msgspec

from tortie.analysis.documents import UnreadableDocumentError, read_documents
from tortie.analysis.nodes import node_addresses
from tortie.analysis.slices import host_addresses, slices_of
from tortie.conversion import ConversionError, Meaning, convert, endpoint_of_pod, staged_network_policy
from tortie.model.checks.policy import BUILT_IN_TIERS
from tortie.model.endpoint import HostEndpoint, WorkloadEndpoint
from tortie.model.kinds import ResourceKey, key_of, kind_of
from tortie.model.kubernetes import Namespace, Pod, Service, ServiceAccount
from tortie.model.meta import ObjectMeta, Resource
from tortie.model.policy import Action, Profile, ProfileSpec, Rule, Tier, TierSpec
from tortie.model.staged import StagedKubernetesNetworkPolicy
from tortie.model.topology import Node
from tortie.net import Address
from tortie.verdict.names import DEFAULT_ALLOW

DEFAULT_NODE = "default-node"
"""The node of pods that name none, unless the documents have just one Node: then it is that."""

_FINISHED = ("Succeeded", "Failed")


class KnownCluster(msgspec.Struct, frozen=True, kw_only=True):
    """A cluster as verdict and calc take it, and what its ends are called."""

    resources: Mapping[ResourceKey, Resource]
    """Those of Calico's kinds, and EndpointSlices."""
    workloads: Mapping[str, tuple[WorkloadEndpoint, ...]]
    """The interfaces of ``namespace/workload``; a name of an endpoint is one too."""
    host_network: Mapping[str, str]
    """The node of each pod that has the host's network: ``namespace/pod``."""
    nodes: Mapping[str, tuple[Address, ...]]
    """Every node that anything names, with its own addresses where they are known; by name."""
    services: Mapping[str, Service] = {}
    """By ``namespace/name``."""
    left_out: tuple[str, ...] = ()
    """One sentence for each part that means nothing, with what stands for it."""

    def values(self) -> tuple[Resource, ...]:
        return tuple(self.resources.values())


def cluster_of(documents: Iterable[object], node: str = "") -> KnownCluster:
    """The cluster in which *documents* have been applied; UnreadableDocumentError for one that could not be.

    Pods that name no node are on *node*; without, on the only Node there is, or else on one of their own.
    """
    read = read_documents(documents)
    try:
        return filled_in({key: item.resource for key, item in read.items()}, node)
    except RefusedError as error:
        raise UnreadableDocumentError(f"{read[error.key].place}: {error}") from error


class RefusedError(ValueError):
    """A resource that could not be applied."""

    def __init__(self, key: ResourceKey, message: str) -> None:
        super().__init__(f"{key}: {message}")
        self.key = key


def filled_in(resources: Mapping[ResourceKey, Resource], node: str = "") -> KnownCluster:
    """The cluster in which *resources* have been applied, each of them valid; RefusedError for one that means nothing safe."""
    found: dict[ResourceKey, Resource] = {}
    left_out: list[str] = []
    with_nodes = dict(_on_nodes(resources, node))
    for key, resource in with_nodes.items():
        try:
            means, sentences = _meaning(resource)
        except ConversionError as error:
            raise RefusedError(key, str(error)) from error
        left_out += [f"{key}: {sentence}" for sentence in sentences]
        for meant in means:
            found.setdefault(key_of(meant), meant)
    for resource in (*_profiles_of_names(with_nodes.values()), *_built_in(), *slices_of(with_nodes.values())):
        found.setdefault(key_of(resource), resource)
    given = {key: value for key, value in with_nodes.items() if _is_taken(value)}
    return known({**found, **given}, with_nodes.values(), tuple(left_out))


def known(
    resources: Mapping[ResourceKey, Resource], all_of_them: Iterable[Resource], left_out: tuple[str, ...] = ()
) -> KnownCluster:
    """*resources*, with nothing filled in: as they stand in a datastore, whose pods and services are among *all_of_them*."""
    named = [(f"{item.metadata.namespace}/{item.metadata.name}", item) for item in all_of_them]
    host_network = {
        name: pod.spec.node_name
        for name, pod in named
        if isinstance(pod, Pod) and pod.spec.host_network and pod.spec.node_name
    }
    return KnownCluster(
        resources=resources,
        workloads=_by_name(resources.values()),
        host_network=host_network,
        nodes=_nodes(resources.values(), host_network.values()),
        services={name: item for name, item in named if isinstance(item, Service)},
        left_out=left_out,
    )


def _is_taken(resource: Resource) -> bool:
    """Whether verdict and calc are given it as it is."""
    kind = kind_of(resource)
    return kind.name == "EndpointSlice" or (kind.is_calico and not isinstance(resource, StagedKubernetesNetworkPolicy))


# --- what Kubernetes' kinds mean -------------------------------------------------------------------------------------------


def _meaning(resource: Resource) -> tuple[Iterable[Resource], tuple[str, ...]]:
    """The objects that *resource* means, and what of it is left out."""
    match resource:
        case Pod():
            endpoint = endpoint_of_pod(resource)
            if endpoint is not None:
                return (endpoint,), ()
            host_addresses(resource)  # a service may stand before it, so they must be readable here too
            return (), ()
        case _:
            objects, left_out = converted(resource)
            return objects.values(), left_out


def converted(resource: Resource) -> Meaning:
    """What verdicts are given of *resource* beside it, or of a StagedKubernetesNetworkPolicy in its place. ConversionError."""
    if isinstance(resource, StagedKubernetesNetworkPolicy):
        policy = staged_network_policy(resource)
        return Meaning({key_of(policy): policy})
    return convert(resource)


def _on_nodes(resources: Mapping[ResourceKey, Resource], node: str) -> Iterator[tuple[ResourceKey, Resource]]:
    """The resources, every pod with a node; without those pods that have an endpoint beside them, or have ended."""
    named = [resource.metadata.name for resource in resources.values() if isinstance(resource, Node)]
    node = node or (named[0] if len(named) == 1 else DEFAULT_NODE)
    connected = {
        (endpoint.metadata.namespace, endpoint.spec.pod)
        for endpoint in resources.values()
        if isinstance(endpoint, WorkloadEndpoint) and endpoint.spec.orchestrator == "k8s"
    }
    for key, resource in resources.items():
        if not isinstance(resource, Pod):
            yield key, resource
        elif (key.namespace, key.name) not in connected and resource.status.phase not in _FINISHED:
            yield key, resource if resource.spec.node_name else _on(resource, node)


def _on(pod: Pod, node: str) -> Pod:
    return msgspec.structs.replace(pod, spec=msgspec.structs.replace(pod.spec, node_name=node))


# --- what a cluster has by itself ------------------------------------------------------------------------------------------


def _built_in() -> Iterator[Resource]:
    for name, (order, action) in BUILT_IN_TIERS.items():
        spec = TierSpec(order=float(order), default_action=action)
        yield Tier(metadata=ObjectMeta(name=name), spec=spec)
    allow = (Rule(action=Action.ALLOW),)
    yield Profile(metadata=ObjectMeta(name=DEFAULT_ALLOW), spec=ProfileSpec(ingress=allow, egress=allow))


def _profiles_of_names(resources: Iterable[Resource]) -> Iterator[Resource]:
    """The profiles of namespaces that something is in, and of service accounts that pods run under."""
    namespaces: dict[str, None] = {}
    accounts: dict[tuple[str, str], None] = {}
    for resource in resources:
        if resource.metadata.namespace:
            namespaces[resource.metadata.namespace] = None
        if isinstance(resource, Pod | WorkloadEndpoint) and resource.spec.service_account_name:
            accounts[resource.metadata.namespace, resource.spec.service_account_name] = None
    implied = [Namespace(metadata=ObjectMeta(name=name)) for name in namespaces]
    implied_accounts = [ServiceAccount(metadata=ObjectMeta(name=name, namespace=space)) for space, name in accounts]
    for resource in (*implied, *implied_accounts):
        yield from convert(resource).objects.values()


# --- who is called what ----------------------------------------------------------------------------------------------------


def _by_name(resources: Iterable[Resource]) -> dict[str, tuple[WorkloadEndpoint, ...]]:
    found: dict[str, tuple[WorkloadEndpoint, ...]] = {}
    for resource in resources:
        if isinstance(resource, WorkloadEndpoint):
            spec, metadata = resource.spec, resource.metadata
            workload = spec.pod or spec.workload or spec.container_id
            for name in dict.fromkeys(f"{metadata.namespace}/{name}" for name in (workload, metadata.name)):
                found[name] = (*found.get(name, ()), resource)
    return found


def _nodes(resources: Iterable[Resource], others: Iterable[str]) -> dict[str, tuple[Address, ...]]:
    found: dict[str, tuple[Address, ...]] = dict.fromkeys(others, ())
    for resource in resources:
        match resource:
            case Node():
                found[resource.metadata.name] = (*node_addresses(resource), *found.get(resource.metadata.name, ()))
            case HostEndpoint():
                found[resource.spec.node] = (*found.get(resource.spec.node, ()), *resource.spec.expected_ips)
            case WorkloadEndpoint() if resource.spec.node:
                found.setdefault(resource.spec.node, ())
            case _:
                pass
    return {node: tuple(dict.fromkeys(addresses)) for node, addresses in sorted(found.items())}
