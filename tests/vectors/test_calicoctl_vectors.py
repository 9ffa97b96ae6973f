"""calicoctl.json: sequences of commands print and exit as expected, each case on an empty datastore."""

from __future__ import annotations

import contextlib
import itertools
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from commandlines import Session
from vectortables import Case, Judge

from tortie.testing.etcd import etcd_cluster

NewStore = Callable[[], str]
"""Makes a datastore empty and returns its URL."""


@contextlib.contextmanager
def sqlite_stores(folder: Path) -> Iterator[NewStore]:
    numbers = itertools.count()
    yield lambda: f"sqlite://{folder}/{next(numbers)}.db"


@contextlib.contextmanager
def etcd_stores(folder: Path) -> Iterator[NewStore]:
    if shutil.which("etcd") is None or shutil.which("etcdctl") is None:
        pytest.skip("there is no etcd here; Debian has it in etcd-server and etcd-client")
    with etcd_cluster(folder) as cluster:

        def wiped() -> str:
            cluster.ctl("del", "--from-key", "")
            return cluster.url

        yield wiped


@pytest.mark.parametrize("stores", [sqlite_stores, etcd_stores], ids=["sqlite", "etcd"])
def test_commands_print_and_exit_as_the_vectors_say(
    run_table: Callable[[str, Judge], None],
    tmp_path: Path,
    stores: Callable[[Path], contextlib.AbstractContextManager[NewStore]],
) -> None:
    with stores(tmp_path) as new_store:

        def judge(case: Case) -> None:
            Session(tmp_path, new_store()).judge(case)

        run_table("calicoctl.json", judge)
