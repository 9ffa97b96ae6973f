"""How one opened store behaves, on every connection that it makes, and how much of the past a store keeps."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from tortie.datastore.sqlite.clock import Clock


class Retention(NamedTuple):
    """How much of the past a store keeps; recorded in the store itself, so that all who write to it agree.

    A revision is forgotten, by the next write, when it is not among the last ``revisions`` or older than ``age_s``; a few hundred
    more, or a sixty-fourth of the time more, are kept at times. Nothing current is ever forgotten.
    """

    revisions: int = 10_000
    age_s: int = 24 * 3600


class Settings(NamedTuple):
    """See ``SQLiteStore.open``."""

    path: Path
    clock: Clock
    """By which leases end."""
    wall_clock: Callable[[], float]
    """Seconds since 1970, by which old revisions are forgotten."""
    poll_s: float
    """How often a watch looks by itself, for what the doorbell cannot tell: leases that are over, a bell that was missed."""
    progress_s: float
    """How often a watch tells how far it is even if nothing happens."""

    @property
    def bell(self) -> Path:
        """The doorbell, beside the store as SQLite's own two files are."""
        return self.path.with_name(self.path.name + "-bell")
