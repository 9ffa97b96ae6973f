"""Hearing the bell of another process's store (``tortie.datastore.doorbell``), by inotify(7)."""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import logging
import os
from collections.abc import Callable
from pathlib import Path

_log = logging.getLogger(__name__)

# <sys/inotify.h>: not in Python's standard library
_IN_MODIFY = 0x00000002
_IN_ATTRIB = 0x00000004

_READ_BYTES = 4096
"""Of one read of the inotify queue; an event without a name takes 16."""


class Listener:
    """The waiting side: calls *heard* in the running event loop after each ring; several rings may become one call."""

    def __init__(self, path: Path, heard: Callable[[], None]) -> None:
        self._heard = heard
        self._loop = asyncio.get_running_loop()
        self._fd = _open_inotify(path)
        if self._fd >= 0:
            self._loop.add_reader(self._fd, self._on_readable)

    def _on_readable(self) -> None:
        with contextlib.suppress(BlockingIOError):
            while len(os.read(self._fd, _READ_BYTES)) == _READ_BYTES:
                pass
        self._heard()

    def close(self) -> None:
        """Stop listening; safe to repeat, also after the loop was closed."""
        if self._fd < 0:
            return
        if not self._loop.is_closed():
            self._loop.remove_reader(self._fd)
        os.close(self._fd)
        self._fd = -1


def _open_inotify(path: Path) -> int:
    """A non-blocking inotify descriptor for *path*; -1, with a warning, where the system has none left."""
    libc = ctypes.CDLL(None, use_errno=True)
    fd: int = libc.inotify_init1(os.O_NONBLOCK | os.O_CLOEXEC)
    if fd >= 0 and libc.inotify_add_watch(fd, os.fsencode(path), ctypes.c_uint32(_IN_MODIFY | _IN_ATTRIB)) >= 0:
        return fd
    reason = os.strerror(ctypes.get_errno())
    _log.warning("no inotify for %s (%s): changes by other processes are noticed late", path, reason)
    if fd >= 0:
        os.close(fd)
    return -1
