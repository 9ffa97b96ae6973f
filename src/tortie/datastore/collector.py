"""Python's collector of cycles, kept out of where very many tuples are made that are in none."""

from __future__ import annotations

import contextlib
import gc
from collections.abc import Iterator


@contextlib.contextmanager
def uncollected() -> Iterator[None]:
    """No collection in the block, which may take a few ms: the collector is the whole process's.

    It would look at each new tuple three times; in a listing of 100,000 keys that is a third of our own time.
    """
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()
