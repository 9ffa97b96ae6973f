"""Changes of stored objects by the lab's own parts: read, change, write at the revision that was read, again after a lost race."""

from __future__ import annotations

from collections.abc import Callable

from tortie.datastore.store import ConflictError, NotFoundError, Store
from tortie.model.codec import Document, decode_document, encode_document
from tortie.model.kinds import ResourceKey


def change_document(store: Store, key: ResourceKey, change: Callable[[Document], None]) -> None:
    """Let *change* alter the object at *key*; nothing happens if it is gone."""
    while True:
        try:
            entry = store.get(key.path)
            document = decode_document(entry.value)
            change(document)
            store.update(key.path, encode_document(document), entry.revision)
        except NotFoundError:
            return
        except ConflictError:
            continue
        else:
            return
