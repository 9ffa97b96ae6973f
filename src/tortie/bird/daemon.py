"""BIRD's configuration and life on one host.

BIRD outlives us: it runs in a session of its own and keeps its routes and sessions while an agent is restarted, stopped or
killed. An agent therefore first asks the control socket: a BIRD that answers is adopted, and only if none does is one
started. (Under systemd, the agent's unit needs ``KillMode=process`` for the same reason.)

A configuration becomes the running one in steps that may be interrupted anywhere: written beside the real file, checked
by ``bird -p``, renamed over it, and BIRD told to read it. Doing it again finishes what was interrupted.

The control socket is also the memory of how BIRD ended: in good order it removes it, with its routes. If a socket is there
and nobody listens, BIRD was killed; the kernel still has its routes and the peers wait out the restart time. The new BIRD
is then started with ``-R``: it keeps forwarding by those routes until the peers have told theirs again.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import subprocess
from dataclasses import dataclass
from pathlib import Path

from tortie.bird.control import (
    CONTROL_PATH,
    TIMEOUT_S,
    BirdControl,
    BirdError,
    BirdRefusedError,
    BirdTimeoutError,
    BirdUnavailableError,
    listener_pid,
)
from tortie.routing import Status

CONFIG_PATH = Path("/var/lib/tortie/bird.conf")
LOG_PATH = Path("/var/log/tortie/bird.log")


@dataclass(frozen=True, kw_only=True)
class BirdPaths:
    """Where the files of one BIRD are."""

    config: Path = CONFIG_PATH
    control: Path = CONTROL_PATH
    log: Path = LOG_PATH


_START_POLL_S = 0.02
_started: list[subprocess.Popen[bytes]] = []
"""The BIRDs that this process has started and not yet seen ending: they outlive whoever started them, and to let go of a
child that still runs is a ResourceWarning."""
_SBIN = "/usr/sbin:/sbin"
"""Where Debian keeps bird, and leaves it out of an ordinary user's PATH."""


class BirdStartError(BirdError):
    """BIRD could not be started; the text says why."""


class ConfigRefusedError(BirdError):
    """BIRD does not accept a configuration; the text is its own message. The one before stays in force."""


