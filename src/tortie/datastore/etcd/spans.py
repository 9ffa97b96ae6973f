"""Where a long listing is cut, so that its parts can be asked for before the one before them has come. Pure.

The next page of a listing begins after the last key of this one, so pages follow each other: while one is on its way and taken
apart, etcd has nothing to do. And for every page etcd counts all that is left, which makes a listing quadratic. Both end where a
page's end need not be known: keys are cut by guess, into as many as this page holds if they go on as they did in it.

    this page            first ····· last │ rest of a span │ a span │ all that is left
    the byte they        ns-0              ns-2             ns-3
    differ in first

A bad guess costs a request, never a key: spans follow each other without a gap, and one that holds more than a page is cut anew.
"""

from __future__ import annotations

import os.path
from collections.abc import Iterator
from typing import NamedTuple

_AHEAD = 2
"""Spans that are cut off what is left."""


class Span(NamedTuple):
    """Keys from ``begin`` up to ``end``, which is not part of it; etcd's ``key`` and ``range_end``."""

    begin: bytes
    end: bytes


def cut(first: bytes, last: bytes, end: bytes) -> tuple[Span, ...]:
    """What lies after *last* and before *end*, by a page that went from *first* to *last*; never empty, and without a gap."""
    begins = [last + b"\0", *_guesses(first, last, end)]
    return tuple(map(Span, begins, [*begins[1:], end]))


def _guesses(first: bytes, last: bytes, end: bytes) -> Iterator[bytes]:
    """Keys after *last* and before *end*, each as far from the one before as *last* is from *first*."""
    common = len(os.path.commonprefix([first, last]))  # noqa: RUF071 - keys are bytes here: by byte is right
    if common == len(first):
        return
    step = last[common] - first[common]
    for byte in range(last[common] + step, 256, step)[:_AHEAD]:
        guess = last[:common] + bytes((byte,))
        if guess < end or end == b"\0":
            yield guess
