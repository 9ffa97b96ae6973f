"""Opening the datastore that a command is told to use."""

from __future__ import annotations

from tortie.cli.errors import CommandError
from tortie.cli.place import LabConnection, Place, parse_place
from tortie.datastore.connection import StoreURLError
from tortie.datastore.store import Store


def open_store(where: str | Place, *, create: bool = False) -> Store:
    """The store at *where*, a place or its URL; for a lab's, this process first joins that lab's namespaces.

    After joining a lab this process sees the lab's files and no longer the user's: read those before.
    With *create*, an SQLite store that is missing is made. CommandError, StoreError.
    """
    from tortie.datastore import urls  # noqa: PLC0415 - SQLite takes time to load, and `tortie --help` should not

    try:
        place = parse_place(where) if isinstance(where, str) else where
    except StoreURLError as error:
        raise CommandError(str(error)) from error
    if isinstance(place, LabConnection):
        return urls.open_store(_enter(place.name), create=False)
    return urls.open_store(place, create=create)


def _enter(lab: str) -> str:
    from tortie.lab.client import enter_datastore  # noqa: PLC0415 - only who uses a lab needs its package
    from tortie.lab.errors import LabError  # noqa: PLC0415 - the same

    try:
        return enter_datastore(lab)
    except LabError as error:
        raise CommandError(str(error)) from error
