"""From what people want stored to writes: what a resource means is written with it, in the same transaction.

Planning reads the store and decides; committing checks that nothing it read has changed. Whoever lost a race plans
again, from what is there then. A change of one resource is never split; several are one transaction where the store can.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from enum import StrEnum
from typing import NamedTuple

from tortie.cli.admission import refuse_change, refuse_overlap, stored_pools
from tortie.cli.errors import CommandError
from tortie.conversion import ConversionError, meaning
from tortie.datastore.store import (
    Absent,
    AtRevision,
    Check,
    ConflictError,
    Delete,
    Entry,
    NotFoundError,
    Put,
    Store,
    TooLargeError,
    Write,
)
from tortie.model import kinds
from tortie.model.checks.policy import BUILT_IN_TIERS
from tortie.model.codec import Document, InvalidResourceError, decode, decode_document, to_document
from tortie.model.defaults import for_storage
from tortie.model.document import ReadResource
from tortie.model.kinds import ResourceKey
from tortie.model.meta import Resource
from tortie.model.policy import GlobalNetworkPolicy, NetworkPolicy
from tortie.model.undeclared import with_undeclared

ATTEMPTS = 10
"""How often a change that others keep overtaking is planned."""

_PAGE = 500
_POLICIES = (
    kinds.NETWORK_POLICY,
    kinds.GLOBAL_NETWORK_POLICY,
    kinds.STAGED_NETWORK_POLICY,
    kinds.STAGED_GLOBAL_NETWORK_POLICY,
)
"""What stands in a tier; staged policies too, though they are not enforced."""


class Action(StrEnum):
    """What happened to a resource."""

    CREATED = "created"
    CONFIGURED = "configured"
    UNCHANGED = "unchanged"
    DELETED = "deleted"


class Change(NamedTuple):
    """One resource's change, with what it means."""

    key: ResourceKey
    action: Action
    revision: int
    """Of the value that was read; 0 if there was none."""
    checks: tuple[Check, ...]
    writes: tuple[Write, ...]


class Outcome(NamedTuple):
    """What became of one resource."""

    key: ResourceKey
    action: Action
    revision: int
    """Of the last write to it; 0 in a dry run that would create it."""
    committed_at_ns: int | None
    """CLOCK_MONOTONIC just before the commit was asked for, so that what is timed from it includes the commit; None where
    nothing was written."""


class Stamp(NamedTuple):
    """What new objects get."""

    uid: Callable[[], str]
    creation_timestamp: str


# --- committing ------------------------------------------------------------------------------------------------------------

Planner = Callable[[], Sequence[Change]]


def perform(store: Store, plan: Planner, now_ns: Callable[[], int], *, dry_run: bool = False) -> tuple[Outcome, ...]:
    """Commit what *plan* plans, planning again after a lost race; ConflictError after ATTEMPTS of them."""
    done: dict[ResourceKey, Outcome] = {}
    for attempt in range(1, ATTEMPTS + 1):
        changes = plan()
        try:
            for change, revision, at in _commit(store, changes, now_ns, dry_run=dry_run):
                done.setdefault(change.key, Outcome(change.key, change.action, revision, at))
            break
        except ConflictError:
            if attempt == ATTEMPTS:
                raise
    return tuple(done.values())


def _commit(
    store: Store, changes: Sequence[Change], now_ns: Callable[[], int], *, dry_run: bool
) -> Iterator[tuple[Change, int, int | None]]:
    writes = _combined(changes)
    if dry_run or not writes:
        yield from ((change, change.revision, None) for change in changes)
        return
    try:
        # Of a resource that stays as it is nothing is checked: it may change while we write the others.
        checks = dict.fromkeys(check for change in changes if change.writes for check in change.checks)
        at = now_ns()
        revision = store.transact(tuple(checks), writes)
    except TooLargeError:
        if len(changes) == 1:
            raise
        half = len(changes) // 2
        yield from _commit(store, changes[:half], now_ns, dry_run=False)
        yield from _commit(store, changes[half:], now_ns, dry_run=False)
        return
    for change in changes:
        yield (change, revision, at) if change.writes else (change, change.revision, None)


def _combined(changes: Iterable[Change]) -> tuple[Write, ...]:
    """All writes; two that differ at one key cannot both be meant."""
    writes: dict[str, Write] = {}
    for write in (write for change in changes for write in change.writes):
        if writes.setdefault(write.key, write) != write:
            raise CommandError(f"two of the resources say different things about {write.key}")
    return tuple(writes.values())


# --- applying --------------------------------------------------------------------------------------------------------------


