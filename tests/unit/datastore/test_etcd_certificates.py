"""Certificates of which only one half is there yet are waited for: gRPC would end the process over them."""

from __future__ import annotations

from pathlib import Path

import pytest

from tortie.datastore.etcd.cluster import channel_credentials
from tortie.datastore.store import UnavailableError
from tortie.testing.etcd import Certificates, make_certificates

NAMES = ("ca.pem", "client.pem", "client.key")


@pytest.fixture
def certificates(tmp_path: Path) -> Certificates:
    return make_certificates(tmp_path)


@pytest.mark.parametrize("is_inline", [False, True], ids=["files", "texts"])
def test_whole_certificates_are_taken(certificates: Certificates, is_inline: bool) -> None:
    assert channel_credentials(certificates.tls(is_inline=is_inline)) is not None


@pytest.mark.parametrize("is_inline", [False, True], ids=["files", "texts"])
@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("share", [0, 0.5], ids=["empty", "half written"])
def test_one_that_is_being_written_is_not(certificates: Certificates, name: str, share: float, is_inline: bool) -> None:
    written = (certificates.folder / name).read_bytes()
    (certificates.folder / name).write_bytes(written[: int(len(written) * share)])
    with pytest.raises(UnavailableError, match="not whole, or not of one key"):
        channel_credentials(certificates.tls(is_inline=is_inline))


def test_a_new_certificate_waits_for_its_key(certificates: Certificates) -> None:
    old = (certificates.folder / "client.key").read_bytes()
    make_certificates(certificates.folder)
    (certificates.folder / "client.key").write_bytes(old)
    with pytest.raises(UnavailableError, match="not whole, or not of one key"):
        channel_credentials(certificates.tls())


def test_words_in_any_language_may_stand_beside_them(certificates: Certificates) -> None:
    """As in the lists of authorities that browsers trust, which name them."""
    for name in NAMES:
        path = certificates.folder / name
        path.write_bytes("# Főtanúsítvány\n".encode() + path.read_bytes())
    assert channel_credentials(certificates.tls()) is not None
