"""Certificates of which only one half is there yet are waited for: gRPC would end the process over them."""

from __future__ import annotations

from pathlib import Path

import pytest

from tortie.datastore.connection import TLS
from tortie.datastore.etcd.cluster import _channel_credentials
from tortie.datastore.store import UnavailableError
from tortie.testing.etcd import make_certificates


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    make_certificates(tmp_path)
    return tmp_path


def tls(folder: Path) -> TLS:
    return TLS(folder / "ca.pem", folder / "client.pem", folder / "client.key")


def test_whole_certificates_are_taken(folder: Path) -> None:
    assert _channel_credentials(tls(folder)) is not None


@pytest.mark.parametrize("name", ["ca.pem", "client.pem", "client.key"])
@pytest.mark.parametrize("share", [0, 2], ids=["empty", "half written"])
def test_one_that_is_being_written_is_not(folder: Path, name: str, share: int) -> None:
    written = (folder / name).read_bytes()
    (folder / name).write_bytes(written[: len(written) // share] if share else b"")
    with pytest.raises(UnavailableError, match="not whole, or not of one key"):
        _channel_credentials(tls(folder))


def test_a_new_certificate_waits_for_its_key(folder: Path) -> None:
    old = (folder / "client.key").read_bytes()
    make_certificates(folder)
    (folder / "client.key").write_bytes(old)
    with pytest.raises(UnavailableError, match="not whole, or not of one key"):
        _channel_credentials(tls(folder))
