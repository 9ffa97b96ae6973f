"""What a plan would change, as a unified diff of YAML: the resources and what they mean, without what only the store needs."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator

from tortie.cli.output import without_metadata
from tortie.cli.writing import Change
from tortie.cli.writing.reading import find
from tortie.datastore.store import Put, Store
from tortie.model.codec import InvalidResourceError
from tortie.model.kinds import parse_path
from tortie.model.stored import from_storage
from tortie.model.yamltext import yaml_text

_BOOKKEEPING = ("uid", "creationTimestamp", "resourceVersion")


def difference(store: Store, changes: Iterable[Change]) -> Iterator[str]:
    """The lines of the diff, without line ends; none where nothing would change."""
    writes = dict.fromkeys(write for change in changes for write in change.writes)
    for write in writes:
        key = parse_path(write.key)
        stored = find(store, write.key)
        before = _text(stored.value) if stored else ""
        after = _text(write.value) if isinstance(write, Put) else ""
        title = str(key or write.key)
        yield from difflib.unified_diff(
            before.splitlines(), after.splitlines(), f"stored: {title}", f"wanted: {title}", lineterm=""
        )


def _text(value: bytes) -> str:
    try:
        document = from_storage(value, 0)
    except InvalidResourceError:
        return "(it cannot be read)"
    return yaml_text(without_metadata(document, _BOOKKEEPING))
