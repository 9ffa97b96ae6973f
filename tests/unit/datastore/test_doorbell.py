from __future__ import annotations

import asyncio
import ctypes
import logging
from pathlib import Path

import pytest

from tortie.datastore.doorbell import Doorbell
from tortie.datastore.listener import Listener


def test_a_ring_is_heard_by_every_listener(tmp_path: Path) -> None:
    async def listen() -> None:
        bell = Doorbell(tmp_path / "bell")
        heard = [asyncio.Event(), asyncio.Event()]
        listeners = [Listener(tmp_path / "bell", event.set) for event in heard]
        for _ in range(3):
            bell.ring()
            await asyncio.gather(*(event.wait() for event in heard))
            for event in heard:
                event.clear()
        for listener in listeners:
            listener.close()
        bell.close()

    asyncio.run(asyncio.wait_for(listen(), 10))


def test_many_rings_may_be_heard_at_once(tmp_path: Path) -> None:
    async def listen() -> int:
        bell = Doorbell(tmp_path / "bell")
        times = 0
        last = asyncio.Event()

        def heard() -> None:
            nonlocal times
            times += 1
            last.set()

        listener = Listener(tmp_path / "bell", heard)
        for _ in range(1000):
            bell.ring()
        await last.wait()
        listener.close()
        bell.close()
        return times

    assert asyncio.run(asyncio.wait_for(listen(), 10)) < 10


def test_ringing_a_lost_bell_is_no_error(tmp_path: Path) -> None:
    bell = Doorbell(tmp_path / "bell")
    (tmp_path / "bell").unlink()
    bell.ring()
    bell.close()
    bell.ring()


def test_closing_a_listener_is_safe_after_its_loop_ended(tmp_path: Path) -> None:
    Doorbell(tmp_path / "bell").close()

    async def start() -> Listener:
        return Listener(tmp_path / "bell", lambda: None)

    listener = asyncio.run(start())
    listener.close()
    listener.close()


@pytest.mark.parametrize("refused", ["inotify_init1", "inotify_add_watch"])
def test_without_inotify_a_listener_is_deaf_and_says_so(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch, refused: str
) -> None:
    path = tmp_path / "bell"
    Doorbell(path).close()
    libc = ctypes.CDLL(None, use_errno=True)
    monkeypatch.setattr(libc, refused, lambda *_: -1, raising=False)
    monkeypatch.setattr(ctypes, "CDLL", lambda *_, **__: libc)

    async def start() -> None:
        Listener(path, lambda: None).close()

    with caplog.at_level(logging.WARNING):
        asyncio.run(start())
    assert f"no inotify for {path}" in caplog.text
