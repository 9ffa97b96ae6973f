"""The clock of a SQLite store's leases as tests set it."""

from __future__ import annotations


class ManualClock:
    """See ``tortie.datastore.sqlite.Clock``: stands still at ``reading``."""

    def __init__(self, era: str = "test", reading: float = 0.0) -> None:
        self.era = era
        self.reading = reading

    def now(self) -> float:
        return self.reading