def plan_apply(store: Store, resources: Sequence[ReadResource], stamp: Stamp) -> tuple[Change, ...]:
    """What must be written so that every one of *resources* is stored as its document says."""
    applied = {item.key for item in resources}
    _refuse_overlapping_pools(store, resources)
    changes = tuple(_apply_one(store, item, applied, stamp) for item in resources)
    return (*_create_built_in_tiers(store, resources, applied, stamp), *changes)


def _apply_one(store: Store, item: ReadResource, applied: set[ResourceKey], stamp: Stamp) -> Change:
    stored = _read(store, item.key.path)
    _expect_revision(item, stored)
    value = _stored_value(item.key.kind.struct, item.document, stored, stamp)
    resource = decode(value, item.key.kind.struct)
    refuse_change(item.key, stored, resource)
    before = _meaning_of_stored(item.key, stored)
    try:
        after = meaning(resource)
    except ConversionError as error:
        raise CommandError(f"{item.key}: {error}") from error
    checks, writes = [_unchanged(item.key.path, stored)], _put_if_new(item.key.path, value, stored)
    for key, derived in after.items():
        entry = _read(store, key.path)
        checks.append(_unchanged(key.path, entry))
        writes += _put_if_new(key.path, _derived_value(derived, entry, stamp), entry)
    for key in before.keys() - after.keys():
        writes.append(Delete(key.path))
    checks += _check_tier(store, item, applied)
    action = Action.CREATED if stored is None else Action.CONFIGURED if writes else Action.UNCHANGED
    return Change(item.key, action, stored.revision if stored else 0, tuple(checks), tuple(writes))


def _refuse_overlapping_pools(store: Store, resources: Iterable[ReadResource]) -> None:
    """A new pool has addresses that no pool has, stored or among *resources*."""
    pools = {item.key: item.resource for item in resources if item.key.kind is kinds.IP_POOL}
    if not pools:
        return
    known = dict(stored_pools(entries(store, kinds.IP_POOL.prefix)))
    for key, pool in pools.items():
        if key not in known:
            refuse_overlap(key, pool, {**known, **pools}.items())


def _expect_revision(item: ReadResource, stored: Entry | None) -> None:
    """A document that names its revision, as ``get`` prints it, is a change of that revision only."""
    expected = item.document["metadata"].get("resourceVersion")
    found = str(stored.revision) if stored else "none"
    if expected and expected != found:
        raise CommandError(
            f"{item.key} has changed since the file was made: the file is of revision {expected}, stored is {found}; "
            "get it again, or remove resourceVersion from the file"
        )


def _stored_value(struct: type[Resource], document: Document, stored: Entry | None, stamp: Stamp) -> bytes:
    old = decode_document(stored.value) if stored else {}
    old_metadata = old.get("metadata") or {}
    merged = with_undeclared(struct, old, _merge(old, document))
    metadata = document["metadata"]
    uid = old_metadata.get("uid") or metadata.get("uid") or stamp.uid()
    created = old_metadata.get("creationTimestamp") or metadata.get("creationTimestamp") or stamp.creation_timestamp
    return for_storage(merged, uid=uid, creation_timestamp=created)


def _derived_value(resource: Resource, stored: Entry | None, stamp: Stamp) -> bytes:
    return _stored_value(type(resource), to_document(resource), stored, stamp)


def _merge(old: Document, new: Document) -> Document:
    """*new*, with what *old* holds beside it: a status, and metadata that the system keeps; spec, labels and annotations are new.

    What the spec of *old* holds that this version does not know is for ``with_undeclared``.
    """
    kept = {name: value for name, value in old.items() if name not in ("spec", *new)}
    replaced = ("labels", "annotations", *new["metadata"])
    metadata = {name: value for name, value in (old.get("metadata") or {}).items() if name not in replaced}
    return {**new, **kept, "metadata": {**new["metadata"], **metadata}}


def _put_if_new(path: str, value: bytes, stored: Entry | None) -> list[Write]:
    same = stored is not None and decode_document(stored.value) == decode_document(value)
    return [] if same else [Put(path, value)]


def _check_tier(store: Store, item: ReadResource, applied: set[ResourceKey]) -> Iterator[Check]:
    """A policy's tier must be there; the built-in ones always are."""
    if item.key.kind not in _POLICIES:
        return
    tier = item.document["spec"].get("tier", "default")
    key = ResourceKey(kinds.TIER, "", tier)
    if tier in BUILT_IN_TIERS or key in applied:
        return
    entry = _read(store, key.path)
    if entry is None:
        raise CommandError(f"{item.key}: its tier {tier} does not exist; create the tier first, or in the same command")
    yield AtRevision(key.path, entry.revision)


