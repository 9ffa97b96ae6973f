"""The embedded datastore: one SQLite file with etcd's semantics, for the processes of one machine.

``format`` declares the file's tables, ``database`` opens it, ``history`` reads states and events, ``change`` writes a
revision, ``leases`` ends keys whose holder is gone, ``watch`` follows the changes; ``store`` puts them together.
"""

from tortie.datastore.sqlite.clock import BootClock, Clock
from tortie.datastore.sqlite.settings import Retention
from tortie.datastore.sqlite.store import SQLiteStore

__all__ = ["BootClock", "Clock", "Retention", "SQLiteStore"]
