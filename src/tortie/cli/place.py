"""Where a command's datastore is: what a store's URL can name (``tortie.datastore.connection``), or a lab's."""

from __future__ import annotations

from typing import NamedTuple, TypeAlias

from tortie.datastore.connection import Connection, EtcdAccess, StoreURLError, parse_url


class LabConnection(NamedTuple):
    """The store of the lab called ``name``, in that lab's own namespaces."""

    name: str

    @property
    def url(self) -> str:
        return f"lab://{self.name}"


Place: TypeAlias = Connection | LabConnection


class Said(NamedTuple):
    """What one source of settings, a file or Calico's environment, says of the datastore."""

    place: Place | None
    """None: it names no datastore."""
    access: EtcdAccess | None
    """None: it says nothing of who we are to etcd."""


def parse_place(url: str) -> Place:
    """The place at *url*; StoreURLError."""
    scheme, separator, name = url.partition("://")
    if not separator or scheme != "lab":
        return parse_url(url)
    name = name.removesuffix("/")
    if not name or "/" in name:
        raise StoreURLError(f"{url!r} does not name a lab; expected lab://NAME")
    return LabConnection(name)
