"""The policy plane of a host: HostState deltas to rules in the kernel.

    settings ──► Options ─┐
    delta ────────────► Compiler ──► Flush ──► NftDriver ──► kernel
    interfaces ───────────┘                        ▲
                     somebody else changed our table: read back and plan again

When the settings become others, a new compiler is told what the old one knew, and the driver goes from what is in the kernel
to what it makes, as after a restart: chains are replaced in one batch with what leads to them, so nothing is open in between.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable

from tortie.agent.interfaces import Interfaces
from tortie.calc.hoststate import ConfigUpdate, EndpointId, HostEndpointRemove, HostEndpointUpdate, HostStateDelta
from tortie.dataplane.driver import KernelRefusedError
from tortie.dataplane.link_state import LinkEvent
from tortie.dataplane.nft import NftDriver
from tortie.net import Address
from tortie.ruleset.classes import WILDCARD
from tortie.ruleset.compiler import Compiler
from tortie.ruleset.kept import Kept
from tortie.ruleset.options import Options
from tortie.ruleset.ruleset import Ruleset
from tortie.ruleset.stages import LOOPBACK, initial

_log = logging.getLogger(__name__)


_ATTEMPTS = 3
"""Somebody else's change may spoil a batch; the driver then lists the kernel, and at last tries object by object."""


class PolicyPlane:
    """Owns the table ``tortie``. Nothing is written before the first ``program``."""

    def __init__(self, driver: NftDriver, options: Options | None = None) -> None:
        self._driver = driver
        self._options = options if options is not None else Options()
        self._compiler = Compiler(self._options)
        self._interfaces = Interfaces()
        self._is_begun = False
        """Whether what the compiler makes has been staged since it was made."""
        self._is_trusted = True
        self._warned_of: set[EndpointId] = set()
        self._complaint = ""
        """What the kernel refused last, so that trying again does not fill the log."""

    def update(self, deltas: Iterable[HostStateDelta]) -> None:
        for delta in deltas:
            if isinstance(delta, ConfigUpdate):
                self._configure(delta)
            elif isinstance(delta, HostEndpointUpdate | HostEndpointRemove):
                self._warn_of_untracked(delta)
            self._compiler.update(delta)

    def links_changed(self, events: Iterable[LinkEvent]) -> None:
        """Take note of the host's links and their addresses."""
        self._interfaces.note(events)
        self._compiler.interfaces_changed(self._interfaces.addresses)

    def ruleset(self) -> Ruleset:
        """What is wanted of the kernel, as of the last ``program``: if that was refused nothing, what is in force."""
        return self._driver.desired()

    @property
    def own_addresses(self) -> frozenset[Address]:
        """The addresses of the host's own interfaces."""
        return frozenset[Address]().union(*self._interfaces.addresses.values())

    @property
    def uplinks(self) -> frozenset[str]:
        """The interfaces over which others than the host's workloads and itself may be reached: those that have an address."""
        prefixes = self._options.interface_prefixes
        found = {name for name, addresses in self._interfaces.addresses.items() if addresses}
        return frozenset(name for name in found - {LOOPBACK} if not name.startswith(prefixes))

    def distrust(self) -> None:
        """List the kernel before the next programming: somebody else may have changed it."""
        self._is_trusted = False

    def program(self) -> bool:
        """Bring the kernel to what is wanted; false if it refused something, which is logged and stays due.

        NewerTableError if a later version of this program owns the table.
        """
        for _ in range(_ATTEMPTS):
            try:
                self._stage()
                self._send()
            except KernelRefusedError as error:
                self._complain(str(error))
            else:
                if not self._driver.refused:
                    self._complaint = ""
                return not self._driver.refused
        return False

    def _configure(self, config: ConfigUpdate) -> None:
        """Begin anew if the settings have become others. Settings that cannot be used leave the old ones in force."""
        try:
            options = Options.of(config.values)
        except ValueError as error:
            _log.error("the settings of this host cannot be used, those of before stay: %s", error)
            return
        if options == self._options:
            return
        compiler = Compiler(options)
        for delta in self._compiler.state():
            compiler.update(delta)
        compiler.interfaces_changed(self._interfaces.addresses)
        self._options, self._compiler, self._is_begun = options, compiler, False

    def _warn_of_untracked(self, delta: HostEndpointUpdate | HostEndpointRemove) -> None:
        """Say once, while it is so, that policy with ``doNotTrack`` selects a ``*``: there it is ignored."""
        endpoint = delta.endpoint if isinstance(delta, HostEndpointUpdate) else None
        if endpoint is None or endpoint.ifname != WILDCARD or not endpoint.untracked_tiers:
            self._warned_of.discard(delta.id)
        elif delta.id not in self._warned_of:
            self._warned_of.add(delta.id)
            policies = {str(p.name) for tier in endpoint.untracked_tiers for p in (*tier.ingress, *tier.egress)}
            _log.warning(
                "host endpoint %s stands for all interfaces (*), where policy with doNotTrack is ignored: %s",
                delta.id.name,
                ", ".join(sorted(policies)),
            )

    def _stage(self) -> None:
        if not self._is_begun:
            self._compiler.keep(Kept.of(self._driver.read_back().contents.ruleset()))
            self._driver.forget()
            self._driver.stage(initial(self._options))
            self._is_begun = True
        self._driver.stage(self._compiler.flush())

    def _send(self) -> None:
        if not self._is_trusted:
            self._driver.read_back()
            self._is_trusted = True
        for batch in self._driver.plan():
            self._driver.apply(batch)

    def _complain(self, text: str) -> None:
        if text != self._complaint:
            _log.error("policy is not in force: %s", text)
        self._complaint = text
