"""What the SQLite store costs above plain SQLite, and how soon a watcher in another process knows of a commit.

    python bench/sqlite_store.py [--writes N]

Bars: writes, single and in batches, at most 2 × the time of plain SQLite; 5 ms p99 from the commit's return to the watcher's
event; 1 % of a CPU for a watcher to which nothing happens.

Every figure is a ratio of two things measured in the same run, in turns, on the same file system; the times behind them are
shown, but belong to the machine. Plain SQLite is one table of keys and values in the same mode: WAL, synchronous=FULL.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from tortie.datastore.sqlite import SQLiteStore
from tortie.datastore.store import Changes, Put, PutEvent

VALUE = b"x" * 1000
"""About the size of a stored WorkloadEndpoint."""

ROUNDS = 10
IDLE_S = 5.0

_WRITER = """
import sys, time
from tortie.datastore.sqlite import SQLiteStore
with SQLiteStore.open(sys.argv[1]) as store:
    for _ in range(int(sys.argv[2])):
        sys.stdin.readline()
        started = time.monotonic()
        store.apply("/bench/clock", b"")
        print(started, time.monotonic(), flush=True)
"""


@contextlib.contextmanager
def plain_sqlite(path: Path) -> Iterator[sqlite3.Connection]:
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute("CREATE TABLE entry (key TEXT PRIMARY KEY, value BLOB)")
    yield connection
    connection.close()


def in_turns(count: int, ours: Callable[[int], object], plain: Callable[[int], object]) -> tuple[float, float]:
    """Microseconds of one call of each: the median of ``ROUNDS`` rounds of *count* calls."""
    times: tuple[list[float], list[float]] = ([], [])
    for number in range(ROUNDS):
        for operation, taken in zip((ours, plain), times, strict=True):
            started = time.perf_counter()
            for call in range(number * count, (number + 1) * count):
                operation(call)
            taken.append((time.perf_counter() - started) / count * 1e6)
    return statistics.median(times[0]), statistics.median(times[1])


def show(what: str, ours: float, plain: float, *, unit: str) -> None:
    print(f"{what:44} {ours / plain:6.2f}   ({ours:.4g} {unit} : {plain:.4g} {unit})")


def measure_operations(folder: Path, count: int) -> None:
    put, select = "INSERT OR REPLACE INTO entry VALUES (?, ?)", "SELECT value FROM entry WHERE key = ?"
    with plain_sqlite(folder / "plain.db") as plain, SQLiteStore.open(folder / "store.db") as store:
        writes = in_turns(
            count,
            lambda call: store.apply(f"/bench/{call % 500}", VALUE),
            lambda call: plain.execute(put, (f"/bench/{call % 500}", VALUE)),
        )
        reads = in_turns(
            count,
            lambda call: store.get(f"/bench/{call % 500}"),
            lambda call: plain.execute(select, (f"/bench/{call % 500}",)).fetchone(),
        )
        lists = in_turns(1, lambda _: store.list("/bench/"), lambda _: plain.execute("SELECT * FROM entry").fetchall())
    show("apply : plain upsert (bar 2)", *writes, unit="µs")
    show("get : plain select", *reads, unit="µs")
    show("list 500 : plain select", *lists, unit="µs")


def measure_batches(folder: Path, size: int) -> None:
    """Batches of *size*, each overwriting half of what the one before it wrote."""
    put = "INSERT OR REPLACE INTO entry VALUES (?, ?)"

    def keys(call: int) -> list[str]:
        return [f"/bench/{call * size // 2 + number}" for number in range(size)]

    def plain_batch(call: int) -> None:
        plain.execute("BEGIN")
        plain.executemany(put, [(key, VALUE) for key in keys(call)])
        plain.execute("COMMIT")

    with plain_sqlite(folder / f"plain{size}.db") as plain, SQLiteStore.open(folder / f"store{size}.db") as store:
        batches = in_turns(
            max(2, 1000 // size), lambda call: store.transact([], [Put(key, VALUE) for key in keys(call)]), plain_batch
        )
    show(f"batch of {size} : plain upserts (bar 2)", *(took / size for took in batches), unit="µs each")


async def wake_ups(store: SQLiteStore, path: Path, count: int) -> tuple[list[float], list[float]]:
    """Milliseconds from another process's commit returning until a watch here has its event, and that the write took."""
    watch = store.watch("/bench/clock", store.revision() + 1)
    writer = await asyncio.create_subprocess_exec(
        sys.executable, "-c", _WRITER, str(path), str(count), stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert writer.stdin is not None
    assert writer.stdout is not None
    events, commits = [], []
    for _ in range(count):
        writer.stdin.write(b"\n")
        while not isinstance(await anext(watch), Changes):
            pass
        woken = time.monotonic()
        started, committed = map(float, (await writer.stdout.readline()).split())
        events.append(max(0.0, woken - committed) * 1000)  # the event may come before the writer is back from its call
        commits.append((committed - started) * 1000)
    await writer.wait()
    await watch.aclose()
    return events, commits


def percentile(values: Sequence[float], percent: int) -> float:
    return statistics.quantiles(values, n=100)[percent - 1]


def measure_watch(folder: Path, count: int) -> None:
    path = folder / "store.db"
    with SQLiteStore.open(path) as store:
        events, commits = asyncio.run(wake_ups(store, path, count))
        backlog = asyncio.run(read_backlog(store))
        started = time.perf_counter()
        entries = len(store.list("").entries)
        listed = (time.perf_counter() - started) / entries * 1e6
    for percent in (50, 99):
        ours, write = percentile(events, percent), percentile(commits, percent)
        print(
            f"commit to event in another process, p{percent:<8} {ours:6.3f} ms (bar for p99: 5; the write itself {write:.3f} ms)"
        )
    show("event of a backlog : entry of a listing", backlog, listed, unit="µs")


async def read_backlog(store: SQLiteStore) -> float:
    """Microseconds of a watch that is behind, for each event."""
    newest = store.revision()
    first = max(2, newest - 5000)
    watch = store.watch("", first)
    events = 0
    started = time.perf_counter()
    async for item in watch:
        if isinstance(item, Changes):
            events += sum(isinstance(event, PutEvent) for event in item.events)
        if item.revision >= newest:
            break
    await watch.aclose()
    return (time.perf_counter() - started) / events * 1e6


def measure_idle(folder: Path) -> None:
    """The CPU that a watcher takes while nothing happens, ticks of its own included."""

    async def wait(store: SQLiteStore) -> float:
        watch = store.watch("/nothing/", store.revision() + 1)
        waiting = asyncio.ensure_future(anext(watch))
        await asyncio.sleep(0.1)
        before = time.process_time()
        await asyncio.sleep(IDLE_S)
        used = time.process_time() - before
        waiting.cancel()
        await watch.aclose()
        return used

    with SQLiteStore.open(folder / "store.db") as store:
        used = asyncio.run(wait(store))
    print(f"idle watcher                                 {100 * used / IDLE_S:6.3f} % of a CPU (bar 1)")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--writes", type=int, default=500, help="calls in each round, and wake-ups (default: 500)")
    count = parser.parse_args().writes
    with tempfile.TemporaryDirectory() as folder:
        measure_operations(Path(folder), count)
        for size in (10, 100, 1000):
            measure_batches(Path(folder), size)
        measure_watch(Path(folder), count)
        measure_idle(Path(folder))


if __name__ == "__main__":
    main()
