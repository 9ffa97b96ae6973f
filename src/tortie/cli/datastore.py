"""Opening the datastore that a URL names."""

from __future__ import annotations

from urllib.parse import urlsplit

from tortie.cli.errors import CommandError
from tortie.datastore.store import Store


def open_store(url: str, *, create: bool = False) -> Store:
    """The store at *url*: ``sqlite:///PATH``, or ``lab://NAME``, which first joins that lab's namespaces.

    After joining a lab this process sees the lab's files and no longer the user's: read those before.
    With *create*, an SQLite store that is missing is made. CommandError, StoreError.
    """
    from tortie.datastore import urls  # noqa: PLC0415 - SQLite takes time to load, and `tortie --help` should not

    parts = urlsplit(url)
    match parts.scheme:
        case "lab" if parts.netloc and parts.path in ("", "/"):
            return urls.open_store(_enter(parts.netloc), create=False)
        case "etcd":
            raise CommandError(f"{url}: etcd is not supported yet; use sqlite:///PATH or lab://NAME")
        case "sqlite":
            try:
                return urls.open_store(url, create=create)
            except urls.StoreURLError as error:
                raise CommandError(str(error)) from error
        case _:
            raise CommandError(f"{url!r} does not name a datastore; expected sqlite:///PATH or lab://NAME")


def _enter(lab: str) -> str:
    from tortie.lab.client import enter_datastore  # noqa: PLC0415 - only who uses a lab needs its package
    from tortie.lab.errors import LabError  # noqa: PLC0415

    try:
        return enter_datastore(lab)
    except LabError as error:
        raise CommandError(str(error)) from error
