"""A whole site as a file, and that file into another store: how a site moves from one backend to another.

    store ── entries at ONE revision ──► lines of JSON, ended by their count and digest ──► batches within the target's limits

Keys and values are carried byte for byte, so what nobody here understands is carried too. Revisions are the target's own. Keys
with a lease are left out: they speak of living processes, which write them again.

An import can be broken off anywhere and given again. Each batch moves a marker in the target on in its own transaction, so
what is done is known; until the last batch the site says that it is not ready (ClusterInformation, ``datastoreReady: false``),
and what is enforced comes before what it is enforced on.
"""

from __future__ import annotations

import base64
import binascii
import contextlib
import hashlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, NamedTuple

import msgspec

from tortie.datastore.store import (
    Absent,
    AmbiguousWriteError,
    AtRevision,
    Check,
    Delete,
    Entry,
    Limits,
    NotFoundError,
    Put,
    Store,
    Write,
    entries,
    require_key,
)
from tortie.model.kinds import (
    CLUSTER_INFORMATION,
    HOST_ENDPOINT,
    K8S_NETWORK_POLICY,
    POD,
    WORKLOAD_ENDPOINT,
    ResourceKey,
)

PREFIXES = ("/calico/", "/tortie/")
"""All that is ours or Calico's; an etcd may hold others' keys."""

MARKER = "/tortie/import"
"""In the target, how far an import has come; gone when it is complete."""

CLUSTER_KEY = ResourceKey(CLUSTER_INFORMATION, "", "default").path

_FORMAT = 1
_OPERATIONS = 1000
_SIZE_BYTES = 4 << 20
"""Of a batch, where the target can do more: what others wait for while it is written."""
_MARKER_BYTES = 1000

Tell = Callable[[int, int], object]
"""Called with what is done and how much there is in all."""


class TransferError(Exception):
    """A site that cannot be exported, a file that cannot be imported, or a target into which it cannot be."""


class Item(NamedTuple):
    """One key of a site."""

    key: str
    value: bytes


class Site(NamedTuple):
    """The content of a file."""

    items: tuple[Item, ...]
    digest: str
    """Of all of the items: tells whether a broken-off import was one of this file."""


# --- out -------------------------------------------------------------------------------------------------------------------


def export_lines(store: Store, tell: Tell = lambda *_: None) -> Iterator[bytes]:
    """*store*'s site as it is at one revision, in lines; CompactedError if reading takes longer than the store keeps it.

    TransferError, before the first line, for a key that not every backend can hold: it names the key.
    """
    revision = store.revision()
    kept = list(_entries(store, revision))
    _refuse_foreign(kept)
    yield _line({"tortieExport": _FORMAT, "revision": revision, "entries": len(kept)})
    digest = hashlib.sha256()
    for done, entry in enumerate(kept, start=1):
        line = _line(_as_json(entry.key, entry.value))
        digest.update(line)
        yield line
        tell(done, len(kept))
    yield _line({"end": len(kept), "sha256": digest.hexdigest()})


def _entries(store: Store, revision: int) -> Iterator[Entry]:
    found = (entry for prefix in PREFIXES for entry in entries(store, prefix, at_revision=revision))
    return (entry for entry in found if entry.lease is None and entry.key != MARKER)


def _refuse_foreign(found: Iterable[Entry]) -> None:
    for entry in found:
        if not _is_portable(entry.key):
            written = str(entry.key.encode("utf-8", "surrogateescape"))[1:]
            raise TransferError(
                f"the key {written} is nothing that Calico or Tortie writes, and not every datastore could hold it (it is not UTF-8, "
                "or has the character U+10FFFF); delete it with `etcdctl del`"
            )


def _is_portable(key: str) -> bool:
    """Whether every backend takes *key*: etcd has whatever bytes strangers wrote."""
    try:
        require_key(key)
        key.encode()
    except ValueError:
        return False
    return True


def _line(value: object) -> bytes:
    return msgspec.json.encode(value) + b"\n"


def _as_json(key: str, value: bytes) -> dict[str, str]:
    try:
        return {"key": key, "value": value.decode()}
    except UnicodeDecodeError:
        return {"key": key, "base64": base64.b64encode(value).decode()}


# --- in --------------------------------------------------------------------------------------------------------------------


def read_site(lines: Iterable[bytes]) -> Site:
    """The site in a file's *lines*; TransferError names the line that is wrong, or says that the end is missing."""
    numbered = enumerate(lines, start=1)
    _expect_header(next(numbered, (1, b""))[1])
    items: list[Item] = []
    digest = hashlib.sha256()
    for number, line in numbered:
        found = _object(number, line)
        if "end" in found:
            if found.get("end") != len(items) or found.get("sha256") != digest.hexdigest():
                raise TransferError(f"line {number}: the file is damaged: its entries are not those that were exported")
            return Site(tuple(items), digest.hexdigest())
        items.append(_item(number, found))
        digest.update(line)
    raise TransferError("the file is cut off: its last line is missing")


def _expect_header(line: bytes) -> None:
    found = _object(1, line)
    if "tortieExport" not in found:
        raise TransferError("line 1: this is not what `tortie datastore export` writes")
    if found["tortieExport"] != _FORMAT:
        raise TransferError(f"line 1: a newer Tortie wrote this (format {found['tortieExport']}): upgrade Tortie")


