"""What workloads get when they ask, by the lab's own client ``reach``."""

from __future__ import annotations

import subprocess

from tortie.lab.client import Lab

Answers = dict[str, str]
"""By family, ``IPv4`` and ``IPv6``."""


def reach(lab: Lab, source: str, url: str) -> Answers:
    """What came of asking *url* once; CalledProcessError where *source* is not there."""
    command = lab.exec_command(source, ["reach", "--connect-seconds=0.5", url])
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return dict(line.split("  ", 1) for line in done.stdout.splitlines())


def both(answer: str) -> Answers:
    return {"IPv4": answer, "IPv6": answer}
