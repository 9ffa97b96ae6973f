"""The first process of a lab: makes the namespaces, starts the daemon, and ends when the daemon does.

    command ──exec──> this module ──fork──> process 1 of the lab ──fork──> daemon ──> agents, BIRDs, workloads
                      (ends at once)

Process 1 reaps what its descendants leave behind, and nothing else. The kernel ends every process of a pid namespace with
its process 1, and removes the namespaces, links and mounts with the last of them: whatever ends, nothing is left.
A fresh interpreter, not a fork of the command, because the command may have threads (a progress display).
"""

from __future__ import annotations

import os
import sys
import traceback
from typing import NoReturn

import msgspec

from tortie.lab import mounts, namespaces
from tortie.lab.errors import UserNamespacesOffError
from tortie.lab.settings import Born, Channel, Failed, Settings

_SPACES = namespaces.CLONE_NEWNS | namespaces.CLONE_NEWPID | namespaces.CLONE_NEWNET | namespaces.CLONE_NEWUTS


def main() -> NoReturn:
    """Start a lab from the settings in the first argument."""
    settings = msgspec.json.decode(sys.argv[1], type=Settings)
    channel = Channel(settings.channel_fd)
    status = 1
    try:
        has_user_namespace = _enter_namespaces()
        if os.fork() == 0:  # the first child of a new pid namespace is its process 1
            _run_init(settings, channel, has_user_namespace)
        status = 0
    except UserNamespacesOffError as error:
        channel.send(Failed(str(error), switched_off=True))
    except OSError as error:
        channel.send(Failed(f"the lab's namespaces cannot be set up: {error.strerror}"))
    except Exception:  # noqa: BLE001 - told to the command, which shows it
        channel.send(Failed(traceback.format_exc()))
    os._exit(status)


def _run_init(settings: Settings, channel: Channel, has_user_namespace: bool) -> None:
    channel.send(Born(), [os.pidfd_open(os.getpid())])
    try:
        mounts.arrange_lab()
    except OSError as error:
        # where AppArmor restricts user namespaces, they can be made but nothing can be mounted in them
        raise namespaces.user_namespaces_off(error) if namespaces.refused(error) else error from error
    daemon = os.fork()
    if daemon == 0:
        from tortie.lab.daemon import run  # noqa: PLC0415 - process 1 stays small

        os._exit(run(settings, channel, has_user_namespace=has_user_namespace))
    channel.socket.close()
    os.close(settings.listen_fd)
    while os.wait()[0] != daemon:
        pass


def _enter_namespaces() -> bool:
    """Move into the lab's namespaces; whether a user namespace is one of them: root does without where that is refused."""
    try:
        with _Mapper():
            namespaces.unshare(namespaces.CLONE_NEWUSER | _SPACES)
    except OSError as error:
        if not namespaces.refused(error):
            raise
        if os.geteuid() != 0:
            raise namespaces.user_namespaces_off(error) from error
        namespaces.unshare(_SPACES)
        return False
    return True


class _Mapper:
    """A helper process outside the new user namespace that writes its id maps, once the block is left without an error.

    Root's ids are mapped to themselves, all of them, so that files of other users stay readable; an ordinary user becomes root
    inside. Only a process outside may write the former (user_namespaces(7)).
    """

    def __enter__(self) -> None:
        self._uid_map, self._gid_map = _wanted_maps()
        self._read, self._write = os.pipe()
        self._pid = os.fork()
        if self._pid == 0:
            os.close(self._write)
            os._exit(self._write_maps(os.getppid()) if os.read(self._read, 1) else 0)
        os.close(self._read)

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is None:
            os.write(self._write, b"!")
        os.close(self._write)
        number = os.waitstatus_to_exitcode(os.waitpid(self._pid, 0)[1])
        if kind is None and number:
            raise OSError(number, f"mapping user ids: {os.strerror(number)}")

    def _write_maps(self, pid: int) -> int:
        """Returns 0 or the error's number, as an exit status."""
        try:
            if os.geteuid() != 0:
                _write(f"/proc/{pid}/setgroups", "deny")
            _write(f"/proc/{pid}/uid_map", self._uid_map)
            _write(f"/proc/{pid}/gid_map", self._gid_map)
        except OSError as error:
            return error.errno or 1
        return 0


def _wanted_maps() -> tuple[str, str]:
    if os.geteuid() != 0:
        return f"0 {os.geteuid()} 1\n", f"0 {os.getegid()} 1\n"
    return _identity("/proc/self/uid_map"), _identity("/proc/self/gid_map")


def _identity(path: str) -> str:
    """A map of every id that exists here, to itself."""
    with open(path) as lines:
        ranges = [line.split() for line in lines]
    return "".join(f"{first} {first} {count}\n" for first, _, count in ranges)


def _write(path: str, text: str) -> None:
    """In one system call: a map takes a single write."""
    descriptor = os.open(path, os.O_WRONLY)
    try:
        os.write(descriptor, text.encode())
    finally:
        os.close(descriptor)


if __name__ == "__main__":
    main()
