"""How random clusters go on: what one becomes next, so that much stays and much that there was is gone or changed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from random import Random

import msgspec

from tortie.model.endpoint import WorkloadEndpoint
from tortie.model.kinds import ResourceKey, key_of
from tortie.model.kubernetes import Namespace, ServiceAccount
from tortie.model.meta import Resource
from tortie.model.policy import Tier
from tortie.model.topology import Node
from tortie.testing.clusters import RandomCluster, random_cluster
from tortie.testing.vocabulary import LABELS, chance

_GROUND = (Namespace, ServiceAccount, Tier, Node)


def keyed(resources: Iterable[Resource]) -> dict[ResourceKey, Resource]:
    return {key_of(r): r for r in resources}


def later(rng: Random, cluster: RandomCluster) -> RandomCluster:
    """*cluster* a while later, with the same hosts: mostly a few changes, now and then nearly another cluster."""
    fresh = random_cluster(rng, hosts=len(cluster.hosts))
    stay, come = rng.choice(((0.95, 0.05), (0.9, 0.2), (0.7, 0.4), (0.3, 0.9)))
    before = keyed(cluster.resources)
    # What most else stands on mostly stays: without namespaces there are no profiles, and nothing is asked but those.
    resources = {key: r for key, r in before.items() if chance(rng, 0.95 if isinstance(r, _GROUND) else stay)}
    resources |= {key: resource for key, resource in keyed(fresh.resources).items() if chance(rng, come)}
    if not any(isinstance(resource, WorkloadEndpoint) for resource in resources.values()):
        resources |= keyed(fresh.endpoints)
    changed = {key: _with_fewer_labels(rng, r) if chance(rng, 0.2) else r for key, r in resources.items()}
    return RandomCluster(hosts=cluster.hosts, resources=tuple(_apart(changed).values()))


def sharing_links(rng: Random, cluster: RandomCluster) -> RandomCluster:
    """*cluster*, some workloads of which claim the link of another of their host."""
    resources = [
        _at_link_of(rng.choice(cluster.endpoints), r) if isinstance(r, WorkloadEndpoint) and chance(rng, 0.4) else r
        for r in cluster.resources
    ]
    return msgspec.structs.replace(cluster, resources=tuple(resources))


def _at_link_of(other: WorkloadEndpoint, endpoint: WorkloadEndpoint) -> WorkloadEndpoint:
    if other.spec.node != endpoint.spec.node:
        return endpoint
    spec = msgspec.structs.replace(endpoint.spec, interface_name=other.spec.interface_name)
    return msgspec.structs.replace(endpoint, spec=spec)


def _with_fewer_labels(rng: Random, resource: Resource) -> Resource:
    labels = {k: v for k, v in resource.metadata.labels.items() if k not in LABELS or chance(rng, 0.5)}
    return msgspec.structs.replace(resource, metadata=msgspec.structs.replace(resource.metadata, labels=labels))


def _apart(resources: Mapping[ResourceKey, Resource]) -> dict[ResourceKey, Resource]:
    """Without those endpoints that have another's addresses: of several the last one stays."""
    owners = {r.spec.ip_networks: key for key, r in resources.items() if isinstance(r, WorkloadEndpoint)}
    return {
        key: resource
        for key, resource in resources.items()
        if not isinstance(resource, WorkloadEndpoint) or owners[resource.spec.ip_networks] == key
    }
