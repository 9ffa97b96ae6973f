"""Which datastore is meant, and how it is reached: values that open nothing.

An URL says where a store is: ``sqlite:///var/lib/tortie/tortie.db``, ``etcd://10.0.0.1:2379,10.0.0.2:2379``, or ``etcds://…``
for etcd over TLS. It never holds a secret, since command lines are seen by everybody; certificates, user and password of etcd
come from a file or the environment (``EtcdAccess``).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple, TypeAlias
from urllib.parse import quote, unquote, urlsplit

ETCD_PORT = 2379
"""Of etcd's clients, registered with IANA."""

_ENDPOINT = re.compile(r"(\[[0-9a-fA-F:.]+\]|[A-Za-z0-9._-]+)(?::([0-9]{1,5}))?")
"""A host's name or address, IPv6 in brackets, and a port."""


class StoreURLError(ValueError):
    """Text that names no datastore that could be opened."""


class TLS(NamedTuple):
    """What authenticates etcd to us, and us to etcd: each the path of a PEM file, or the PEM text itself, or absent."""

    ca: Path | str | None = None
    """The authorities that may have signed the servers' certificates; absent: those of the system."""
    certificate: Path | str | None = None
    """Ours, for servers that ask for one; goes with ``key``."""
    key: Path | str | None = None

    def __repr__(self) -> str:
        return f"TLS(ca={_source(self.ca)}, certificate={_source(self.certificate)}, key={_source(self.key)})"


class EtcdAccess(NamedTuple):
    """How a client proves who it is, wherever etcd runs."""

    tls: TLS = TLS()
    """Used where the connection is over TLS."""
    username: str = ""
    password: Path | str = ""
    """The path of a file that holds it, which is read again whenever it is asked for; or the password itself."""

    @property
    def missing(self) -> str | None:
        """The half that is not given of a pair that goes together: certificate and key, username and password."""
        halves = {
            "certificate": self.tls.certificate,
            "key": self.tls.key,
            "username": self.username,
            "password": self.password,
        }
        for one, other in (("certificate", "key"), ("username", "password")):
            if bool(halves[one]) != bool(halves[other]):
                return other if halves[one] else one
        return None

    def __repr__(self) -> str:
        return f"EtcdAccess({self.tls!r}, username={self.username!r}, password={_source(self.password or None)})"


class SQLiteConnection(NamedTuple):
    """A store in a file of this machine."""

    path: Path

    @property
    def url(self) -> str:
        return f"sqlite://{quote(str(self.path))}"


class EtcdConnection(NamedTuple):
    """A cluster of etcd servers."""

    endpoints: tuple[str, ...]
    """``HOST:PORT`` of each; any of them is tried first."""
    is_tls: bool
    access: EtcdAccess = EtcdAccess()

    @property
    def tls(self) -> TLS | None:
        """None: the connection is in clear text."""
        return self.access.tls if self.is_tls else None

    @property
    def url(self) -> str:
        return f"{'etcds' if self.is_tls else 'etcd'}://{','.join(self.endpoints)}"


Connection: TypeAlias = SQLiteConnection | EtcdConnection


def parse_url(url: str) -> Connection:
    """The datastore at *url*; StoreURLError."""
    scheme, separator, rest = url.partition("://")
    if separator and scheme in ("etcd", "etcds"):
        return EtcdConnection(_endpoints(rest.removesuffix("/").split(","), url), is_tls=scheme == "etcds")
    parts = urlsplit(url)
    is_file = parts.path.startswith("/") and parts.path != "/"
    if not separator or scheme != "sqlite" or parts.netloc or parts.query or parts.fragment or not is_file:
        raise StoreURLError(
            f"{url!r} does not name a datastore; expected sqlite:///PATH, with an absolute path, etcd://HOST:PORT,… or etcds://HOST:PORT,…"
        )
    return SQLiteConnection(Path(unquote(parts.path)))


def etcd_at(endpoints: Sequence[str], access: EtcdAccess) -> EtcdConnection:
    """Reach etcd at *endpoints* as Calico writes them, ``https://10.0.0.1:2379``; all over TLS, or none. StoreURLError."""
    schemes = {endpoint.partition("://")[0] for endpoint in endpoints}
    shown = ",".join(endpoints)
    if not schemes or schemes - {"http", "https"}:
        raise StoreURLError(
            f"{shown!r} are no endpoints of etcd; expected http://HOST:PORT or https://HOST:PORT, separated by commas"
        )
    if len(schemes) > 1:
        raise StoreURLError(
            f"{shown!r} mixes http and https: all endpoints must be of one kind, or a secret could go out in clear text"
        )
    places = [endpoint.partition("://")[2].rstrip("/") for endpoint in endpoints]
    return EtcdConnection(_endpoints(places, shown), is_tls=schemes == {"https"}, access=access)


def _endpoints(texts: Sequence[str], shown: str) -> tuple[str, ...]:
    return tuple(_endpoint(text.strip(), shown) for text in texts)


def _endpoint(text: str, shown: str) -> str:
    if "@" in text:
        raise StoreURLError(
            "an endpoint holds no user and password, since command lines are seen by everybody: write them to the settings file "
            "(etcd.username, etcd.password)"
        )
    found = _ENDPOINT.fullmatch(text)
    port = int(found[2] or ETCD_PORT) if found else 0
    if found is None or not 0 < port < 1 << 16:
        raise StoreURLError(
            f"{text!r} in {shown!r} is no endpoint of etcd; expected HOST:PORT, or [ADDRESS]:PORT for IPv6"
        )
    return f"{found[1]}:{port}"


def _source(given: Path | str | None) -> str:
    """Where it comes from; text itself is not shown, for it may be a secret."""
    return "'…'" if isinstance(given, str) else repr(given)
