"""Linux namespaces and mounts: the system calls, and why they may be refused.

A namespace belongs to a thread, and lives on for as long as a descriptor of it is open. So ``Space.create`` makes one in a
thread of its own, which opens the descriptors, arranges what is mounted there and ends: the caller stays where it was.
Nothing here knows what a lab is.
"""

from __future__ import annotations

import ctypes
import errno
import os
import signal
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from tortie.lab.errors import UserNamespacesOffError

CLONE_NEWNS = 0x00020000
CLONE_NEWUTS = 0x04000000
CLONE_NEWUSER = 0x10000000
CLONE_NEWPID = 0x20000000
CLONE_NEWNET = 0x40000000

MS_NOSUID = 0x2
MS_NODEV = 0x4
MS_BIND = 0x1000
MS_REC = 0x4000
MS_PRIVATE = 0x40000

MNT_DETACH = 2
_PR_SET_PDEATHSIG = 1

# The same numbers on every architecture (linux/mount.h); glibc wraps them only since 2.36.
_SYS_OPEN_TREE = 428
_SYS_MOVE_MOUNT = 429
_AT_FDCWD = -100
_AT_RECURSIVE = 0x8000
_OPEN_TREE_FLAGS = 0x1 | _AT_RECURSIVE | os.O_CLOEXEC  # OPEN_TREE_CLONE
_MOVE_MOUNT_F_EMPTY_PATH = 0x4

_libc = ctypes.CDLL(None, use_errno=True)


def _check(result: int, what: str) -> None:
    if result != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{what}: {os.strerror(number)}")


def unshare(flags: int) -> None:
    """Move the calling thread into new namespaces (unshare(2)); OSError."""
    _check(_libc.unshare(flags), "unshare")


def setns(descriptor: int, kind: int = 0) -> None:
    """Move the calling thread into the namespace behind *descriptor* (setns(2)); OSError.

    A user or mount namespace is joined only by a process that has a single thread.
    """
    _check(_libc.setns(descriptor, kind), "setns")


def mount(source: str | Path, target: str | Path, kind: str = "", flags: int = 0, data: str = "") -> None:
    """Mount *source* at *target* (mount(2)); OSError."""
    _check(
        _libc.mount(os.fsencode(source), os.fsencode(target), kind.encode(), ctypes.c_ulong(flags), data.encode()),
        f"mount {kind or 'bind'} {source} at {target}",
    )


def bind(source: str | Path, target: str | Path) -> None:
    """Show what is at *source* at *target* too, with all that is mounted below it."""
    mount(source, target, flags=MS_BIND | MS_REC)


def copy_mounts(source: str | Path) -> int:
    """A descriptor of a copy of what is mounted at *source* and below, shown nowhere yet (open_tree(2), Linux 5.2)."""
    descriptor = _libc.syscall(_SYS_OPEN_TREE, _AT_FDCWD, os.fsencode(source), _OPEN_TREE_FLAGS)
    _check(0 if descriptor >= 0 else -1, f"copy the mounts of {source}")
    return int(descriptor)


def show_mounts(descriptor: int, target: str | Path) -> None:
    """Show at *target* what ``copy_mounts`` has copied, and close the descriptor (move_mount(2), Linux 5.2)."""
    try:
        result = _libc.syscall(
            _SYS_MOVE_MOUNT, descriptor, b"", _AT_FDCWD, os.fsencode(target), _MOVE_MOUNT_F_EMPTY_PATH
        )
        _check(result, f"show mounts at {target}")
    finally:
        os.close(descriptor)


def detach(target: str | Path) -> None:
    """Unmount *target* and all below it, at once for new look-ups (umount2(2)); OSError."""
    _check(_libc.umount2(os.fsencode(target), MNT_DETACH), f"unmount {target}")


_SWITCHES = (
    ("kernel/unprivileged_userns_clone", "0", "1"),  # Debian's kernels up to 10 were built with it off
    ("user/max_user_namespaces", "0", "15000"),
    ("kernel/apparmor_restrict_unprivileged_userns", "1", "0"),  # Ubuntu since 23.10
)
"""Settings below ``/proc/sys`` that switch user namespaces off: path, the value that does, the value that does not."""


