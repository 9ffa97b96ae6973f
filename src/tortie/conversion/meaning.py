"""What one stored Kubernetes object means, as a whole: for the writer that puts both into the store in one transaction."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from tortie.conversion.cluster_policy import cluster_network_policy
from tortie.conversion.namespace import namespace
from tortie.conversion.policy import network_policy
from tortie.conversion.service_account import service_account
from tortie.model import kubernetes
from tortie.model.kinds import ResourceKey, key_of
from tortie.model.kubernetes_cluster_policy import ClusterNetworkPolicy
from tortie.model.meta import Resource


class Meaning(NamedTuple):
    """The Calico objects that exist because another object does."""

    objects: Mapping[ResourceKey, Resource]
    """Empty for Calico's own kinds and those that mean none."""
    left_out: tuple[str, ...] = ()
    """One sentence for each part that could not be converted, with its place and what stands for it."""


def convert(resource: Resource) -> Meaning:
    """What *resource* means, and what of it could not be said.

    A Pod means none by itself: its endpoint is written by the host that connects it. ConversionError for a policy whose
    pods cannot be told, and for what has too long a name.
    """
    match resource:
        case kubernetes.NetworkPolicy():
            policy, errors = network_policy(resource)
            return Meaning(_keyed(policy), errors)
        case kubernetes.Namespace():
            return Meaning(_keyed(namespace(resource)))
        case kubernetes.ServiceAccount():
            return Meaning(_keyed(service_account(resource)))
        case ClusterNetworkPolicy():
            cluster_policy, errors = cluster_network_policy(resource)
            return Meaning({} if cluster_policy is None else _keyed(cluster_policy), errors)
        case _:
            return Meaning({})


def meaning(resource: Resource) -> Mapping[ResourceKey, Resource]:
    """The objects alone."""
    return convert(resource).objects


def _keyed(resource: Resource) -> Mapping[ResourceKey, Resource]:
    return {key_of(resource): resource}
