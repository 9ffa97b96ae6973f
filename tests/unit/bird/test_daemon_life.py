"""Starting, adopting, configuring and ending a real BIRD, one that looks at interfaces only and so needs no privilege."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Coroutine
from pathlib import Path

import pytest

from tortie.bird import (
    BirdDaemon,
    BirdPaths,
    BirdStartError,
    BirdTimeoutError,
    BirdUnavailableError,
    ConfigRefusedError,
)
from tortie.bird.control import listener_pid


def config(router_id: str = "10.0.0.1") -> str:
    return f"log stderr all;\nrouter id {router_id};\nprotocol device {{ }}\n"


class Place:
    """A folder for one BIRD, and the daemons that see it."""

    def __init__(self, folder: Path) -> None:
        self.paths = BirdPaths(
            config=folder / "lib" / "bird.conf", control=folder / "run" / "bird.ctl", log=folder / "log" / "bird.log"
        )
        self.daemons: list[BirdDaemon] = []

    def daemon(self, *, supervise: bool = True, timeout_s: float = 5, binary: str = "bird") -> BirdDaemon:
        """What a newly started agent has."""
        self.daemons.append(BirdDaemon(self.paths, supervise=supervise, timeout_s=timeout_s, binary=binary))
        return self.daemons[-1]

    @property
    def pid(self) -> int:
        return listener_pid(self.paths.control)

    async def kill(self) -> None:
        """End BIRD with SIGKILL, and wait until it has."""
        process = os.pidfd_open(self.pid)
        ended = asyncio.Event()
        asyncio.get_running_loop().add_reader(process, ended.set)
        signal.pidfd_send_signal(process, signal.SIGKILL)
        await ended.wait()
        asyncio.get_running_loop().remove_reader(process)
        os.close(process)


@pytest.fixture
def run(tmp_path: Path) -> Callable[[Callable[[Place], Coroutine[None, None, None]]], None]:
    place = Place(tmp_path)

    async def whole(scenario: Callable[[Place], Coroutine[None, None, None]]) -> None:
        try:
            await scenario(place)
        finally:
            for daemon in place.daemons:
                await daemon.stop()

    return lambda scenario: asyncio.run(whole(scenario))


Run = Callable[[Callable[[Place], Coroutine[None, None, None]]], None]


def test_the_first_configuration_starts_bird_and_the_next_reaches_the_same_one(run: Run) -> None:
    async def scenario(place: Place) -> None:
        daemon = place.daemon()
        first = await daemon.apply(config("10.0.0.1"))
        pid = place.pid
        second = await daemon.apply(config("10.0.0.2"))
        assert first is not None
        assert second is not None
        assert (first.router_id, second.router_id, place.pid) == ("10.0.0.1", "10.0.0.2", pid)
        assert place.paths.config.read_text() == config("10.0.0.2")

    run(scenario)


def test_a_running_bird_is_adopted(run: Run) -> None:
    async def scenario(place: Place) -> None:
        await place.daemon().apply(config("10.0.0.1"))
        pid = place.pid
        status = await place.daemon().apply(config("10.0.0.2"))
        assert status is not None
        assert (status.router_id, place.pid) == ("10.0.0.2", pid)

    run(scenario)


def test_bird_outlives_an_agent_that_is_killed(run: Run) -> None:
    async def scenario(place: Place) -> None:
        agent = (
            "import asyncio, os, signal, sys; from pathlib import Path; from tortie.bird import BirdDaemon, BirdPaths\n"
            "paths = BirdPaths(config=Path(sys.argv[1]), control=Path(sys.argv[2]), log=Path(sys.argv[3]))\n"
            "asyncio.run(BirdDaemon(paths).apply(sys.argv[4]))\n"
            "os.killpg(os.getpgid(0), signal.SIGKILL)\n"
        )
        paths = [str(path) for path in (place.paths.config, place.paths.control, place.paths.log)]
        ended = subprocess.run([sys.executable, "-c", agent, *paths, config()], start_new_session=True, check=False)
        assert ended.returncode == -signal.SIGKILL
        assert not await place.daemon().ensure_running()

    run(scenario)


def test_a_configuration_that_does_not_parse_leaves_file_and_bird_as_they_were(run: Run) -> None:
    async def scenario(place: Place) -> None:
        daemon = place.daemon()
        await daemon.apply(config("10.0.0.1"))
        with pytest.raises(ConfigRefusedError, match=r"bird\.conf\.new:2:11 syntax error"):
            await daemon.apply("log stderr all;\nrouter id nonsense;\n")
        assert place.paths.config.read_text() == config("10.0.0.1")
        async with await daemon.connect() as bird:
            assert (await bird.status()).router_id == "10.0.0.1"

    run(scenario)


def test_a_configuration_that_only_the_running_bird_refuses_is_taken_back(run: Run, tmp_path: Path) -> None:
    async def scenario(place: Place) -> None:
        await place.daemon().apply(config("10.0.0.1"))
        lenient = tmp_path / "lenient-bird"
        lenient.write_text('#!/bin/sh\ntest "$1" = -p && ! grep -q impossible "$3" || exit 0\n')
        lenient.chmod(0o755)
        with pytest.raises(ConfigRefusedError, match="syntax error"):
            await place.daemon(binary=str(lenient)).apply("impossible;\n")
        assert place.paths.config.read_text() == config("10.0.0.1")

    run(scenario)


@pytest.mark.parametrize("supervise", [True, False], ids=["supervised", "left alone"])
def test_a_dead_bird_is_started_again_only_under_supervision(run: Run, supervise: bool) -> None:
    async def scenario(place: Place) -> None:
        daemon = place.daemon(supervise=supervise)
        await daemon.apply(config("10.0.0.1"))
        await place.kill()
        assert await daemon.ensure_running() is supervise
        assert await daemon.ensure_running() is False
        assert (await daemon.apply(config("10.0.0.2")) is not None) is supervise
        assert place.paths.config.read_text() == config("10.0.0.2")

    run(scenario)


def test_nothing_is_started_before_there_is_a_configuration(run: Run) -> None:
    async def scenario(place: Place) -> None:
        assert not await place.daemon().ensure_running()
        with pytest.raises(BirdUnavailableError):
            await place.daemon().connect()

    run(scenario)


def test_only_after_a_kill_is_bird_started_to_recover(run: Run) -> None:
    async def scenario(place: Place) -> None:
        def recovers() -> bool:
            return b"-R" in Path(f"/proc/{place.pid}/cmdline").read_bytes().split(b"\0")

        daemon = place.daemon()
        await daemon.apply(config())
        assert not recovers()
        await daemon.stop()
        await daemon.ensure_running()
        assert not recovers()
        await place.kill()
        await daemon.ensure_running()
        assert recovers()

    run(scenario)


def test_a_bird_that_hangs_is_reported_not_replaced_and_can_be_stopped(run: Run) -> None:
    async def scenario(place: Place) -> None:
        await place.daemon().apply(config())
        os.kill(place.pid, signal.SIGSTOP)
        impatient = place.daemon(timeout_s=0.2)
        with pytest.raises(BirdTimeoutError):
            await impatient.ensure_running()
        await impatient.stop()
        with pytest.raises(BirdUnavailableError):
            await impatient.connect()

    run(scenario)


@pytest.mark.parametrize(
    ("script", "says"),
    [
        (None, "there is no program .*: install BIRD 2"),
        ('test "$1" = -p && exit 0; echo "Cannot open netlink" >&2; exit 1', "ended at once: Cannot open netlink"),
        ('test "$1" = -p && exit 0; exec sleep 60', "does not answer on"),
    ],
    ids=["missing", "ends at once", "never answers"],
)
def test_a_bird_that_does_not_start_says_why(run: Run, tmp_path: Path, script: str | None, says: str) -> None:
    async def scenario(place: Place) -> None:
        binary = tmp_path / "bird"
        if script is not None:
            binary.write_text(f"#!/bin/sh\n{script}\n")
            binary.chmod(0o755)
        with pytest.raises(BirdStartError, match=says):
            await place.daemon(binary=str(binary), timeout_s=0.3).apply(config())

    run(scenario)


def test_what_bird_says_is_kept_in_its_log_over_restarts(run: Run) -> None:
    async def scenario(place: Place) -> None:
        daemon = place.daemon()
        await daemon.apply(config())
        await daemon.stop()
        await daemon.ensure_running()
        assert place.paths.log.read_text().count("<INFO> Started") == 2

    run(scenario)
