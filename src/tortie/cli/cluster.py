"""What a cluster says of itself in its datastore (ClusterInformation ``default``), and what every cluster has.

Calico's hosts read it too, and wait while it is not ready: so a cluster is locked while it is moved.
"""

from __future__ import annotations

from collections.abc import Iterator

from tortie.cli.errors import CommandError
from tortie.cli.writing import ATTEMPTS, Stamp
from tortie.cli.writing.reading import find, unchanged
from tortie.cli.writing.tiers import built_in_tiers
from tortie.datastore.store import Check, ConflictError, Entry, Put, Store, Write
from tortie.model.codec import Document, InvalidResourceError, decode_document, encode_document
from tortie.model.defaults import for_storage
from tortie.model.kinds import CLUSTER_INFORMATION, ResourceKey
from tortie.model.meta import CALICO

CLUSTER = ResourceKey(CLUSTER_INFORMATION, "", "default")


def initialise(store: Store, guid: str, stamp: Stamp) -> tuple[ResourceKey, ...]:
    """Create what every cluster has and this one has not: who it is, by *guid*, and the built-in tiers. What was created or completed."""
    for _ in range(ATTEMPTS):
        missing = tuple(_missing(store, guid, stamp))
        checks: list[Check] = [check for _, check, _ in missing]
        writes: list[Write] = [write for _, _, write in missing]
        try:
            if writes:
                store.transact(checks, writes)
        except ConflictError:
            continue
        return tuple(key for key, _, _ in missing)
    raise CommandError("others change the datastore all the time; try again")


def _missing(store: Store, guid: str, stamp: Stamp) -> Iterator[tuple[ResourceKey, Check, Put]]:
    entry = find(store, CLUSTER.path)
    if entry is None:
        document: Document = {
            "kind": CLUSTER.kind.name, "apiVersion": CALICO, "metadata": {"name": CLUSTER.name},
            "spec": {"clusterGUID": guid, "datastoreReady": True},
        }  # fmt: skip
        yield CLUSTER, unchanged(CLUSTER.path, None), Put(CLUSTER.path, _new(document, stamp))
    else:
        document = _read(entry)
        spec = {"clusterGUID": guid, "datastoreReady": True} | document.get("spec", {})
        if spec != document.get("spec"):
            yield (
                CLUSTER,
                unchanged(CLUSTER.path, entry),
                Put(CLUSTER.path, encode_document({**document, "spec": spec})),
            )
    for key, tier in built_in_tiers():
        if find(store, key.path) is None:
            yield key, unchanged(key.path, None), Put(key.path, _new(tier, stamp))


def _new(document: Document, stamp: Stamp) -> bytes:
    return for_storage(document, uid=stamp.uid(), creation_timestamp=stamp.creation_timestamp)


def ready(store: Store) -> bool | None:
    """Whether hosts should act on the datastore; None where nobody has said so."""
    entry = find(store, CLUSTER.path)
    found = _read(entry).get("spec", {}).get("datastoreReady") if entry else None
    return found if isinstance(found, bool) else None


def set_ready(store: Store, wanted: bool) -> None:
    """Say whether hosts should act on the datastore."""
    _change_spec(store, {"datastoreReady": wanted})


def describe(store: Store) -> Document:
    """The cluster's whole ClusterInformation; CommandError if there is none."""
    return _read(_required(store))


def adopt(store: Store, other: Document) -> None:
    """Be the cluster that *other*, a ClusterInformation, is of, and not ready yet."""
    spec = other.get("spec") or {}
    kept = {name: spec[name] for name in ("clusterGUID", "calicoVersion") if spec.get(name)}
    _change_spec(store, {**kept, "datastoreReady": False})


def _change_spec(store: Store, changed: Document) -> None:
    """Set fields of the spec; all else that is said of the cluster stays."""
    for _ in range(ATTEMPTS):
        entry = _required(store)
        document = _read(entry)
        document["spec"] = {**document.get("spec", {}), **changed}
        try:
            store.update(entry.key, encode_document(document), entry.revision)
        except ConflictError:
            continue
        return
    raise CommandError("others change ClusterInformation all the time; try again")


def _required(store: Store) -> Entry:
    entry = find(store, CLUSTER.path)
    if entry is None:
        raise CommandError("the datastore has no ClusterInformation yet; run `tortie datastore init` first")
    return entry


def _read(entry: Entry) -> Document:
    try:
        document = decode_document(entry.value)
    except InvalidResourceError as error:
        raise CommandError(f"{CLUSTER} cannot be read: {error}") from error
    if not isinstance(document.get("spec", {}), dict):
        raise CommandError(f"{CLUSTER} cannot be read: its spec is no mapping")
    return document
