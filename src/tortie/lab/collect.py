"""Evidence: everything that tells what a lab was doing, written into a folder for a person to read.

FOLDER/daemon.log  status.json
FOLDER/<host>/*.log  nft.txt  routes.txt  links.txt  bird.txt        and the same for the fabric
"""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterable
from pathlib import Path

from tortie.lab import layout
from tortie.lab.namespaces import Space

_COMMANDS = {
    "nft.txt": (["nft", "list", "ruleset"],),
    "routes.txt": (["ip", "route", "show", "table", "all"], ["ip", "-6", "route", "show", "table", "all"]),
    "links.txt": (["ip", "-d", "address"], ["ip", "neigh"]),
}

_TIMEOUT_S = 10.0


def collect_logs(folder: Path) -> None:
    """Copy every log of the lab."""
    shutil.copytree(layout.LOGS, folder, dirs_exist_ok=True)


def collect_space(folder: Path, space: Space, control: Path) -> None:
    """Write what the kernel and BIRD say in *space*, a host or the fabric."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, commands in _COMMANDS.items():
        (folder / name).write_text(_run(space, commands))
    birdc = ["birdc", "-s", str(control)]
    commands = ([*birdc, "show", "protocols", "all"], [*birdc, "show", "route", "all"])
    (folder / "bird.txt").write_text(_run(space, commands))


def _run(space: Space, commands: Iterable[list[str]]) -> str:
    """What *commands* print, each under a line that names it; a failing one is evidence too."""
    texts = []
    for argv in commands:
        try:
            done = subprocess.run(
                space.command(argv), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=_TIMEOUT_S,
                errors="replace", check=False,
            )  # fmt: skip
            output = done.stdout
        except (OSError, subprocess.TimeoutExpired) as error:
            output = f"{error}\n"
        texts.append(f"# {' '.join(argv)}\n{output}\n")
    return "".join(texts)
