"""Names of what is in the datastore, read without loading what commands need, and given up where that takes long."""

from __future__ import annotations

import contextlib
import signal
from collections.abc import Iterator
from pathlib import Path

from tortie.cli.place import LabConnection
from tortie.cli.settings import Settings
from tortie.datastore import urls

_PATIENCE_S = 1.0
"""A shell is at a standstill until it has its answer, and an etcd that is away may take minutes to be noticed."""


def names_below(prefix: str, datastore: str | None, lab: str | None, config: str | None, most: int) -> list[str]:
    """The names under *prefix* in the datastore that these options, or the environment, come to; at most *most*. TimeoutError."""
    with _within(_PATIENCE_S):
        place = Settings(datastore, lab, Path(config) if config else None).connection()
        if isinstance(place, LabConnection):
            from tortie.lab.client import enter_datastore  # noqa: PLC0415 - only labs need it

            where = urls.open_store(enter_datastore(place.name), create=False)
        else:
            where = urls.open_store(place, create=False)
        with where as store:
            return [entry.key.removeprefix(prefix) for entry in store.list(prefix, limit=most).entries]


@contextlib.contextmanager
def _within(patience_s: float) -> Iterator[None]:
    """TimeoutError inside, wherever it stands after *patience_s*, also in a call that blocks."""

    def give_up(*_: object) -> None:
        raise TimeoutError

    handler = signal.signal(signal.SIGALRM, give_up)
    timer = signal.setitimer(signal.ITIMER_REAL, patience_s)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, handler)
        signal.setitimer(signal.ITIMER_REAL, *timer)
