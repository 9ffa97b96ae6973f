"""What a lab is started with, and what the starting tree says to the command that started it.

The command and the tree hold the two ends of a socket pair. The tree sends one JSON line per ``LaunchEvent``; the command sends
``RELEASE`` if the lab is to outlive it, else the end of the stream, which comes however the command ends, ends the lab.
"""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Sequence
from typing import TypeAlias

import msgspec

RELEASE = b"release\n"


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    name: str
    hosts: int
    supervise_bird: bool = True
    """Whether an agent starts its host's BIRD again when that has ended."""
    listen_fd: int
    """The listening socket, at the lab's abstract address."""
    channel_fd: int
    """The tree's end of the socket pair."""


class Born(msgspec.Struct, frozen=True, tag="born"):
    """The lab's process 1 runs; a pidfd of it comes with the line."""


class Progress(msgspec.Struct, frozen=True, tag="progress"):
    """One step of the start is done."""

    text: str
    done: int
    total: int


class Ready(msgspec.Struct, frozen=True, tag="ready"):
    """The lab is up: agents run, every host has learnt the blocks of the others, and names resolve."""


class Failed(msgspec.Struct, frozen=True, tag="failed"):
    """The lab could not be started, and is gone."""

    error: str
    """A sentence for the user."""
    switched_off: bool = False
    """Whether the reason is that user namespaces are switched off."""


LaunchEvent: TypeAlias = Born | Progress | Ready | Failed


class Channel:
    """The tree's end of the socket pair."""

    def __init__(self, descriptor: int) -> None:
        self.socket = socket.socket(fileno=descriptor)

    def send(self, event: LaunchEvent, descriptors: Sequence[int] = ()) -> None:
        """Tell the command; without one there is nobody to tell."""
        with contextlib.suppress(OSError):
            socket.send_fds(self.socket, [msgspec.json.encode(event) + b"\n"], descriptors)
