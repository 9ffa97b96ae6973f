"""Refusing file systems on which SQLite's locks and shared memory do not work: those that several machines mount."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

from tortie.datastore.store import StoreError

_MOUNTS = Path("/proc/self/mountinfo")

NETWORK_FILE_SYSTEMS = frozenset({
    "9p", "afs", "beegfs", "ceph", "cifs", "coda", "fuse.ceph", "fuse.glusterfs", "fuse.s3fs", "fuse.sshfs", "gfs2", "gpfs",
    "lustre", "ncpfs", "nfs", "nfs4", "ocfs2", "smb3", "smbfs",
})  # fmt: skip
"""As /proc/PID/mountinfo names them (proc(5))."""


def refuse_network(path: Path) -> None:
    """StoreError if *path* is on a network file system; one whose type cannot be found out is allowed."""
    found = file_system(os.stat(path).st_dev, _mounts())
    if found in NETWORK_FILE_SYSTEMS:
        raise StoreError(
            f"{path} is on a network file system ({found}), where SQLite's locks do not hold: use a local directory, or etcd"
        )


def _mounts() -> list[str]:
    """The lines of mountinfo; none for a process that has joined another's namespaces, whose /proc does not know it."""
    try:
        return _MOUNTS.read_text(encoding="utf-8", errors="surrogateescape").splitlines()
    except FileNotFoundError:
        return []


def file_system(device: int, mounts: Iterable[str]) -> str | None:
    """The type of the file system that is *device*, by the lines of a mountinfo; some, like btrfs, have others in there."""
    wanted = f"{os.major(device)}:{os.minor(device)}"
    for line in mounts:
        before, _, after = line.partition(" - ")
        if before.split(" ", 3)[2] == wanted:
            return after.split(" ", 1)[0]
    return None