def _object(number: int, line: bytes) -> dict[str, Any]:
    try:
        return msgspec.json.decode(line, type=dict[str, Any])
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise TransferError(f"line {number}: not what `tortie datastore export` writes: {error}") from error


def _item(number: int, found: dict[str, Any]) -> Item:
    match found:
        case {"key": str(key)} if not _is_portable(key):
            raise TransferError(f"line {number}: {key!r} cannot be a key")
        case {"key": str(key), "value": str(text)} if key.startswith(PREFIXES):
            return Item(key, text.encode())
        case {"key": str(key), "base64": str(text)} if key.startswith(PREFIXES):
            return Item(key, _from_base64(number, text))
    raise TransferError(
        f"line {number}: not an entry; expected a key that begins with {' or '.join(PREFIXES)}, and its value"
    )


def _from_base64(number: int, text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except binascii.Error as error:
        raise TransferError(f"line {number}: not base64: {error}") from error


def import_site(store: Store, site: Site, *, merge: bool = False, tell: Tell = lambda *_: None) -> None:
    """Write *site* to *store*, which must be empty but for a part of just this site; with *merge* it may hold anything.

    With *merge*, keys of the site are overwritten and others stay. TransferError, ConflictError if somebody else writes to the
    same keys, TooLargeError; what is done until then stays, and importing again goes on from there.
    """
    items = in_order(site.items)
    marker = _marker(store, site)
    if marker.entry is None and not merge:
        _refuse_content(store)
    while True:
        tell(marker.done, len(items))
        batch = next(batches(items[marker.done : marker.done + _OPERATIONS], store.limits), [])
        # The marker tells whether a batch was written of which that is not known; after the last word there is none.
        with contextlib.suppress(AmbiguousWriteError):
            store.transact(*(_step(site, batch, marker, merge=merge) if batch else _last_step(site, marker)))
        marker = _marker(store, site)
        if not batch and marker.entry is None:
            return


class _Marker(NamedTuple):
    """How far an import is."""

    done: int
    """Items that are written."""
    entry: Entry | None

    @property
    def check(self) -> Check:
        return AtRevision(MARKER, self.entry.revision) if self.entry else Absent(MARKER)


def _marker(store: Store, site: Site) -> _Marker:
    try:
        entry = store.get(MARKER)
    except NotFoundError:
        return _Marker(0, None)
    found = msgspec.json.decode(entry.value, type=dict[str, Any])
    if found.get("sha256") != site.digest:
        raise TransferError("an import of another file was broken off here; give that file again, to complete it")
    return _Marker(int(found["done"]), entry)


def _refuse_content(store: Store) -> None:
    for prefix in PREFIXES:
        if page := store.list(prefix, limit=1).entries:
            raise TransferError(f"the target is not empty: {page[0].key} is there; --merge imports all the same")


def _step(site: Site, batch: Sequence[Item], marker: _Marker, *, merge: bool) -> tuple[list[Check], list[Write]]:
    checks = [marker.check]
    if not merge:
        checks += [Absent(item.key) for item in batch]
    progress = msgspec.json.encode({"sha256": site.digest, "done": marker.done + len(batch)})
    return checks, [Put(MARKER, progress), *(Put(item.key, _not_ready(item)) for item in batch)]


def _last_step(site: Site, marker: _Marker) -> tuple[list[Check], list[Write]]:
    """That the site is complete, and as ready as it was."""
    return [marker.check], [Delete(MARKER), *(Put(*item) for item in site.items if item.key == CLUSTER_KEY)]


def _not_ready(item: Item) -> bytes:
    """The item's value; ClusterInformation's says that nobody should act on the site yet."""
    if item.key != CLUSTER_KEY:
        return item.value
    try:
        document = msgspec.json.decode(item.value, type=dict[str, Any])
    except (msgspec.DecodeError, UnicodeDecodeError):
        return item.value  # nor does anybody read from it that the site is ready
    spec = document.get("spec")
    return msgspec.json.encode(
        {**document, "spec": {**(spec if isinstance(spec, dict) else {}), "datastoreReady": False}}
    )


_LAST = tuple(
    (kind.prefix, place)
    for place, kind in enumerate((K8S_NETWORK_POLICY, HOST_ENDPOINT, WORKLOAD_ENDPOINT, POD), start=2)
)


def in_order(items: Iterable[Item]) -> list[Item]:
    """*items* as they are written one after the other: whether the site is ready first; what policies are enforced on last."""

    def place(item: Item) -> int:
        if item.key == CLUSTER_KEY:
            return 0
        return next((place for prefix, place in _LAST if item.key.startswith(prefix)), 1)

    return sorted(items, key=place)


def batches(items: Sequence[Item], limits: Limits) -> Iterator[list[Item]]:
    """*items* in their order, in parts that are transactions within *limits*, the marker's write included."""
    operations = (limits.operations or _OPERATIONS) - 1
    size_bytes = (limits.size_bytes or _SIZE_BYTES) - _MARKER_BYTES
    batch: list[Item] = []
    size = 0
    for item in items:
        taken = 2 * len(item.key.encode()) + len(item.value)  # the key stands in the check, too
        if batch and (len(batch) == operations or size + taken > min(size_bytes, _SIZE_BYTES)):
            yield batch
            batch, size = [], 0
        batch.append(item)
        size += taken
    if batch:
        yield batch
