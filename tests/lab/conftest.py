"""Labs for tests, and what of one is left on the machine."""

from __future__ import annotations

import contextlib
import os
import re
import subprocess
import sys
import uuid
from collections.abc import Callable, Generator, Iterator
from pathlib import Path

import pytest

from tortie.lab import client
from tortie.lab.client import Lab
from tortie.lab.runner import failure_folder

Tortie = Callable[..., "subprocess.CompletedProcess[str]"]
Launch = Callable[..., Lab]
Start = Callable[..., "subprocess.Popen[str]"]


@pytest.fixture(scope="module")
def shared_name() -> str:
    return f"t-{uuid.uuid4().hex[:10]}"


@pytest.fixture
def name() -> Iterator[str]:
    """A lab's name that nobody else uses; a lab that is left under it is ended."""
    unique = f"t-{uuid.uuid4().hex[:10]}"
    yield unique
    if unique in client.names():
        Lab.find(unique).down()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Generator[None, pytest.TestReport]:
    """Keep the logs, rulesets and routes of the labs that are up when a test fails, and name the folder in its report."""
    report = yield
    if report.failed and call.when == "call":
        for name in client.names():
            if name.startswith("t-"):
                folder = failure_folder(name)
                Lab.find(name).collect(folder)
                report.sections.append(("evidence", f"logs, rulesets and routes of lab {name}: {folder}"))
    return report


@pytest.fixture
def launch() -> Iterator[Launch]:
    """``Lab.launch`` for labs that end with the test, after its evidence was kept."""
    with contextlib.ExitStack() as labs:
        yield lambda *arguments, **options: labs.enter_context(Lab.launch(*arguments, **options))


@pytest.fixture(scope="session")
def tortie() -> Tortie:
    """Run ``tortie`` as a user would, and wait for it."""

    def run(*arguments: str, text: str = "") -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "tortie", *arguments]
        return subprocess.run(command, input=text, capture_output=True, text=True, timeout=60, check=False)

    return run


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Start ``tortie`` and do not wait for it; what still runs at the end of the test is killed, and with it its labs.

    With ``merged``, standard error comes with standard output.
    """
    running: list[subprocess.Popen[str]] = []

    def start_tortie(*arguments: str, merged: bool = False) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [sys.executable, "-m", "tortie", *arguments],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT if merged else subprocess.PIPE,
            text=True,
            env=os.environ | {"XDG_STATE_HOME": str(tmp_path / "state"), "PYTHONUNBUFFERED": "1"},
        )
        running.append(process)
        return process

    yield start_tortie
    for process in running:
        if process.poll() is None:
            process.kill()
        process.wait()
        for stream in (process.stdout, process.stderr):
            if stream is not None:
                stream.close()


_OF_LABS = re.compile(r"tortie|^cali|^host\d|^fabric")
"""What links, mounts and named network namespaces of labs are called."""


@pytest.fixture
def machine_unchanged() -> Iterator[None]:
    """This machine has afterwards no link, mount or named network namespace more that may be a lab's.

    (Whatever else there is may come and go with other users of the machine; ``test_survival`` compares all there is.)
    """

    def seen() -> set[str]:
        links = [line.split()[0] for line in _output("ip", "-br", "link").splitlines()]
        mounts = [line.split(" - ")[0] for line in Path("/proc/self/mountinfo").read_text().splitlines()]
        netns = Path("/run/netns")
        names = [entry.name for entry in netns.iterdir()] if netns.exists() else []
        return {text for text in (*links, *mounts, *names) if _OF_LABS.search(text)}

    before = seen()
    yield
    assert not seen() - before


def _output(*command: str) -> str:
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout
