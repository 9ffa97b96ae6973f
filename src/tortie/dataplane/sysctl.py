"""Kernel settings below ``/proc/sys``: those of workload links, and those without which a host does not forward.

A ``Driver`` (DESIGN, Contracts): settings are staged under the link that has them, and follow it as it comes and goes. A file is
read before it is written and written only if it differs, so that a setting somebody has made already needs no right to make it.
What is no longer wanted is left as it is: the settings of a workload's link go with it, and whether the host forwards without
us is its administrator's to say.

``/proc/sys/net`` shows the network namespace of the thread that looks.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple, TypeAlias

import msgspec

from tortie.dataplane.driver import KernelRefusedError
from tortie.dataplane.netlink.rtnetlink import Link

PROC_SYS = Path("/proc/sys")


class Setting(NamedTuple):
    """A file below ``/proc/sys`` and what it is to hold."""

    path: str
    value: str


FORWARDING = (
    Setting("net/ipv4/ip_forward", "1"),
    Setting("net/ipv6/conf/all/forwarding", "1"),
)
"""Without these a host is no router."""


def workload_link_settings(name: str) -> tuple[Setting, ...]:
    """What the host's end of a workload's link needs: what Calico's ``configureInterface`` sets, but for ``rp_filter``.

    The workload's gateway, 169.254.1.1, is nowhere: the host answers its ARP by proxy, at once. For IPv6 the gateway is the
    link's own link-local address; duplicate address detection would keep it from use for a second after the link comes up, so
    ``accept_dad`` has to be in place before that.
    """
    v4, v6 = f"net/ipv4/conf/{name}", f"net/ipv6/conf/{name}"
    return (
        Setting(f"{v4}/route_localnet", "1"),  # the packets of a host's own 127.0.0.0/8, if NAT sends them here
        Setting(f"{v4}/proxy_arp", "1"),
        Setting(f"net/ipv4/neigh/{name}/proxy_delay", "0"),
        Setting(f"{v4}/forwarding", "1"),
        Setting(f"{v4}/rp_filter", "0"),  # the raw stage checks sources, of both families, and knows of exceptions
        Setting(f"{v6}/accept_dad", "0"),
        Setting(f"{v6}/accept_ra", "0"),
        Setting(f"{v6}/proxy_ndp", "1"),
        Setting(f"{v6}/forwarding", "1"),
    )


class SettingsWanted(msgspec.Struct, frozen=True, kw_only=True):
    """All settings of one link, or, under the empty name, of the host; in place of those staged under it before."""

    link: str
    settings: tuple[Setting, ...]


class SettingsUnwanted(msgspec.Struct, frozen=True, kw_only=True):
    """Nothing is wanted of a link any more; its files stay as they are."""

    link: str


SettingsDelta: TypeAlias = SettingsWanted | SettingsUnwanted


class SysctlDriver:
    """Writes settings, in the network namespace of the thread that applies."""

    def __init__(self, root: Path = PROC_SYS) -> None:
        self._root = root
        self._desired: dict[str, tuple[Setting, ...]] = {}
        self._present: dict[str, int] = {"": 0}
        """The numbers of the links there are. What the host has as a whole is always there."""
        self._actual: dict[str, dict[str, str]] = {}
        """By link and path, as far as known."""

    # --- what is wanted ----------------------------------------------------------------------------------------------------

    def stage(self, delta: SettingsDelta) -> None:
        match delta:
            case SettingsWanted():
                self._desired[delta.link] = delta.settings
            case SettingsUnwanted():
                self._desired.pop(delta.link, None)

    def link_changed(self, link: Link) -> None:
        """Take note that a link exists; a new one, of whatever name, has none of our settings."""
        if self._present.get(link.name) != link.ifindex:
            self._actual.pop(link.name, None)
            self._present[link.name] = link.ifindex

    def link_gone(self, name: str) -> None:
        self._present.pop(name, None)
        self._actual.pop(name, None)

    # --- what is done about it ---------------------------------------------------------------------------------------------

    def plan(self) -> Sequence[SettingsWanted]:
        """One batch for each link with something to write, the host's own first."""
        return [
            SettingsWanted(link=link, settings=due)
            for link in sorted(self._desired.keys() & self._present.keys())
            if (due := self._due(link))
        ]

    def _due(self, link: str) -> tuple[Setting, ...]:
        actual = self._actual.get(link, {})
        return tuple(setting for setting in self._desired[link] if actual.get(setting.path) != setting.value)

    def apply(self, batch: SettingsWanted) -> None:
        """Write what differs; every file is tried, and KernelRefusedError names the first that could not be written.

        Whoever finds the link gone is done with it: that it comes back will be told.
        """
        failure: KernelRefusedError | None = None
        for setting in batch.settings:
            try:
                self._write(batch.link, setting)
            except KernelRefusedError as error:
                failure = failure or error
        if failure:
            raise failure

    def _write(self, link: str, setting: Setting) -> None:
        path = self._root / setting.path
        try:
            if path.read_text().strip() != setting.value:
                path.write_text(setting.value)
        except OSError as error:
            if not self._is_absent(path, error):
                raise KernelRefusedError(
                    error.errno, f"the kernel would not set {path} to {setting.value}: {error.strerror}"
                ) from error
        self._actual.setdefault(link, {})[setting.path] = setting.value

    @staticmethod
    def _is_absent(path: Path, error: OSError) -> bool:
        """Whether all that a file belongs to is not there: the link has just gone, or the kernel does without IPv6."""
        return isinstance(error, FileNotFoundError) and not path.parent.exists()

    # --- what there is -----------------------------------------------------------------------------------------------------

    def read_back(self) -> Mapping[str, str]:
        """What the files hold of all that is wanted, by path; those that are not there are left out."""
        self._actual = {link: self._read(link) for link in self._desired if link in self._present}
        return {path: value for link in sorted(self._actual) for path, value in sorted(self._actual[link].items())}

    def _read(self, link: str) -> dict[str, str]:
        found: dict[str, str] = {}
        for setting in self._desired[link]:
            try:
                found[setting.path] = (self._root / setting.path).read_text().strip()
            except FileNotFoundError:
                continue
            except OSError as error:
                raise KernelRefusedError(
                    error.errno, f"the kernel would not tell {self._root / setting.path}: {error.strerror}"
                ) from error
        return found
