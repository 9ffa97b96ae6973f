"""When Python looks for garbage in cycles.

Almost all garbage here is freed at once, by counting references. The collector looks for what is left, cycles, and for that
walks over everything that is alive: over a cluster of 100,000 endpoints while it is read it takes 1.7 s of 4.5 s of CPU, and
finds nothing. So

- until the agent is in sync there is no collection;
- then one, and what is alive is *frozen*: collections no longer walk over it;
- from then on what is new since is looked at when nothing else is to be done, or when it has become much; at most for a
  hundredth of the time;
- and all of it, the frozen too, for a thousandth of the time, when nothing else is to be done: a frozen object that has come
  into a cycle is found by nothing else. That is the longest pause, some 0.5 s at 100,000 endpoints, once in eight minutes.
"""

from __future__ import annotations

import gc
import time
from collections.abc import Callable

_FEW = 1_000
"""So many objects more than at the last collection are worth one, if nothing else is to be done."""
_MANY = 200_000
"""So many are, even if there is."""
_SHARE_OF_NEW, _SHARE_OF_ALL = 100, 1_000
"""The time from a collection to the next of its sort, in units of what it took."""


class Garbage:
    """The process's collector, in our hands from ``begin`` to ``end``."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self.is_settled = False
        """Whether all has been read."""
        self._has_worked = False
        """Whether there was anything to do since all was collected."""
        self._next_new = self._next_all = 0.0

    def begin(self) -> None:
        """No collections until all has been read."""
        gc.disable()

    def settle(self) -> None:
        """All has been read: what is alive now will be so for long."""
        self.is_settled = True
        self._collect_all()

    def step(self, *, idle: bool) -> None:
        """Collect, if it is time to; *idle*: nothing waits for us."""
        if not self.is_settled:
            return
        self._has_worked = self._has_worked or not idle
        now = self._clock()
        if idle and self._has_worked and now >= self._next_all:
            self._collect_all()
        elif gc.get_count()[0] >= (_FEW if idle else _MANY) and now >= self._next_new:
            gc.collect()
            self._next_new = self._after(now, _SHARE_OF_NEW)

    def end(self) -> None:
        """Leave the collector as Python has it."""
        gc.unfreeze()
        gc.enable()

    def _collect_all(self) -> None:
        begun = self._clock()
        gc.unfreeze()
        gc.collect()
        gc.freeze()
        self._has_worked = False
        self._next_all = self._after(begun, _SHARE_OF_ALL)

    def _after(self, begun: float, share: int) -> float:
        """When what was begun then may be done again."""
        now = self._clock()
        return now + share * (now - begun)
