"""Planning changes of what is stored: a label set, a patch, an edited text. Made from the stored document, each time anew."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TypeAlias

from tortie.cli.admission import refuse_managed
from tortie.cli.errors import CommandError
from tortie.cli.writing.applying import plan_one
from tortie.cli.writing.change import Change, Stamp
from tortie.cli.writing.reading import find
from tortie.cli.writing.tiers import built_in_tiers
from tortie.datastore.store import Entry, Store
from tortie.model.codec import Document, InvalidResourceError, encode_document
from tortie.model.document import ReadResource, read
from tortie.model.fieldpath import path_text
from tortie.model.kinds import ResourceKey
from tortie.model.stored import from_storage
from tortie.model.undeclared import undeclared_paths, with_undeclared, without_undeclared

Modification: TypeAlias = Callable[[Document], Document]
"""From the document that is stored, as users see it, to the one that should be; it may not change its argument."""


def plan_modify(store: Store, modifications: Mapping[ResourceKey, Modification], stamp: Stamp) -> tuple[Change, ...]:
    """What must be written so that each resource is as its modification makes it.

    CommandError for what is not there, cannot be read, or would be invalid. Fields of a newer version stay as they are.
    """
    keys = set(modifications)
    changes = []
    for key, modify in modifications.items():
        refuse_managed(key)
        stored = find(store, key.path)
        before = current_document(key, stored)
        changes.append(plan_one(store, _read_back(key, before, modify(before)), stored, keys, stamp))
    return tuple(changes)


def current_document(key: ResourceKey, stored: Entry | None) -> Document:
    """The document at *key*, as users see it; CommandError if there is none. The built-in tiers always are."""
    if stored is None:
        built_in = dict(built_in_tiers()).get(key)
        if built_in is None:
            raise CommandError(f"{key} does not exist")
        return built_in
    try:
        return from_storage(stored.value, stored.revision)
    except InvalidResourceError as error:
        raise CommandError(f"{key} cannot be read, so it can only be replaced or deleted: {error}") from error


def _read_back(key: ResourceKey, before: Document, after: Document) -> ReadResource:
    """*after*, judged as a file is; only what *before* already holds may be unknown to this version."""
    struct = key.kind.struct
    new = set(undeclared_paths(struct, after)) - set(undeclared_paths(struct, before))
    if new:
        raise CommandError(f"{key}: there is no field {', '.join(sorted(path_text(path) for path in new))}")
    result = read(encode_document(without_undeclared(struct, after)).decode(), default_namespace=key.namespace)
    if result.errors:
        found = (
            f"{path_text(error.path)}: {error.message}" if error.path else error.message for error in result.errors
        )
        raise CommandError(f"{key} would be invalid: {'; '.join(found)}")
    (item,) = result.resources
    if item.key != key:
        raise CommandError(
            f"{key} cannot become {item.key}: kind, namespace and name stay; make a new one, delete the old one"
        )
    return item._replace(document=with_undeclared(struct, after, item.document))
