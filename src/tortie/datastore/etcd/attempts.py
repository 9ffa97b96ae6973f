"""When a call is tried again. One table for all calls, with and without an event loop.

    fault      read, or a write that can be done only once       another write
    NOT_DONE   next server                                       next server
    LOST       next server                                       AmbiguousWriteError: it may have been done
    TOKEN      new token, same server (thrice)                   same
    any other  the store's error                                 same

A read may be repeated, and so may a write which, once done, can never be done again, since the checks that it carries then
fail. But if they fail after an answer was lost, nobody knows whether that was our own doing: ``was_lost`` tells.
"""

from __future__ import annotations

import time
from enum import Enum, auto

from tortie.datastore.etcd.cluster import Cluster
from tortie.datastore.etcd.faults import CallError, Fault, Kind

CALL_S = 10.0
"""The deadline of one attempt; etcd itself gives up a proposal after 7 s or so."""

_PAUSE_S = 0.05
_LONGEST_PAUSE_S = 0.8
"""After each round over all servers; doubled every time, up to the longest."""

_TOKENS = 3


class Effect(Enum):
    """What carrying out a request does."""

    READ = auto()
    """Nothing."""
    ONCE_ONLY = auto()
    """Once done, it cannot be done again."""
    WRITE = auto()
    """Something, each time."""


class Attempts:
    """The attempts at one call."""

    def __init__(self, cluster: Cluster, effect: Effect) -> None:
        self._cluster = cluster
        self._effect = effect
        self._until = time.monotonic() + cluster.patience_s
        self._failures = 0
        self._tokens = 0
        self.was_lost = False
        """Whether an attempt was lost, so that what it asked for may have been done."""
        self.server = cluster.server
        """Of the attempt that is under way."""

    def failed(self, error: CallError, *, was_sent: bool = True) -> None:
        """Get ready for another attempt after *error*, or raise the store's error where there is none.

        *was_sent*: whether the request itself was, or we failed before.
        """
        fault = Fault.of(error)
        if fault.kind is Kind.LOST and not was_sent:
            fault = Fault(Kind.NOT_DONE, fault.text)
        match fault.kind:
            case Kind.TOKEN if self._cluster.username and self._tokens < _TOKENS:
                self._tokens += 1
                self._cluster.token = None
                return
            case Kind.LOST if self._effect is not Effect.WRITE:
                self.was_lost = True
            case Kind.NOT_DONE:
                pass
            case _:
                if fault.kind is Kind.LOST:
                    self._cluster.leave(self.server)
                raise self._error(fault) from _cause(error)
        self._cluster.leave(self.server)
        if time.monotonic() >= self._until:
            raise self._error(fault) from _cause(error)
        self._failures += 1

    def _error(self, fault: Fault) -> Exception:
        """The last fault's; but if an earlier attempt was lost, what it may have done weighs more."""
        is_write = self._effect is not Effect.READ
        if is_write and self.was_lost and fault.kind is Kind.NOT_DONE:
            fault = Fault(Kind.LOST, fault.text)
        return fault.error(self.server.endpoint, is_write=is_write)

    def pause_s(self) -> float:
        """How long to wait before the next attempt: nothing until all servers have been tried."""
        rounds, rest = divmod(self._failures, self._cluster.size)
        return min(_PAUSE_S * 2 ** (rounds - 1), _LONGEST_PAUSE_S) if rounds and not rest else 0.0

    def begin(self) -> None:
        """Another attempt begins."""
        self.server = self._cluster.server


def _cause(error: CallError) -> BaseException | None:
    return error if isinstance(error, BaseException) else None
