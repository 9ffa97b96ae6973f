"""Planning deletions: a resource goes with what it means, a namespace with what is in it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from tortie.cli.admission import refuse_managed
from tortie.cli.errors import CommandError
from tortie.cli.writing.change import Action, Change
from tortie.cli.writing.reading import find, meaning_of_stored
from tortie.cli.writing.tiers import refuse_deletion_of_used
from tortie.datastore.store import AtRevision, Delete, Entry, Store, entries
from tortie.model import kinds
from tortie.model.checks.policy import BUILT_IN_TIERS
from tortie.model.kinds import ResourceKey


def plan_delete(store: Store, keys: Mapping[ResourceKey, str], *, ignore_not_found: bool) -> tuple[Change, ...]:
    """What must be deleted so that none of *keys* is there; a namespace takes along what is in it, and goes last.

    The mapping's values are the revisions that are meant, empty for any.
    """
    changes = [change for key, revision in keys.items() for change in _delete_one(store, key, revision)]
    found = {change.key for change in changes}
    missing = [key for key in keys if key not in found]
    if missing and not ignore_not_found:
        raise CommandError("; ".join(f"{key} does not exist" for key in missing))
    refuse_deletion_of_used(store, found)
    return tuple(changes)


def _delete_one(store: Store, key: ResourceKey, revision: str) -> Iterator[Change]:
    refuse_managed(key)
    stored = find(store, key.path)
    if key.kind is kinds.TIER and key.name in BUILT_IN_TIERS:
        raise CommandError(f"{key} is built in and cannot be deleted")
    if stored is None:
        return
    if revision and revision != str(stored.revision):
        raise CommandError(
            f"{key} has changed since the file was made: update conflict between {revision} and {stored.revision}"
        )
    if key.kind is kinds.NAMESPACE:
        for entry, what in _contents(store, key.name):
            yield _deletion(key, what, entry)
    yield _deletion(key, key, stored)


def _deletion(named: ResourceKey, key: ResourceKey, stored: Entry) -> Change:
    """The deletion of *key*, told as that of *named*."""
    paths = dict.fromkeys([key.path, *(derived.path for derived in meaning_of_stored(key, stored))])
    # What is in a namespace goes whatever becomes of it meanwhile: only what was named is checked.
    checks = (AtRevision(key.path, stored.revision),) if key == named else ()
    return Change(named, Action.DELETED, stored.revision, checks, tuple(Delete(path) for path in paths))


def _contents(store: Store, namespace: str) -> Iterator[tuple[Entry, ResourceKey]]:
    for kind in kinds.KINDS:
        if kind.namespaced:
            for entry in entries(store, f"{kind.prefix}{namespace}/"):
                if key := kinds.parse_path(entry.key):
                    yield entry, key