def explain_refusal(read: Callable[[str], str | None]) -> str:
    """Why an ordinary user may not make a user namespace, and what to do; *read* gives a file's text below ``/proc/sys``."""
    wrong = [(path.replace("/", "."), good) for path, bad, good in _SWITCHES if (read(path) or "").strip() == bad]
    remedy = (
        "allow them: " + ", ".join(f"sysctl -w {name}={good}" for name, good in wrong)
        if wrong
        else "allow them; inside a container they are the container's to allow"
    )
    return f"the lab needs user namespaces, and they are switched off here: run it as root, or {remedy}"


def user_namespaces_off(cause: OSError) -> UserNamespacesOffError:
    """The error that tells a person about *cause*, the kernel's refusal of a user namespace or of mounting in one."""

    def read(path: str) -> str | None:
        try:
            return Path("/proc/sys", path).read_text()
        except OSError:
            return None

    return UserNamespacesOffError(f"{explain_refusal(read)} ({cause.strerror})")


def die_with_parent() -> None:
    """Have the kernel kill this process when its parent ends (PR_SET_PDEATHSIG, prctl(2))."""
    _check(_libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL), "prctl")


# --- spaces --------------------------------------------------------------------------------------------------------------


class Space:
    """A network, a mount and a host-name namespace that belong together: what a host or a workload of the lab lives in."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.net = self.mnt = self.uts = -1

    @classmethod
    def create(cls, name: str, arrange: Callable[[], None]) -> Space:
        """Make the namespaces; *arrange* runs inside them, before anything else can."""
        space = cls(name)
        failure: list[BaseException] = []

        def inside() -> None:
            try:
                unshare(CLONE_NEWNS | CLONE_NEWNET | CLONE_NEWUTS)
                socket.sethostname(name)
                arrange()
                space._open()
            except BaseException as error:  # noqa: BLE001 - raised again by the caller's thread
                failure.append(error)

        thread = threading.Thread(target=inside, name=f"space-{name}")
        thread.start()
        thread.join()
        if failure:
            raise failure[0]
        return space

    @classmethod
    def current(cls, name: str) -> Space:
        """The namespaces that the caller is in."""
        space = cls(name)
        space._open()
        return space

    def _open(self) -> None:
        self.net, self.mnt, self.uts = (
            os.open(f"/proc/thread-self/ns/{kind}", os.O_RDONLY | os.O_CLOEXEC) for kind in ("net", "mnt", "uts")
        )

    def close(self) -> None:
        """Let go of the namespaces; the kernel removes them with the last process in them."""
        for descriptor in (self.net, self.mnt, self.uts):
            os.close(descriptor)

    def command(self, argv: list[str]) -> list[str]:
        """The command line that runs *argv* inside, for a child of this process."""
        here = f"/proc/{os.getpid()}/fd"
        return [
            "nsenter", f"--net={here}/{self.net}", f"--mount={here}/{self.mnt}", f"--uts={here}/{self.uts}", "--", *argv,
        ]  # fmt: skip


@contextmanager
def inside_network(descriptor: int) -> Iterator[None]:
    """Run a block in another network namespace: what it opens belongs there, for good. The block must not await."""
    home = os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
    try:
        setns(descriptor, CLONE_NEWNET)
        try:
            yield
        finally:
            setns(home, CLONE_NEWNET)
    finally:
        os.close(home)


def refused(error: OSError) -> bool:
    """Whether *error* is a system's way to say that user namespaces are not for this user."""
    return error.errno in (errno.EPERM, errno.EACCES, errno.ENOSPC, errno.EUSERS)


def enter_own_network() -> None:
    """Move this process into a user and a network namespace of its own, where it is root; who is root stays in its user namespace
    if it may make none. UserNamespacesOffError for anybody else.
    """
    uid, gid = os.getuid(), os.getgid()
    try:
        unshare(CLONE_NEWUSER | CLONE_NEWNET)
    except OSError as error:
        if not refused(error):
            raise
        if uid != 0:
            raise user_namespaces_off(error) from error
        unshare(CLONE_NEWNET)
    else:
        for name, text in (("setgroups", "deny"), ("uid_map", f"0 {uid} 1"), ("gid_map", f"0 {gid} 1")):
            Path("/proc/self", name).write_text(text)
