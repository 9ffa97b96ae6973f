"""How a starting lab and the command that started it talk."""

from __future__ import annotations

import os
import select
import socket

import msgspec
import pytest

from tortie.lab.errors import LabStartError, UserNamespacesOffError
from tortie.lab.launch import Lifeline
from tortie.lab.settings import RELEASE, Born, Channel, Failed, Progress, Ready, Settings


@pytest.fixture
def ends() -> tuple[Lifeline, Channel]:
    ours, theirs = socket.socketpair()
    return Lifeline(ours), Channel(theirs.detach())


def test_settings_survive_the_command_line() -> None:
    settings = Settings(name="x", hosts=2, supervise_bird=False, listen_fd=3, channel_fd=4)
    assert msgspec.json.decode(msgspec.json.encode(settings), type=Settings) == settings


def test_the_command_hears_of_each_step_until_the_lab_is_ready(ends: tuple[Lifeline, Channel]) -> None:
    lifeline, channel = ends
    said: list[str] = []
    for event in (Progress("hosts", 1, 2), Progress("routes", 2, 2), Ready()):
        channel.send(event)
    lifeline.wait_until_ready(said.append)
    assert said == ["[1/2] hosts", "[2/2] routes"]
    channel.socket.close()
    lifeline.cut()


@pytest.mark.parametrize(
    ("event", "expected", "text"),
    [
        (Failed("no BIRD"), LabStartError, "no BIRD"),
        (Failed("off", switched_off=True), UserNamespacesOffError, "off"),
        (Progress("hosts", 1, 2), LabStartError, "ended while it was being started"),
    ],
    ids=["failed", "switched-off", "silent-end"],
)
def test_a_lab_that_does_not_come_up_says_why(
    ends: tuple[Lifeline, Channel], event: Progress | Failed, expected: type[Exception], text: str
) -> None:
    lifeline, channel = ends
    channel.send(event)
    channel.socket.close()
    with pytest.raises(expected, match=text):
        lifeline.wait_until_ready(lambda _: None)
    lifeline.cut()


def test_releasing_says_so_before_the_end(ends: tuple[Lifeline, Channel]) -> None:
    lifeline, channel = ends
    lifeline.release()
    assert channel.socket.recv(100) == RELEASE
    assert channel.socket.recv(100) == b""
    channel.socket.close()


def test_cutting_waits_for_process_1(ends: tuple[Lifeline, Channel]) -> None:
    lifeline, channel = ends
    pid = os.fork()
    if pid == 0:  # a process 1 that ends when its command does, as the daemon sees it
        channel.socket.recv(1)
        os._exit(0)
    pidfd = os.pidfd_open(pid)
    channel.send(Born(), [pidfd])
    channel.socket.close()
    lifeline.cut()
    assert select.select([pidfd], [], [], 0)[0] == [pidfd]
    os.close(pidfd)
    os.waitpid(pid, 0)


def test_without_a_command_there_is_nobody_to_tell(ends: tuple[Lifeline, Channel]) -> None:
    lifeline, channel = ends
    channel.send(Ready())
    lifeline.wait_until_ready(lambda _: None)
    lifeline.release()
    channel.send(Ready())
    channel.socket.close()
