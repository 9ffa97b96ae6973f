"""Naming a datastore in one piece of text, as on a command line: ``sqlite:///var/lib/tortie/tortie.db``.

What is here needs nothing but this process; an URL such as ``lab://NAME`` is for the program that can join that lab.
"""

from __future__ import annotations

from urllib.parse import unquote, urlsplit

from tortie.datastore.sqlite import SQLiteStore
from tortie.datastore.store import Store


class StoreURLError(ValueError):
    """Text that names no datastore that could be opened."""


def open_store(url: str, *, create: bool = True) -> Store:
    """Open the datastore at *url*; with *create*, one that can be made is made. StoreURLError, StoreError."""
    parts = urlsplit(url)
    if parts.scheme != "sqlite" or parts.netloc or parts.query or parts.fragment or parts.path in ("", "/"):
        raise StoreURLError(f"{url!r} does not name a datastore; expected sqlite:///PATH, with an absolute path")
    return SQLiteStore.open(unquote(parts.path), create=create)
