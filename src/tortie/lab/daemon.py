"""The daemon of a lab: brings everything up, runs kubelet and proxy, answers commands. Everything else in the lab descends from it.

It needs no orderly end: whatever ends it ends process 1, and the kernel clears up. So when the command that it must not outlive
is gone, or ``down`` is asked for, it just exits.
"""

from __future__ import annotations

import asyncio
import logging
import os
import socket
import sys
import traceback

from tortie.bird import BirdError
from tortie.datastore.store import StoreError
from tortie.lab import layout, processes
from tortie.lab.errors import LabError
from tortie.lab.running import RunningLab, Say
from tortie.lab.service import Service
from tortie.lab.settings import RELEASE, Channel, Failed, Progress, Ready, Settings

log = logging.getLogger(__name__)

LOG = layout.LOGS / "daemon.log"


def run(settings: Settings, channel: Channel, *, has_user_namespace: bool) -> int:
    """Run until something ends the lab; the exit status."""
    _log_to(LOG)
    try:
        asyncio.run(_run(settings, channel, has_user_namespace))
    except (LabError, BirdError, StoreError) as error:
        log.error("%s", error)
        channel.send(Failed(str(error)))
    except OSError as error:
        log.exception("the lab ends")
        channel.send(Failed(f"the lab cannot be set up: {error}"))
    except Exception:
        log.exception("the lab ends")
        channel.send(Failed(traceback.format_exc()))
    return 1


async def _run(settings: Settings, channel: Channel, has_user_namespace: bool) -> None:
    _follow(channel)
    os.environ["PATH"] = processes.PATH
    processes.check_programs()
    processes.write_scripts()
    lab = RunningLab(settings)
    listener = socket.socket(fileno=settings.listen_fd)
    service = Service(settings.name, lab, has_user_namespace=has_user_namespace, end=lambda: os._exit(0))
    tasks = {asyncio.create_task(service.run(listener))}
    await lab.start(_sayer(channel))
    tasks |= lab.tasks
    channel.send(Ready())
    ended, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    for task in ended:
        task.result()


def _sayer(channel: Channel) -> Say:
    done = 0

    def say(text: str) -> None:
        nonlocal done
        done += 1
        log.info("%s", text)
        channel.send(Progress(text, done, RunningLab.STEPS))

    return say


def _follow(channel: Channel) -> None:
    """End with the command that started the lab, unless it releases us."""
    loop = asyncio.get_running_loop()

    def hear() -> None:
        word = channel.socket.recv(64)
        if word != RELEASE:
            os._exit(0)
        loop.remove_reader(channel.socket)
        channel.socket.close()

    loop.add_reader(channel.socket, hear)


def _log_to(path: object) -> None:
    """Send what this process logs and prints to a file."""
    descriptor = os.open(str(path), os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    os.dup2(descriptor, 1)
    os.dup2(descriptor, 2)
    os.close(descriptor)
    logging.basicConfig(stream=sys.stderr, level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
