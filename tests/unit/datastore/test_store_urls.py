from __future__ import annotations

from pathlib import Path

import pytest

from tortie.datastore.store import UnavailableError
from tortie.datastore.urls import StoreURLError, open_store


def test_a_url_names_a_file(tmp_path: Path) -> None:
    with open_store(f"sqlite://{tmp_path}/a%20store.db") as store:
        store.apply("/a", b"")
    assert (tmp_path / "a store.db").exists()


def test_a_missing_store_is_made_only_if_wanted(tmp_path: Path) -> None:
    with pytest.raises(UnavailableError):
        open_store(f"sqlite://{tmp_path}/tortie.db", create=False)


@pytest.mark.parametrize(
    "url",
    ["", "/var/lib/tortie.db", "sqlite:", "sqlite:///", "sqlite://host/path", "sqlite:///path?mode=ro", "etcd://host:2379"],
)  # fmt: skip
def test_what_names_no_store_is_refused(url: str) -> None:
    with pytest.raises(StoreURLError, match="sqlite:///PATH"):
        open_store(url)
