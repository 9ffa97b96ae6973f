"""The backends as fixtures: ``new_backend`` for as many datastores as a test wants, ``backend`` and ``store`` for one."""

from __future__ import annotations

import contextlib
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from backends import Backend, EtcdBackend, NewBackend, SQLiteBackend

from tortie.datastore.store import Store
from tortie.testing.etcd import EtcdCluster, etcd_cluster


@pytest.fixture(scope="session")
def etcd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EtcdCluster]:
    """One server for all tests that leave it as they found it, but for keys and revisions."""
    if shutil.which("etcd") is None or shutil.which("etcdctl") is None:
        pytest.skip("there is no etcd here; Debian has it in etcd-server and etcd-client")
    with etcd_cluster(tmp_path_factory.mktemp("etcd")) as cluster:
        yield cluster


@contextlib.contextmanager
def sqlite_backend() -> Iterator[Backend]:
    with tempfile.TemporaryDirectory() as folder:
        yield SQLiteBackend(Path(folder))


BACKENDS = ("sqlite", "etcd")


@pytest.fixture(params=BACKENDS)
def new_backend(request: pytest.FixtureRequest) -> NewBackend:
    if request.param == "sqlite":
        return sqlite_backend
    cluster: EtcdCluster = request.getfixturevalue("etcd")
    return lambda: contextlib.nullcontext(EtcdBackend(cluster))


@pytest.fixture
def backend(new_backend: NewBackend) -> Iterator[Backend]:
    with new_backend() as made:
        yield made


@pytest.fixture
def store(backend: Backend) -> Iterator[Store]:
    with backend.open() as opened:
        yield opened
