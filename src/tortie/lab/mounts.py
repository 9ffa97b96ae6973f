"""What the file system looks like inside a lab, and what of it each host and workload has for itself.

Nothing of the machine is hidden, for the checkout, the programs and a user's files may lie anywhere; but ``/run``, ``/etc``,
``/var/lib`` and ``/var/log`` must be writable and hold entries of our own. So each of them becomes a small tmpfs with our entries, and a
symbolic link for every entry of the original, which stays mounted below. A host then has its own ``/run/tortie``, ``/etc/tortie``,
``/var/lib/tortie`` and ``/var/log/tortie`` by bind mounts; ``/etc/hosts`` and its like are links into ``here``, the folder of the host or workload
whose mount namespace one looks from, so they can be replaced atomically.
"""

from __future__ import annotations

import os
from pathlib import Path

from tortie.lab import layout, namespaces

MACHINE = ".machine"
"""Where the original of a directory is found inside its stand-in."""

OWN_FOLDERS = (
    ("run", Path("/run/tortie")),
    ("lib", Path("/var/lib/tortie")),
    ("etc", Path("/etc/tortie")),
    ("log", Path("/var/log/tortie")),
)
"""What a host has for itself: the name in its folder, and where the host sees it."""

OWN_FILES = ("hosts", "resolv.conf", "nsswitch.conf")
"""Files of ``/etc`` that every host and workload has for itself."""

NETNS = Path("/run/netns")

_RESOLV_CONF = "# No DNS server outside the workloads of a lab: names fail at once.\n"
_NSSWITCH_CONF = "passwd: files\ngroup: files\nshadow: files\nhosts: files dns\n"


def arrange_lab() -> None:
    """Set up the mount namespace of a new lab's first process: ``/proc``, our directories, ``/run/netns``."""
    namespaces.mount("none", "/", flags=namespaces.MS_REC | namespaces.MS_PRIVATE)
    namespaces.mount("proc", "/proc", "proc")
    _stand_in(Path("/run"), {"tortie", "tortie-lab", "netns"})
    _stand_in(Path("/etc"), {"tortie", *OWN_FILES})
    _stand_in(Path("/var/lib"), {"tortie"})
    _stand_in(Path("/var/log"), {"tortie"})
    for folder in (NETNS, layout.LOGS, layout.BIN, layout.MEMBERS, layout.HERE, *(place for _, place in OWN_FOLDERS)):
        folder.mkdir(parents=True)
    # a mount of its own, so that one call takes all its mounts out of a member's mount namespace
    _tmpfs(NETNS)
    for name in OWN_FILES:
        Path("/etc", name).symlink_to(layout.HERE / name)
    write_own_files(layout.HERE)


def write_own_files(folder: Path, resolv_conf: str = _RESOLV_CONF) -> None:
    """Fill a member's *folder* with its files of ``/etc``."""
    replace_text(folder / "hosts", "127.0.0.1 localhost\n::1 localhost\n")
    replace_text(folder / "resolv.conf", resolv_conf)
    replace_text(folder / "nsswitch.conf", _NSSWITCH_CONF)


def arrange_member(folder: Path, *, is_host: bool) -> None:
    """Set up the mount namespace of a host or workload, whose *folder* exists."""
    # else the namespaces named there would live as long as this one
    namespaces.detach(NETNS)
    namespaces.bind(folder, layout.HERE)
    if is_host:
        for name, place in OWN_FOLDERS:
            namespaces.bind(folder / name, place)


def replace_text(path: Path, text: str) -> None:
    """Give a file a new text; a reader sees the old one or the new one, never a part."""
    fresh = path.with_name(path.name + ".new")
    fresh.write_text(text)
    fresh.rename(path)


def name_network(name: str, descriptor: int) -> None:
    """Make a network namespace known to ``ip netns`` and ``ip -n``."""
    place = NETNS / name
    place.touch()
    namespaces.bind(f"/proc/self/fd/{descriptor}", place)


def forget_network(name: str) -> None:
    namespaces.detach(NETNS / name)
    (NETNS / name).unlink()


def _tmpfs(place: Path) -> None:
    namespaces.mount("tmpfs", place, "tmpfs", namespaces.MS_NOSUID | namespaces.MS_NODEV, "mode=755")


def _stand_in(directory: Path, own: set[str]) -> None:
    """Put a tmpfs over *directory* that shows its entries as links, except those called as in *own*."""
    entries = [(entry.name, os.readlink(entry) if entry.is_symlink() else None) for entry in os.scandir(directory)]
    original = namespaces.copy_mounts(directory)  # before the tmpfs, or that would be copied too
    _tmpfs(directory)
    (directory / MACHINE).mkdir()
    namespaces.show_mounts(original, directory / MACHINE)
    for name, target in entries:
        if name not in own:
            # a link is copied: a relative one would lead elsewhere from one level further down
            (directory / name).symlink_to(target if target is not None else Path(MACHINE, name))
