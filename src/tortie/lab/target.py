"""A URL that is asked again and again, in each family for itself, and what came of it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, NamedTuple, TypeAlias

from tortie.lab import http, icmp
from tortie.lab.families import FAMILIES, FamilyName

TIMEOUT_S = 2.0
"""For one attempt: a dropped packet must not hold it for the minutes that TCP would wait."""

_AT_ONCE = 64
"""How many attempts run at the same time."""

Outcome: TypeAlias = http.Response | None
"""Of one attempt: any answer at all, or none."""


class Failure(StrEnum):
    """Why there was no answer, as a client says it."""

    BAD_ADDRESS = "bad address"
    """The name stands for no address, or nobody could be asked for it."""
    TIMED_OUT = "timed out"
    """Resolved, and then nothing came back: packets were dropped."""
    REFUSED = "connection refused"
    """Somebody said no; no policy does."""
    FAILED = "failed"
    """Anything else, such as no route."""


class Attempt(NamedTuple):
    outcome: Outcome
    failure: Failure | None = None
    """Where there is no outcome."""


@dataclass
class Target:
    """One URL. ``outcomes`` and ``checked`` hold the last attempt that ended, by family."""

    url: str
    outcomes: dict[str, Outcome] = field(default_factory=dict)
    checked: dict[str, float] = field(default_factory=dict)
    """When that attempt began, CLOCK_MONOTONIC: the outcome tells nothing about what changed later."""
    failures: dict[str, Failure | None] = field(default_factory=dict)
    """Why that attempt got no answer."""

    def record(self, family: str, began: float, outcome: Outcome, failure: Failure | None = None) -> None:
        self.outcomes[family] = outcome
        self.checked[family] = began
        self.failures[family] = failure

    def reaches(self, family: str) -> bool | None:
        """Whether the last attempt got an answer; None before the first."""
        return self.outcomes[family] is not None if family in self.outcomes else None

    @property
    def reachable(self) -> bool:
        """Whether any family got an answer, whatever its status."""
        return any(map(self.reaches, FAMILIES))

    def as_json(self) -> dict[str, Any]:
        """``url`` and ``reachable``, which every reader of the demos knows; ours in addition. Null: not yet tried."""
        return {
            "url": self.url,
            "reachable": self.reachable,
            **{family: self.reaches(family) for family in FAMILIES},
            "checked": {family: self.checked.get(family) for family in FAMILIES},
            "failures": {family: self.failures.get(family) for family in FAMILIES},
        }


class Prober:
    """Asks targets for as long as it runs."""

    def __init__(
        self,
        period_s: float,
        connect_s: float,
        *,
        changed: Callable[[str], None] = lambda _: None,
    ) -> None:
        """*changed* is told, in words, when an outcome is not what it was before."""
        self._period_s = period_s
        self._connect_s = connect_s
        self._changed = changed
        self.recorded: Callable[[], None] = lambda: None
        """Called after each outcome."""
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

    async def _ask_again(self, target: Target, family: FamilyName) -> None:
        while True:
            async with self._slots:
                began = time.monotonic()
                outcome, failure = await attempt(target.url, family, self._connect_s)
            before = target.reaches(family)
            target.record(family, began, outcome, failure)
            if (now := target.reaches(family)) is not before:
                self._changed(f"{target.url} {family}: {'reachable' if now else 'not reachable'}")
            self.recorded()
            await asyncio.sleep(max(0.0, began + self._period_s - time.monotonic()))


async def attempt(url: str, family: FamilyName, connect_s: float) -> Attempt:
    """Ask *url* once, ``http:`` with a GET, ``icmp:`` with an echo; any answer is one.

    A connection that is not made within *connect_s* seconds is none. Names are resolved first, in a time of their own: a
    filtered DNS server and a filtered host are told apart.
    """
    try:
        async with asyncio.timeout(TIMEOUT_S):
            address = await http.resolve(url, FAMILIES[family])
    except (OSError, http.HTTPError):  # TimeoutError is an OSError
        return Attempt(None, Failure.BAD_ADDRESS)
    try:
        async with asyncio.timeout(TIMEOUT_S):
            return Attempt(await _ask(url, family, address, connect_s))
    except TimeoutError:
        return Attempt(None, Failure.TIMED_OUT)
    except ConnectionRefusedError:
        return Attempt(None, Failure.REFUSED)
    except (OSError, http.HTTPError):
        return Attempt(None, Failure.FAILED)


async def _ask(url: str, family: FamilyName, address: http.SocketAddress, connect_s: float) -> http.Response:
    """The answer; an echo's is given the form of one over HTTP. OSError, HTTPError."""
    if not url.startswith("icmp:"):
        return await http.get(url, FAMILIES[family], connect_s, address=address)
    await icmp.echo(address, FAMILIES[family])
    return http.Response(200, f"{address[0]} answers\n".encode(), "text/plain")
