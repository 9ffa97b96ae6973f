"""One agent on a host: whoever holds this lock programs the host's kernel.

The lock is an abstract unix socket. It belongs to the network namespace, as the kernel objects it guards do (two agents with
different files but one kernel still exclude each other), and the kernel lets go of it when the holder ends in any way.
"""

from __future__ import annotations

import errno
import socket
from types import TracebackType
from typing import Self

_ADDRESS = "\0tortie-agent"


class SecondAgentError(Exception):
    """Another agent holds this host."""

    def __init__(self) -> None:
        super().__init__(
            "another tortie agent already runs on this host (in this network namespace); stop it first, "
            "or see `tortie agent cleanup` for what a stopped one left"
        )


class HostLock:
    """Held from its making to ``close``; SecondAgentError if somebody else holds it."""

    def __init__(self) -> None:
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC)
        try:
            self._socket.bind(_ADDRESS)
        except OSError as error:
            self._socket.close()
            if error.errno == errno.EADDRINUSE:
                raise SecondAgentError from error
            raise

    def close(self) -> None:
        self._socket.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
