"""The C library's memory where large listings pass through several threads: glibc by itself keeps a heap for each of them."""

from __future__ import annotations

import contextlib
import ctypes
from functools import cache

_M_ARENA_MAX = -8
"""<malloc.h> of glibc"""


@cache
def share_one_heap() -> None:
    """Let all threads of the process take from one heap: what gRPC's have freed, ours can use. Nothing where glibc is missing.

    It holds for threads that have no heap yet, so it is done before the first connection. With heaps of their own, which
    grow and shrink with each page, a listing of 100,000 keys takes a tenth more CPU.
    """
    with contextlib.suppress(AttributeError):
        ctypes.CDLL(None).mallopt(_M_ARENA_MAX, 1)


def give_back() -> None:
    """What is free of the C library's memory, to the system: a few ms after 100,000 keys. Nothing where malloc_trim(3) is missing."""
    with contextlib.suppress(AttributeError):
        ctypes.CDLL(None).malloc_trim(0)
