"""Opening the datastore that a connection or an URL names."""

from __future__ import annotations

from typing import assert_never

from tortie.datastore.connection import Connection, EtcdConnection, SQLiteConnection, parse_url
from tortie.datastore.sqlite import SQLiteStore
from tortie.datastore.store import Store


def open_store(where: str | Connection, *, create: bool = True) -> Store:
    """Open the datastore at *where*; with *create*, one that can be made is made. StoreURLError, StoreError."""
    connection = parse_url(where) if isinstance(where, str) else where
    match connection:
        case SQLiteConnection(path):
            return SQLiteStore.open(path, create=create)
        case EtcdConnection(endpoints, _, access):
            from tortie.datastore.etcd import EtcdStore  # noqa: PLC0415 - gRPC takes 0.1 s to load, for no other store

            return EtcdStore.open(endpoints, tls=connection.tls, username=access.username, password=access.password)
        case _:
            assert_never(connection)
