"""Names of what is in the datastore, read without loading what commands need."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from tortie.cli.place import LabConnection
from tortie.cli.settings import Settings
from tortie.datastore import urls


def names_below(prefix: str, datastore: str | None, lab: str | None, config: str | None, most: int) -> Iterator[str]:
    """The names under *prefix* in the datastore that these options, or the environment, come to; at most *most*."""
    place = Settings(datastore, lab, Path(config) if config else None).connection()
    if isinstance(place, LabConnection):
        from tortie.lab.client import enter_datastore  # noqa: PLC0415 - only labs need it

        where = urls.open_store(enter_datastore(place.name), create=False)
    else:
        where = urls.open_store(place, create=False)
    with where as store:
        for entry in store.list(prefix, limit=most).entries:
            yield entry.key.removeprefix(prefix)
