"""Run a test in user and network namespaces of its own, as root and as an ordinary user alike.

The body runs in a forked child, so that the test process stays where it is and the kernel removes all that the test has made.
"""

from __future__ import annotations

import functools
import os
import select
import signal
import subprocess
import traceback
import warnings
from collections.abc import Callable
from typing import Any

import pytest

from tortie.dataplane.links import LinkEvent, LinkWatch
from tortie.lab.errors import UserNamespacesOffError
from tortie.lab.namespaces import enter_own_network

DEADLINE_S = 30
_PASSED, _FAILED, _SKIPPED = 0, 1, 2


def isolated(body: Callable[..., None]) -> Callable[..., None]:
    """The test *body*, in namespaces of its own, ended after ``DEADLINE_S``; what fails or skips there does so here."""

    @functools.wraps(body)
    def run(*args: Any, **kwargs: Any) -> None:
        reader, writer = os.pipe()
        with warnings.catch_warnings():
            warnings.simplefilter(
                "ignore", DeprecationWarning
            )  # of forking beside threads: the child uses none of theirs
            child = os.fork()
        if not child:
            os.close(reader)
            _run_child(lambda: body(*args, **kwargs), writer)
        os.close(writer)
        with open(reader) as stream:
            text = stream.read()
        match os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]):
            case 0:
                return
            case 2:
                pytest.skip(text)
            case code:
                pytest.fail(text or f"ended by signal {-code}", pytrace=False)

    return run


def _run_child(body: Callable[[], None], writer: int) -> None:
    """Never returns."""
    signal.alarm(DEADLINE_S)
    status, text = _FAILED, ""
    try:
        _enter()
        body()
        status = _PASSED
    except pytest.skip.Exception as skip:
        status, text = _SKIPPED, str(skip)
    except BaseException:  # noqa: BLE001 - it is told to the parent
        text = traceback.format_exc()
    finally:
        try:
            os.write(writer, text.encode())
        finally:
            os._exit(status)


def _enter() -> None:
    try:
        enter_own_network()
    except UserNamespacesOffError:
        pytest.skip("needs user namespaces, which are switched off here, or root")


def run(*command: str) -> str:
    """What *command* prints; it fails the test if it fails."""
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    assert done.returncode == 0, f"{' '.join(command)}: {done.stderr}"
    return done.stdout


def pending(watch: LinkWatch) -> list[LinkEvent]:
    """What a watch has to tell by now: of all but IPv6 addresses, the kernel notifies before it answers the request."""
    events: list[LinkEvent] = []
    poll = select.poll()
    poll.register(watch, select.POLLIN)
    while poll.poll(0):
        events += watch.receive()
    return events
