"""The syncer brings its receiver only to states that the store had, and in the end to the last one, whatever happens on the way."""

from __future__ import annotations

import asyncio
import os
import subprocess
import threading
import time
from collections.abc import Callable, Coroutine
from pathlib import Path
from random import Random
from typing import Any

import pytest
from benches import BENCHES, END, PREFIX, WITHIN_S, Bench, Writer, Written, events, some_writes, write

from tortie.datastore.store import Put, Store
from tortie.datastore.syncer import Backoff, sync
from tortie.model.updates import InSync
from tortie.testing.etcd import etcd_cluster

SEEDS = range(30 if os.environ.get("TORTIE_SOAK") else 2)
ROUNDS = 5 if os.environ.get("TORTIE_SOAK") else 1
TOKEN_S = 5
QUICK = Backoff(first_s=0.01, most_s=0.2)

State = dict[str, bytes]


class Mirror:
    """What a receiver of the stream knows, and what it knew whenever it was told that it is in sync."""

    def __init__(self) -> None:
        self._state: State = {}
        self.states: list[tuple[int, State]] = []
        self.news = asyncio.Event()

    async def follow(self, store: Store, *, is_slow: bool = False) -> None:
        """Until ``END`` is there."""
        async for batch in sync(store, (PREFIX, "/nothing/"), backoff=QUICK):
            for update in batch:
                if isinstance(update, InSync):
                    self.states.append((update.revision, dict(self._state)))
                    self.news.set()
                elif update.value is None:
                    self._state.pop(update.key, None)
                else:
                    self._state[update.key] = update.value
            if END in self._state and isinstance(batch[-1], InSync):
                return
            if is_slow:
                await asyncio.sleep(0.01)

    async def reach(self, revision: int) -> None:
        """Wait until the receiver knows the state at *revision*, or a later one."""
        while not self.states or self.states[-1][0] < revision:
            self.news.clear()
            await self.news.wait()


def require_true(mirror: Mirror, written: Written) -> None:
    """Every state was one that the store had, in order, and the last is the last."""
    truth = truths(written)
    at = 0
    for revision, state in mirror.states:
        assert revision >= at, "went back"
        at = revision
        assert state == truth(revision), f"at revision {revision}"
    assert mirror.states[-1][1] == truth(max(written))


def truths(written: Written) -> Callable[[int], State]:
    """The state under ``PREFIX`` at any revision."""
    states: list[tuple[int, State]] = [(0, {})]
    for revision, changed in sorted(events(written).items()):
        after = {**states[-1][1], **changed}
        states.append((revision, {key: value for key, value in after.items() if value is not None}))
    return lambda at: next(state for revision, state in reversed(states) if revision <= at)


def run(coroutine: Coroutine[Any, Any, None], within_s: float = 60) -> None:
    asyncio.run(asyncio.wait_for(coroutine, within_s))


@pytest.mark.timeout(WITHIN_S + 20)
@pytest.mark.parametrize("is_slow", [False, True], ids=["quick", "slow"])
@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("name", BENCHES)
def test_it_survives_random_faults(tmp_path: Path, name: str, seed: int, is_slow: bool) -> None:
    """Connections cut, the server killed and restarted, the history compacted under it; a receiver that keeps up, or does not."""
    bookmarked = threading.Event()
    bookmarked.set()

    async def follow(bench: Bench) -> None:
        mirror = Mirror()
        writing = asyncio.create_task(asyncio.to_thread(write, bench, seed, bookmarked))
        with bench.follower() as store:
            await mirror.follow(store, is_slow=is_slow)
        require_true(mirror, await writing)

    with BENCHES[name](tmp_path) as bench:
        run(follow(bench), WITHIN_S)


@pytest.mark.timeout(100 * ROUNDS)
def test_it_survives_leader_changes_with_tokens_that_end(tmp_path: Path) -> None:
    """Three members behind TLS and passwords, whose tokens end after 5 s; killed and restarted one after the other."""
    make_token_keys(tmp_path)
    jwt = f"jwt,pub-key={tmp_path}/jwt.pub,priv-key={tmp_path}/jwt.key,sign-method=RS256,ttl={TOKEN_S}s"

    async def follow() -> None:
        mirror = Mirror()
        with etcd_cluster(tmp_path, size=3, is_tls=True, options=("--auth-token", jwt)) as cluster:
            cluster.use_passwords()
            with cluster.client("root", "root") as store, cluster.client("root", "root") as writing:
                writer = await asyncio.to_thread(Writer, writing)
                following = asyncio.create_task(mirror.follow(store))
                random = Random(0)
                over_at = time.monotonic() + TOKEN_S
                for server in cluster.servers * ROUNDS:
                    for change in (server.kill, server.start):
                        await asyncio.to_thread(change)
                        for _ in range(20):
                            await asyncio.to_thread(writer.transact, *some_writes(random, random.randbytes(4)))
                        last = await asyncio.to_thread(writer.transact, Put(f"{PREFIX}0", random.randbytes(4)))
                        await mirror.reach(last)
                while time.monotonic() < over_at:  # on a fast machine, all that took less than a token's time
                    await asyncio.to_thread(writer.transact, *some_writes(random, random.randbytes(4)))
                cluster.servers[0].kill()
                await asyncio.to_thread(writer.transact, Put(END, b""))
                await following
                require_true(mirror, writer.written)

    run(follow(), 90 * ROUNDS)


def make_token_keys(folder: Path) -> None:
    """A pair of keys for JSON web tokens."""
    subprocess.run(["openssl", "genrsa", "-out", "jwt.key", "2048"], cwd=folder, check=True, capture_output=True)
    subprocess.run(["openssl", "rsa", "-in", "jwt.key", "-pubout", "-out", "jwt.pub"], cwd=folder, check=True, capture_output=True)  # fmt: skip


def test_it_notices_that_etcd_lost_everything(tmp_path: Path) -> None:
    """A server that starts anew has the revisions of another history: what was known by them is compared by value."""

    async def follow() -> None:
        mirror = Mirror()
        with etcd_cluster(tmp_path) as cluster, cluster.client() as store:
            early = store.transact([], [Put(f"{PREFIX}{number}", b"old") for number in range(4)])
            for _ in range(10):
                store.apply("/elsewhere/1", b"")
            following = asyncio.create_task(mirror.follow(store))
            await mirror.reach(store.revision())
            server = cluster.servers[0]
            server.kill()
            server.forget()
            server.start()
            with cluster.client() as other:
                changed = {f"{PREFIX}{number}": b"new" for number in (1, 2, 5)}
                assert other.transact([], [Put(*pair) for pair in changed.items()]) == early, (
                    "revisions tell no difference"
                )
                known = len(mirror.states)
                while len(mirror.states) == known:
                    mirror.news.clear()
                    await mirror.news.wait()
                assert mirror.states[-1][1] == changed
                other.apply(END, b"")
                await following

    run(follow())
