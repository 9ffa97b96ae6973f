"""A URL that is asked again and again, in each family for itself, and what came of it."""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from tortie.lab import http

TIMEOUT_S = 2.0
"""A dropped packet must not hold an attempt for the minutes that TCP would wait."""

FAMILIES = {"ipv4": socket.AF_INET, "ipv6": socket.AF_INET6}

_AT_ONCE = 64
"""How many attempts run at the same time."""

Outcome: TypeAlias = http.Response | None
"""Of one attempt: any answer at all, or none."""


@dataclass
class Target:
    """One URL. ``outcomes`` and ``checked`` hold the last attempt that ended, by family."""

    url: str
    outcomes: dict[str, Outcome] = field(default_factory=dict)
    checked: dict[str, float] = field(default_factory=dict)
    """When that attempt began, CLOCK_MONOTONIC: the outcome tells nothing about what changed later."""

    def record(self, family: str, began: float, outcome: Outcome) -> None:
        self.outcomes[family] = outcome
        self.checked[family] = began

    @property
    def reachable(self) -> bool:
        """Whether any family got an answer, whatever its status."""
        return any(outcome is not None for outcome in self.outcomes.values())

    def as_json(self) -> dict[str, Any]:
        """``url`` and ``reachable``, which every reader of the demos knows; ours in addition. Null: not yet tried."""
        return {
            "url": self.url,
            "reachable": self.reachable,
            **{family: self.outcomes[family] is not None if family in self.outcomes else None for family in FAMILIES},
            "checked": {family: self.checked.get(family) for family in FAMILIES},
        }


class Prober:
    """Asks targets for as long as it runs."""

    def __init__(self, period_s: float, changed: Callable[[str], None] = lambda _: None) -> None:
        """*changed* is told, in words, when an outcome is not what it was before."""
        self._period_s = period_s
        self._changed = changed
        self._slots = asyncio.Semaphore(_AT_ONCE)
        self._tasks: dict[int, list[asyncio.Task[None]]] = {}
        """By the identity of the target."""

    def watch(self, target: Target) -> None:
        """Ask *target* every period from now on, in both families."""
        self._tasks[id(target)] = [asyncio.create_task(self._ask_again(target, family)) for family in FAMILIES]

    def forget(self, target: Target) -> None:
        """Ask *target* no more."""
        for task in self._tasks.pop(id(target)):
            task.cancel()

    async def _ask_again(self, target: Target, family: str) -> None:
        while True:
            async with self._slots:
                began = time.monotonic()
                outcome = await attempt(target.url, family)
            before = family in target.outcomes and target.outcomes[family] is not None
            if family not in target.outcomes or (outcome is not None) != before:
                self._changed(f"{target.url} {family}: {'reachable' if outcome is not None else 'not reachable'}")
            target.record(family, began, outcome)
            await asyncio.sleep(max(0.0, began + self._period_s - time.monotonic()))


async def attempt(url: str, family: str) -> Outcome:
    """One GET; any HTTP answer is one."""
    try:
        async with asyncio.timeout(TIMEOUT_S):
            return await http.get(url, FAMILIES[family])
    except (OSError, http.HTTPError):  # TimeoutError is an OSError, and so is a name that is not known
        return None
