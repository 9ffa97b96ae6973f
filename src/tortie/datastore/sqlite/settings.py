"""How one opened store behaves, on every connection that it makes."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from tortie.datastore.sqlite.clock import Clock

DEFAULT_RETENTION = 10_000


class Settings(NamedTuple):
    """See ``SQLiteStore.open``."""

    path: Path
    clock: Clock
    retention: int
    """How many revisions back the store can be read and a watch be resumed; a few hundred more are kept at times."""
    poll_s: float
    """How often a watch looks by itself, for what the doorbell cannot tell: leases that are over, a bell that was missed."""
    progress_s: float
    """How often a watch tells how far it is even if nothing happens."""

    @property
    def bell(self) -> Path:
        """The doorbell, beside the store as SQLite's own two files are."""
        return self.path.with_name(self.path.name + "-bell")
