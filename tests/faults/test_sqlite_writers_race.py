"""Two processes that write one key at the same moment: exactly one of them wins, each time."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from pathlib import Path

from tortie.datastore.sqlite import SQLiteStore
from tortie.datastore.store import Changes, PutEvent

ROUNDS = 1000

_WRITER = """
import sys
from tortie.datastore.sqlite import SQLiteStore
from tortie.datastore.store import ConflictError
with SQLiteStore.open(sys.argv[1]) as store:
    for line in sys.stdin:
        try:
            print(store.update("/race", sys.argv[2].encode(), int(line)).revision, flush=True)
        except ConflictError:
            print(0, flush=True)
"""


def test_of_two_writers_exactly_one_wins_each_time(tmp_path: Path) -> None:
    path = tmp_path / "tortie.db"
    command = [sys.executable, "-c", _WRITER, str(path)]
    with SQLiteStore.open(path) as store:
        revision = first = store.create("/race", b"").revision
        winners = []
        with (
            subprocess.Popen([*command, "a"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1) as a,
            subprocess.Popen([*command, "b"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1) as b,
        ):
            for number in range(ROUNDS):
                for writer in (a, b) if number % 2 else (b, a):  # neither is always asked first
                    assert writer.stdin is not None
                    writer.stdin.write(f"{revision}\n")
                answers = {}
                for name, writer in (("a", a), ("b", b)):
                    assert writer.stdout is not None
                    answers[name] = int(writer.stdout.readline())
                assert sorted(answers.values()) == [0, revision + 1]
                winners.append(max(answers, key=lambda name: answers[name]))
                revision += 1
        assert store.get("/race").value == winners[-1].encode()
        assert set(winners) == {"a", "b"}, "they did race"
        assert _written(store, first + 1, revision) == winners


def _written(store: SQLiteStore, first: int, last: int) -> list[str]:
    async def history() -> list[str]:
        values = []
        watch = store.watch("/race", first)
        async for item in watch:
            if isinstance(item, Changes):
                values += [event.entry.value.decode() for event in item.events if isinstance(event, PutEvent)]
            if item.revision >= last:
                break
        await watch.aclose()
        return values

    return asyncio.run(asyncio.wait_for(history(), 20))