def _create_built_in_tiers(
    store: Store, resources: Iterable[ReadResource], applied: set[ResourceKey], stamp: Stamp
) -> Iterator[Change]:
    """The built-in tiers that are missing, where one of Kubernetes' is needed: a missing one would be asked last, and deny.

    All three, for their order counts only together.
    """
    meant = (resource for item in resources for resource in (item.resource, *meaning(item.resource).values()))
    tiers = {resource.spec.tier for resource in meant if isinstance(resource, NetworkPolicy | GlobalNetworkPolicy)}
    if not tiers & {"kube-admin", "kube-baseline"}:
        return
    for name, (order, action) in BUILT_IN_TIERS.items():
        key = ResourceKey(kinds.TIER, "", name)
        if key in applied or _read(store, key.path) is not None:
            continue
        document = {
            "kind": key.kind.name, "apiVersion": key.kind.api_version, "metadata": {"name": name},
            "spec": {"order": order, "defaultAction": action},
        }  # fmt: skip
        write = Put(key.path, _stored_value(key.kind.struct, document, None, stamp))
        yield Change(key, Action.CREATED, 0, (Absent(key.path),), (write,))


# --- deleting --------------------------------------------------------------------------------------------------------------


def plan_delete(store: Store, keys: Mapping[ResourceKey, str], *, ignore_not_found: bool) -> tuple[Change, ...]:
    """What must be deleted so that none of *keys* is there; a namespace takes along what is in it.

    The mapping's values are the revisions that are meant, empty for any.
    """
    changes = [change for key, revision in keys.items() for change in _delete_one(store, key, revision)]
    missing = [key for key in keys if key not in {change.key for change in changes}]
    if missing and not ignore_not_found:
        raise CommandError("; ".join(f"{key} does not exist" for key in missing))
    _refuse_used_tiers(store, {change.key for change in changes})
    return tuple(changes)


def _delete_one(store: Store, key: ResourceKey, revision: str) -> Iterator[Change]:
    stored = _read(store, key.path)
    if stored is None:
        return
    if revision and revision != str(stored.revision):
        raise CommandError(
            f"{key} has changed since the file was made: update conflict between {revision} and {stored.revision}"
        )
    if key.kind is kinds.TIER and key.name in BUILT_IN_TIERS:
        raise CommandError(f"{key} is built in and cannot be deleted")
    paths = dict.fromkeys([key.path, *(derived.path for derived in _meaning_of_stored(key, stored))])
    if key.kind is kinds.NAMESPACE:
        paths |= dict.fromkeys(_paths_in_namespace(store, key.name))
    checks = (AtRevision(key.path, stored.revision),)
    yield Change(key, Action.DELETED, stored.revision, checks, tuple(Delete(path) for path in paths))


def _paths_in_namespace(store: Store, namespace: str) -> Iterator[str]:
    for kind in kinds.KINDS:
        if kind.namespaced:
            for entry in entries(store, f"{kind.prefix}{namespace}/"):
                yield entry.key
                key = kinds.parse_path(entry.key)
                yield from (derived.path for derived in (_meaning_of_stored(key, entry) if key else ()))


def _refuse_used_tiers(store: Store, deleted: set[ResourceKey]) -> None:
    tiers = {key.name for key in deleted if key.kind is kinds.TIER}
    if not tiers:
        return
    for kind in _POLICIES:
        for entry in entries(store, kind.prefix):
            key = kinds.parse_path(entry.key)
            tier = (decode_document(entry.value).get("spec") or {}).get("tier")
            if key not in deleted and tier in tiers:
                raise CommandError(f"Tier {tier} cannot be deleted: {key} is in it")


# --- reading ---------------------------------------------------------------------------------------------------------------


def entries(store: Store, prefix: str) -> Iterator[Entry]:
    """Everything under *prefix*, as of one revision, page by page."""
    page = store.list(prefix, limit=_PAGE)
    yield from page.entries
    while page.after is not None:
        page = store.list(prefix, limit=_PAGE, after=page.after, at_revision=page.revision)
        yield from page.entries


def _read(store: Store, path: str) -> Entry | None:
    try:
        return store.get(path)
    except NotFoundError:
        return None


def _unchanged(path: str, entry: Entry | None) -> Check:
    return Absent(path) if entry is None else AtRevision(path, entry.revision)


def _meaning_of_stored(key: ResourceKey, stored: Entry | None) -> Mapping[ResourceKey, Resource]:
    """What the value that is there means; nothing where it is invalid, for then it never meant anything."""
    if stored is None:
        return {}
    try:
        return meaning(decode(stored.value, key.kind.struct))
    except (InvalidResourceError, ConversionError):
        return {}
