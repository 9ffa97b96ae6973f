"""Planning that resources be stored as documents say: created, changed, or found as they should be."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from enum import Enum, auto

from tortie.cli.admission import refuse_change, refuse_managed, refuse_overlap, stored_pools
from tortie.cli.errors import CommandError
from tortie.cli.writing.change import Action, Change, Stamp
from tortie.cli.writing.reading import find, meaning_of_stored, unchanged
from tortie.cli.writing.tiers import check_tier, missing_built_in_tiers
from tortie.conversion import ConversionError, meaning
from tortie.datastore.store import Absent, Check, Delete, Entry, Put, Store, Write, entries
from tortie.model import kinds
from tortie.model.codec import Document, decode, decode_document, to_document
from tortie.model.defaults import for_storage
from tortie.model.document import ReadResource
from tortie.model.ipam import IPPool
from tortie.model.kinds import Kind, ResourceKey
from tortie.model.undeclared import with_undeclared


class Existing(Enum):
    """What is to be done with a resource according to whether it is there."""

    CHANGED = auto()
    """Made if it is missing."""
    REFUSED = auto()
    """Only what is missing may be made."""
    SKIPPED = auto()
    """The same, but what is there stays as it is."""
    REQUIRED = auto()
    """Only what is there may be changed."""


def plan_apply(
    store: Store, resources: Sequence[ReadResource], stamp: Stamp, existing: Existing = Existing.CHANGED
) -> tuple[Change, ...]:
    """What must be written so that every one of *resources* is stored as its document says.

    CommandError, which names all of them, for resources that are there and must not be, or the other way round.
    """
    applied = {item.key for item in resources}
    stored = {item.key: find(store, item.key.path) for item in resources}
    for key in applied:
        refuse_managed(key)
    _refuse_existing(stored, existing)
    _refuse_overlapping_pools(store, resources)
    changes = tuple(
        _skipped(item.key, entry)
        if existing is Existing.SKIPPED and (entry := stored[item.key])
        else plan_one(store, item, stored[item.key], applied, stamp)
        for item in resources
    )
    return (*_create_built_in_tiers(store, resources, applied, stamp), *changes)


def plan_one(store: Store, item: ReadResource, stored: Entry | None, applied: set[ResourceKey], stamp: Stamp) -> Change:
    """The change of one resource, of which *stored* was read, among those that are *applied* together with it."""
    _expect_revision(item, stored)
    value = _stored_value(item.key.kind, item.document, stored, stamp)
    resource = decode(value, item.key.kind.struct)
    refuse_change(item.key, stored, resource)
    before = meaning_of_stored(item.key, stored)
    try:
        after = meaning(resource)
    except ConversionError as error:
        raise CommandError(f"{item.key}: {error}") from error
    checks, writes = [unchanged(item.key.path, stored)], _put_if_new(item.key.path, value, stored)
    for key, derived in after.items():
        entry = find(store, key.path)
        checks.append(unchanged(key.path, entry))
        writes += _put_if_new(key.path, _stored_value(key.kind, to_document(derived), entry, stamp), entry)
    for key in before.keys() - after.keys():
        writes.append(Delete(key.path))
    checks += check_tier(store, item, applied)
    return _change(item.key, stored, checks, writes)


def plan_comparison(store: Store, resources: Sequence[ReadResource], stamp: Stamp) -> tuple[Change, ...]:
    """How *resources* differ from what is stored in their places; not to be committed, for nothing else was looked at."""
    changes = []
    for item in resources:
        stored = find(store, item.key.path)
        value = _stored_value(item.key.kind, item.document, stored, stamp)
        changes.append(_change(item.key, stored, (), _put_if_new(item.key.path, value, stored)))
    return tuple(changes)


def _change(key: ResourceKey, stored: Entry | None, checks: Sequence[Check], writes: Sequence[Write]) -> Change:
    action = Action.CREATED if stored is None else Action.CONFIGURED if writes else Action.UNCHANGED
    return Change(key, action, stored.revision if stored else 0, tuple(checks), tuple(writes))


def _skipped(key: ResourceKey, stored: Entry) -> Change:
    return Change(key, Action.SKIPPED, stored.revision, (), ())


def _refuse_existing(stored: dict[ResourceKey, Entry | None], existing: Existing) -> None:
    there = [key for key, entry in stored.items() if entry is not None]
    missing = [key for key, entry in stored.items() if entry is None]
    if existing is Existing.REFUSED and there:
        raise CommandError("; ".join(f"{key} already exists" for key in there))
    if existing is Existing.REQUIRED and missing:
        raise CommandError("; ".join(f"{key} does not exist" for key in missing))


def _refuse_overlapping_pools(store: Store, resources: Iterable[ReadResource]) -> None:
    """A new pool has addresses that no pool has, stored or among *resources*."""
    pools = {item.key: item.resource for item in resources if isinstance(item.resource, IPPool)}
    if not pools:
        return
    known = dict(stored_pools(entries(store, kinds.IP_POOL.prefix)))
    then = known | pools
    for key, pool in pools.items():
        if key not in known:
            refuse_overlap(key, pool, then)


def _expect_revision(item: ReadResource, stored: Entry | None) -> None:
    """A document that names its revision, as ``get`` prints it, is a change of that revision only."""
    expected = item.document["metadata"].get("resourceVersion")
    found = str(stored.revision) if stored else "none"
    if expected and expected != found:
        raise CommandError(
            f"{item.key} has changed since the file was made: the file is of revision {expected}, stored is {found}; "
            "get it again, or remove resourceVersion from the file"
        )


def _stored_value(kind: Kind, document: Document, stored: Entry | None, stamp: Stamp) -> bytes:
    old = decode_document(stored.value) if stored else {}
    old_metadata = old.get("metadata") or {}
    merged = with_undeclared(kind.struct, old, _merge(old, document))
    metadata = document["metadata"]
    uid = old_metadata.get("uid") or metadata.get("uid") or stamp.uid()
    created = old_metadata.get("creationTimestamp") or metadata.get("creationTimestamp") or stamp.creation_timestamp
    return for_storage(merged, uid=uid, creation_timestamp=created)


def _merge(old: Document, new: Document) -> Document:
    """*new*, with what *old* holds beside it: a status, and metadata that the system keeps; spec, labels and annotations are new."""
    kept = {name: value for name, value in old.items() if name not in ("spec", *new)}
    replaced = ("labels", "annotations", *new["metadata"])
    metadata = {name: value for name, value in (old.get("metadata") or {}).items() if name not in replaced}
    return {**new, **kept, "metadata": {**new["metadata"], **metadata}}


def _put_if_new(path: str, value: bytes, stored: Entry | None) -> list[Write]:
    same = stored is not None and decode_document(stored.value) == decode_document(value)
    return [] if same else [Put(path, value)]


def _create_built_in_tiers(
    store: Store, resources: Iterable[ReadResource], applied: set[ResourceKey], stamp: Stamp
) -> Iterator[Change]:
    for key, document in missing_built_in_tiers(store, resources, applied):
        write = Put(key.path, _stored_value(key.kind, document, None, stamp))
        yield Change(key, Action.CREATED, 0, (Absent(key.path),), (write,))
