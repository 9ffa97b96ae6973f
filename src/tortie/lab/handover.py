"""Hands a listening socket to a program in a workload (``python -m tortie.lab.handover DESCRIPTOR``, run inside that workload).

    command ── binds, in the user's network namespace ──► this module, in the workload's file system ── SCM_RIGHTS ──► program

A socket belongs for good to the network namespace that it was made in, so whoever connects to it there is answered by the
program, past the lab's links and policies. It is gone when the program is.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from tortie.lab import layout
from tortie.lab.protocol import receive

PATIENCE_S = 10.0
"""How long the program may take to be ready for it: it may have been started just now."""

_POLL_S = 0.05


@contextlib.contextmanager
def taking_listeners(path: Path, taken: Callable[[socket.socket], None]) -> Iterator[None]:
    """During the block call *taken*, from the running event loop, with every listening socket that is handed in at *path*. OSError."""
    path.unlink(missing_ok=True)
    loop = asyncio.get_running_loop()
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK) as door:
        door.bind(str(path))

        def hear() -> None:
            _, descriptors = receive(door)
            for descriptor in descriptors:
                taken(socket.socket(fileno=descriptor))

        loop.add_reader(door, hear)
        try:
            yield
        finally:
            loop.remove_reader(door)


def hand_over(listener: int, path: Path) -> None:
    """Hand the socket behind a descriptor to the program that takes listeners at *path*; OSError if none does in time."""
    deadline = time.monotonic() + PATIENCE_S
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
        while True:
            with contextlib.suppress(FileNotFoundError, ConnectionRefusedError):
                sender.connect(str(path))
                break
            if time.monotonic() > deadline:
                raise TimeoutError(f"no program takes listening sockets at {path}")
            time.sleep(_POLL_S)
        socket.send_fds(sender, [b"\0"], [listener])


def main() -> None:
    """Hand over the descriptor in the first argument."""
    try:
        hand_over(int(sys.argv[1]), layout.LISTENERS)
    except OSError as error:
        sys.exit(f"Error: {error}")


if __name__ == "__main__":
    main()
