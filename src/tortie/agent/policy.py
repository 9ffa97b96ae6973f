"""The policy plane of a host: HostState deltas to rules in the kernel.

delta ──► Compiler ──► Flush ──► NftDriver ──► kernel
                                     ▲
                somebody else changed our table: read back and plan again
"""

from __future__ import annotations

import logging
from collections.abc import Iterable

from tortie.calc.hoststate import HostStateDelta
from tortie.dataplane.driver import KernelRefusedError
from tortie.dataplane.nft import NftDriver
from tortie.ruleset.compiler import Compiler
from tortie.ruleset.options import Options
from tortie.ruleset.stages import initial

_log = logging.getLogger(__name__)


_ATTEMPTS = 3
"""Somebody else's change may spoil a batch; the driver then lists the kernel, and at last tries object by object."""


class PolicyPlane:
    """Owns the table ``tortie``. Nothing is written before the first ``program``."""

    def __init__(self, driver: NftDriver, options: Options | None = None) -> None:
        options = options if options is not None else Options()
        self._driver = driver
        self._compiler = Compiler(options)
        self._driver.stage(initial(options))
        self._is_trusted = True
        self._complaint = ""
        """What the kernel refused last, so that trying again does not fill the log."""

    def update(self, deltas: Iterable[HostStateDelta]) -> None:
        for delta in deltas:
            self._compiler.update(delta)

    def distrust(self) -> None:
        """List the kernel before the next programming: somebody else may have changed it."""
        self._is_trusted = False

    def program(self) -> bool:
        """Bring the kernel to what is wanted; false if it refused something, which is logged and stays due.

        NewerTableError if a later version of this program owns the table.
        """
        self._driver.stage(self._compiler.flush())
        for _ in range(_ATTEMPTS):
            try:
                self._send()
            except KernelRefusedError as error:
                self._complain(str(error))
            else:
                if not self._driver.refused:
                    self._complaint = ""
                return not self._driver.refused
        return False

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
