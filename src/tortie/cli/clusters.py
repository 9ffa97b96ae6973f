"""The cluster that a question is about: of people's files, or of the datastore as it is."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

import click

from tortie.analysis.cluster import KnownCluster, RefusedError, filled_in, known
from tortie.analysis.followers import followed
from tortie.analysis.templates import of_a_cluster
from tortie.cli.datastore import open_store
from tortie.cli.errors import CommandError
from tortie.cli.manifests import read_manifests
from tortie.cli.settings import Settings
from tortie.conversion import as_calico, convert
from tortie.datastore.store import Store, entries
from tortie.datastore.validation import InvalidValue, validate
from tortie.model.advice import unenforced_peers
from tortie.model.document import ReadResource
from tortie.model.fieldpath import path_text
from tortie.model.kinds import ResourceKey
from tortie.model.kubernetes import Pod
from tortie.model.kubernetes_cluster_policy import ClusterNetworkPolicy
from tortie.model.meta import HostName, Resource
from tortie.model.updates import OwnersUpdate, ResourceUpdate, Update


class Found(NamedTuple):
    """A cluster, and whose its IPAM blocks' addresses are."""

    cluster: KnownCluster
    blocks: tuple[OwnersUpdate, ...] = ()
    stored: Mapping[ResourceKey, Resource] = {}
    """What a datastore holds of resources; empty for files."""


def files_or_store(files: Sequence[str], *, recursive: bool, settings: Settings) -> Found:
    """The cluster of *files*, what a cluster fills in by itself filled in; without files, that of the datastore.

    What is wrong with the datastore's values goes to standard error, for there it counts as absent. CommandError, StoreError.
    """
    if not files:
        with open_store(settings.connection()) as store:
            return _of_store(store)
    read = _of_files(files, recursive=recursive)
    return Found(_filled_in(read, told=_told(read)))


def node_of(cluster: KnownCluster, host: str) -> HostName:
    """The node called *host*; CommandError if the cluster has none of that name."""
    if host not in cluster.nodes:
        known = ", ".join(sorted(cluster.nodes)) or "none"
        raise CommandError(f"there is no node {host!r}; known: {known}")
    return HostName(host)


def with_and_without(files: Sequence[str], *, recursive: bool, settings: Settings) -> tuple[KnownCluster, KnownCluster]:
    """The cluster of the datastore, as it is and as it would be with *files* applied. CommandError, StoreError."""
    changed = _of_files(files, recursive=recursive)
    with open_store(settings.connection()) as store:
        stored, _ = _valid(store)
    meant = {key for resource in changed.values() if not isinstance(resource, Pod) for key in convert(resource).objects}
    kept = {key: resource for key, resource in stored.items() if key not in meant}
    before = _filled_in(stored)
    return before, _filled_in(followed(stored, {**kept, **changed}), told=(*_told(changed), *before.left_out))


def _of_files(files: Sequence[str], *, recursive: bool) -> dict[ResourceKey, Resource]:
    read = read_manifests(files, namespace="default", recursive=recursive, prepare=of_a_cluster)
    return {item.key: item.resource for item in read}


def _filled_in(resources: Mapping[ResourceKey, Resource], told: tuple[str, ...] = ()) -> KnownCluster:
    cluster = cluster_of_resources(resources)
    _tell(cluster, told)
    return cluster


def cluster_of_resources(resources: Mapping[ResourceKey, Resource]) -> KnownCluster:
    """The cluster in which *resources* have been applied. CommandError."""
    try:
        return filled_in(resources)
    except RefusedError as error:
        raise CommandError(str(error)) from error


def tell_left_out(cluster: KnownCluster, read: Iterable[ReadResource]) -> None:
    """Say on standard error what means nothing of the cluster of *read*, unless whoever read that has told it with its place."""
    _tell(cluster, _told({item.key: item.resource for item in read}))


def _tell(cluster: KnownCluster, told: tuple[str, ...]) -> None:
    """All that does not begin as what was *told*."""
    for sentence in cluster.left_out:
        if not sentence.startswith(told):
            click.echo(f"Warning: {sentence}", err=True)


def _told(read: Mapping[ResourceKey, Resource]) -> tuple[str, ...]:
    """How sentences begin that are about a rule of which readers of files are told."""
    policies = [(key, resource) for key, resource in read.items() if isinstance(resource, ClusterNetworkPolicy)]
    return tuple(f"{key}: {path_text(path[:3])} " for key, policy in policies for path, _ in unenforced_peers(policy))


def _of_store(store: Store) -> Found:
    """Everything that hosts see: no more is filled in, for nobody else would do it."""
    resources, blocks = _valid(store)
    taken = (as_calico(ResourceUpdate(key, value, revision=1)) for key, value in resources.items())
    return Found(known({u.key: u.value for u in taken if u.value is not None}, resources.values()), blocks, resources)


def _valid(store: Store) -> tuple[dict[ResourceKey, Resource], tuple[OwnersUpdate, ...]]:
    """What is stored, but for what is not valid: that is told, and counts as absent."""
    resources: dict[ResourceKey, Resource] = {}
    blocks: list[OwnersUpdate] = []
    everything = entries(store, "/")
    for update in validate(Update(entry.key, entry.value, entry.revision) for entry in everything):
        match update:
            case ResourceUpdate(key, value) if value is not None:
                resources[key] = value
            case OwnersUpdate():
                blocks.append(update)
            case InvalidValue():
                click.echo(f"Warning: {update.key} counts as absent: {update.reason}", err=True)
            case _:
                pass
    return resources, tuple(blocks)
