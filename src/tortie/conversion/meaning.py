"""What one stored Kubernetes object means, as a whole: for the writer that puts both into the store in one transaction."""

from __future__ import annotations

from collections.abc import Mapping

from tortie.conversion.namespace import namespace
from tortie.conversion.policy import network_policy
from tortie.model import kubernetes
from tortie.model.kinds import ResourceKey, kind_of
from tortie.model.meta import Resource
from tortie.model.policy import NetworkPolicy, Profile


def meaning(resource: Resource) -> Mapping[ResourceKey, Resource]:
    """The Calico objects that exist because *resource* does; empty for Calico's own kinds and those that mean none.

    A Pod means none by itself: its endpoint is written by the host that connects it. ConversionError for a policy whose
    pods cannot be told.
    """
    match resource:
        case kubernetes.NetworkPolicy():
            return _keyed(network_policy(resource).policy)
        case kubernetes.Namespace():
            return _keyed(namespace(resource))
        case _:
            return {}


def _keyed(resource: NetworkPolicy | Profile) -> Mapping[ResourceKey, Resource]:
    metadata = resource.metadata
    return {ResourceKey(kind_of(resource), metadata.namespace, metadata.name): resource}
