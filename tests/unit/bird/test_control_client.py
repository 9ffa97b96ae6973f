"""The client against a BIRD of a few lines, which says exactly what it is told to."""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from pathlib import Path

import pytest

from tortie.bird import BirdControl, BirdError, BirdRefusedError, BirdTimeoutError, BirdUnavailableError

WELCOME = b"0001 BIRD 2.0.12 ready.\n"


@contextlib.asynccontextmanager
async def fake_bird(path: Path, answers: Mapping[str, bytes], welcome: bytes = WELCOME) -> AsyncIterator[None]:
    """Answers commands from a table, a byte at a time; hangs up on those it does not know."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(welcome)
        while command := (await reader.readline()).decode().strip():
            if command not in answers:
                break
            for byte in answers[command]:
                writer.write(bytes([byte]))
                await writer.drain()
        writer.close()

    async with await asyncio.start_unix_server(serve, path):
        yield


def talk(path: Path, answers: Mapping[str, bytes], scenario: Callable[[BirdControl], Awaitable[None]]) -> None:
    async def run() -> None:
        async with fake_bird(path, answers), await BirdControl.connect(path, timeout_s=0.2) as bird:
            await scenario(bird)

    asyncio.run(run())


def test_commands_are_answered_one_after_the_other(tmp_path: Path) -> None:
    async def scenario(bird: BirdControl) -> None:
        assert (await bird.command("one")).message == "first"
        assert [count.routes for count in await bird.route_counts()] == [7]

    count = b"1007-7 of 7 routes for 7 networks in table master4\n0014 Total: 7\n"
    talk(tmp_path / "ctl", {"one": b"0013 first\n", "show route count": count}, scenario)


def test_the_pid_of_the_listener_is_known(tmp_path: Path) -> None:
    async def scenario(bird: BirdControl) -> None:
        assert bird.pid == os.getpid()

    talk(tmp_path / "ctl", {}, scenario)


def test_a_refused_command_carries_birds_words(tmp_path: Path) -> None:
    async def scenario(bird: BirdControl) -> None:
        with pytest.raises(BirdRefusedError, match=r"bird\.conf:3:1 syntax error"):
            await bird.configure(Path("/bird.conf"))

    talk(tmp_path / "ctl", {'configure "/bird.conf"': b"0002-Reading\n8002 /bird.conf:3:1 syntax error\n"}, scenario)


@pytest.mark.parametrize(
    ("answers", "error", "says"),
    [
        ({}, BirdUnavailableError, "ended"),
        ({"show status": b"1000-BIRD 2.0"}, BirdTimeoutError, "does not answer within 0.2 s"),
        ({"show status": b"what?\n0000 \n"}, BirdError, "does not speak as BIRD 2 does"),
    ],
    ids=["hangs up", "stops in the middle", "speaks otherwise"],
)
def test_what_goes_wrong_is_told_apart(
    tmp_path: Path, answers: Mapping[str, bytes], error: type[BirdError], says: str
) -> None:
    async def scenario(bird: BirdControl) -> None:
        with pytest.raises(error, match=says):
            await bird.status()

    talk(tmp_path / "ctl", answers, scenario)


def test_a_bird_that_is_shutting_down_counts_as_gone(tmp_path: Path) -> None:
    async def scenario(bird: BirdControl) -> None:
        with pytest.raises(BirdUnavailableError, match="is shutting down"):
            await bird.configure(Path("/bird.conf"))

    ignored = b"0002-Reading\n0006 Reconfiguration ignored, shutting down\n"
    talk(tmp_path / "ctl", {'configure "/bird.conf"': ignored}, scenario)


def test_a_listener_without_a_welcome_hangs(tmp_path: Path) -> None:
    async def run() -> None:
        async with fake_bird(tmp_path / "ctl", {}, welcome=b""):
            with pytest.raises(BirdTimeoutError):
                await BirdControl.connect(tmp_path / "ctl", timeout_s=0.1)

    asyncio.run(run())


@pytest.mark.parametrize("name", ["missing", "x" * 200], ids=["missing", "too long for a socket"])
def test_where_nobody_listens_bird_is_unavailable(tmp_path: Path, name: str) -> None:
    with pytest.raises(BirdUnavailableError, match="no BIRD listens on"):
        asyncio.run(BirdControl.connect(tmp_path / name))