class BirdDaemon:
    """The BIRD of one host, whoever started it."""

    def __init__(
        self,
        paths: BirdPaths = BirdPaths(),
        *,
        binary: str = "bird",
        supervise: bool = True,
        timeout_s: float = TIMEOUT_S,
    ) -> None:
        """Without *supervise*, a BIRD that ran once and ended is left dead."""
        self._paths = paths
        self._binary = binary
        self._supervise = supervise
        self._timeout_s = timeout_s
        self._has_run = False
        self._turn = asyncio.Lock()
        """Held by whoever configures, starts or ends BIRD: all of them look first and act then."""
        self._child: subprocess.Popen[bytes] | None = None
        """The BIRD we started, only to be reaped if it ends before us."""

    async def apply(self, text: str) -> Status | None:
        """Make *text* the configuration and return what BIRD then says of itself; None if a dead one is left dead.

        ConfigRefusedError leaves the file and the running BIRD with the configuration that was.
        """
        async with self._turn:
            previous = self._paths.config.read_text(encoding="utf-8") if self._paths.config.exists() else None
            await self._write_checked(text)
            try:
                return await self._configure()
            except BirdUnavailableError:
                return await self._start() if self._may_start else None
            except BirdRefusedError as error:
                if previous is None:
                    self._paths.config.unlink()
                else:
                    await self._write_checked(previous)
                raise ConfigRefusedError(error.reply.message) from error

    async def ensure_running(self) -> bool:
        """Start BIRD if it has ended and may be started; true if that was needed. Call it now and then.

        Nothing is started before the first configuration. BirdTimeoutError if it runs but hangs: killing it is not for us
        to decide, since its routes are still in force.
        """
        async with self._turn:
            try:
                async with await self.connect() as bird:
                    await bird.status()
                    return False
            except BirdUnavailableError:
                if not self._may_start or not self._paths.config.exists():
                    return False
                await self._start()
                return True

    async def connect(self) -> BirdControl:
        """A connection to the running BIRD, to be closed by the caller; BirdUnavailableError, BirdTimeoutError."""
        bird = await BirdControl.connect(self._paths.control, timeout_s=self._timeout_s)
        self._has_run = True
        return bird

    async def stop(self) -> None:
        """End BIRD, and with it its routes here and at its peers; one that does not end in time is killed."""
        async with self._turn:
            try:
                process = os.pidfd_open(listener_pid(self._paths.control))
            except (BirdUnavailableError, ProcessLookupError):
                self._reap()
                return
            try:
                await _end(process, self._timeout_s)
            finally:
                os.close(process)
            if self._child is not None:
                await asyncio.to_thread(self._child.wait)

    @property
    def _may_start(self) -> bool:
        return self._supervise or not self._has_run

    async def _configure(self) -> Status:
        async with await self.connect() as bird:
            await bird.configure(self._paths.config)
            return await bird.status()

    async def _write_checked(self, text: str) -> None:
        """Replace the configuration file by *text* if BIRD can parse it; a refused one stays beside it, as ``….new``."""
        candidate = self._paths.config.with_name(self._paths.config.name + ".new")
        candidate.parent.mkdir(parents=True, exist_ok=True)
        with candidate.open("w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            # before the rename, or a crash of the machine may leave an empty file under the real name
            os.fsync(file.fileno())
        checker = await asyncio.create_subprocess_exec(
            self._program(), "-p", "-c", candidate, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
        )  # fmt: skip
        output, _ = await checker.communicate()
        if checker.returncode != 0:
            raise ConfigRefusedError(output.decode(errors="replace").strip().removeprefix("bird: "))
        candidate.replace(self._paths.config)

    async def _start(self) -> Status:
        """Start BIRD and wait until it answers."""
        self._reap()
        was_killed = self._paths.control.exists()
        for path in (self._paths.control, self._paths.log):
            path.parent.mkdir(parents=True, exist_ok=True)
        command = [self._program(), "-f", "-c", str(self._paths.config), "-s", str(self._paths.control)]
        with self._paths.log.open("ab") as log:
            log_start = log.tell()
            self._child = subprocess.Popen(
                command + ["-R"] * was_killed,
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True, cwd="/",
            )  # fmt: skip
        _started[:] = [child for child in (*_started, self._child) if child.poll() is None]
        try:
            async with asyncio.timeout(self._timeout_s):
                return await self._answer(self._child, log_start)
        except (TimeoutError, BirdTimeoutError):
            self._child.kill()
            await asyncio.to_thread(self._child.wait)
            raise BirdStartError(f"BIRD does not answer on {self._paths.control}, see {self._paths.log}") from None

    async def _answer(self, child: subprocess.Popen[bytes], log_start: int) -> Status:
        """The first status of a BIRD being started."""
        while True:
            try:
                async with await self.connect() as bird:
                    return await bird.status()
            except BirdUnavailableError:
                if child.poll() is not None:
                    said = self._paths.log.read_bytes()[log_start:].decode(errors="replace").strip()
                    raise BirdStartError(f"BIRD ended at once: {said or 'it said nothing'}") from None
            await asyncio.sleep(_START_POLL_S)

    def _program(self) -> str:
        found = shutil.which(self._binary, path=f"{os.environ.get('PATH', os.defpath)}:{_SBIN}")
        if found is None:
            raise BirdStartError(f"there is no program {self._binary!r}: install BIRD 2 (Debian: bird2)")
        return found

    def _reap(self) -> None:
        if self._child is not None and self._child.poll() is not None:
            self._child = None


async def _end(process: int, timeout_s: float) -> None:
    """End the process of a pidfd: SIGTERM, and if that does not do it in time, SIGKILL."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        signal.pidfd_send_signal(process, number)
        if await _ends(process, timeout_s):
            return


async def _ends(process: int, timeout_s: float) -> bool:
    """Whether the process of a pidfd ends in time; it need not be a child of ours."""
    ended = asyncio.Event()
    loop = asyncio.get_running_loop()
    loop.add_reader(process, ended.set)
    try:
        async with asyncio.timeout(timeout_s):
            await ended.wait()
    except TimeoutError:
        return False
    finally:
        loop.remove_reader(process)
    return True
