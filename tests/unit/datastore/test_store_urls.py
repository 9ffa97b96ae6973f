from __future__ import annotations

from pathlib import Path

import pytest

from tortie.datastore.connection import EtcdConnection, StoreURLError, parse_url
from tortie.datastore.store import UnavailableError
from tortie.datastore.urls import open_store


def test_a_url_names_a_file(tmp_path: Path) -> None:
    with open_store(f"sqlite://{tmp_path}/a%20store.db") as store:
        store.apply("/a", b"")
    assert (tmp_path / "a store.db").exists()


def test_a_missing_store_is_made_only_if_wanted(tmp_path: Path) -> None:
    with pytest.raises(UnavailableError):
        open_store(f"sqlite://{tmp_path}/tortie.db", create=False)


@pytest.mark.parametrize(
    "url",
    ["", "/var/lib/tortie.db", "sqlite:", "sqlite:///", "sqlite://host/path", "sqlite:///path?mode=ro", "etcd:/host"],
)  # fmt: skip
def test_what_names_no_store_is_refused(url: str) -> None:
    with pytest.raises(StoreURLError, match="sqlite:///PATH"):
        open_store(url)


@pytest.mark.parametrize(
    ("url", "endpoints", "is_tls"),
    [
        ("etcd://host", ("host:2379",), False),
        ("etcds://10.0.0.1:1,10.0.0.2:65535/", ("10.0.0.1:1", "10.0.0.2:65535"), True),
        ("etcd://[fd00::1],[fd00::2]:2", ("[fd00::1]:2379", "[fd00::2]:2"), False),
    ],
    ids=["default port", "TLS", "IPv6"],
)
def test_a_url_names_the_servers_of_etcd(url: str, endpoints: tuple[str, ...], is_tls: bool) -> None:
    connection = parse_url(url)
    assert connection == EtcdConnection(endpoints, is_tls)
    assert parse_url(connection.url) == connection


@pytest.mark.parametrize(
    "url", ["etcd://", "etcd://a,", "etcd://a:0", "etcd://a:65536", "etcd://fd00::1", "etcd://a/b"]
)
def test_what_is_no_server_of_etcd_is_refused(url: str) -> None:
    with pytest.raises(StoreURLError, match="expected HOST:PORT"):
        parse_url(url)
