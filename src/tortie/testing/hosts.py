"""A host of a bed that enforces a cluster's resources as an agent does, in its kernel and as a value at once.

    resources ──► Calculation ──► RulesetModel ──┬─► NftDriver ──► kernel: what happens to real packets
                                                 └─► Ruleset ────► walk: what should happen to them

Nothing of the agent's shell is here: no datastore, no watch, no routes (those are the bed's).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import TracebackType
from typing import Self

import msgspec

from tortie.analysis.hostmodel import RulesetModel
from tortie.calc import Calculation
from tortie.conversion import as_calico
from tortie.dataplane.conntrack import ConntrackTable
from tortie.dataplane.nft import NftDriver
from tortie.dataplane.nft.batch import Batch
from tortie.dataplane.nft.encode import canonical
from tortie.lab.namespaces import inside_network
from tortie.model.meta import HostName
from tortie.model.updates import ResourceUpdate
from tortie.net import Address
from tortie.ruleset import Options, Ruleset, initial
from tortie.ruleset.kept import Kept
from tortie.ruleset.options import Compilation
from tortie.ruleset.ruleset import Chain
from tortie.ruleset.values import Flush


class Host:
    """A host in the network namespace behind a descriptor; nothing is in its kernel before the first ``take``."""

    def __init__(
        self,
        name: HostName,
        network: int,
        compilation: Compilation = Compilation.AUTO,
        interfaces: Mapping[str, frozenset[Address]] | None = None,
    ) -> None:
        self._name, self._network, self._compilation = name, network, compilation
        self._interfaces = interfaces or {}
        with inside_network(network):
            self._conntrack = ConntrackTable()
        self._begin()

    def _begin(self) -> None:
        with inside_network(self._network):
            self._driver = NftDriver()
        self._calculation = Calculation(self._name)
        self._calculation.in_sync()
        self.model = DrivenModel(self._driver, self._compilation)
        for ifname, addresses in self._interfaces.items():
            self.model.know(ifname, addresses)

    def restart(self, *, keep_rules: bool = True) -> None:
        """Forget everything, as an agent that was killed; the kernel keeps its rules until the next ``take``, or loses them."""
        if not keep_rules:
            self._driver.cleanup()
        self._driver.close()
        self._begin()

    def take(self, updates: Iterable[ResourceUpdate]) -> None:
        """Take in changes of the cluster and put what they mean here in force. KernelRefusedError if it is refused."""
        for update in updates:
            self._calculation.update(as_calico(update))
        self.model.take(self._calculation.flush())
        program(self._driver)

    def forget_flows(self) -> None:
        """Let every packet be of a new flow again."""
        self._conntrack.delete(*self._conntrack.flows())

    def unsettled(self) -> tuple[str, ...]:
        """What in the kernel is not as it should be, or would be done next; empty after a ``take``."""
        return unsettled(self._driver, self.model.ruleset)

    def close(self) -> None:
        """Close the sockets; the rules stay in force."""
        self._driver.close()
        self._conntrack.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class DrivenModel(RulesetModel):
    """A ruleset whose every change a driver is told; begun anew, it calls things as what is in the kernel does."""

    def __init__(self, driver: NftDriver, compilation: Compilation) -> None:
        self._driver = driver
        super().__init__(compilation)

    def begin(self, options: Options) -> None:
        super().begin(options)
        self.compiler.keep(Kept.of(self._driver.read_back().contents.ruleset()))
        self._driver.forget()
        self._driver.stage(initial(options))

    def flushed(self, flush: Flush) -> None:
        super().flushed(flush)
        self._driver.stage(flush)


def program(driver: NftDriver, *flushes: Flush) -> tuple[Batch, ...]:
    """Put *flushes*, and what else was staged, in force at once; what was applied. KernelRefusedError if it is refused."""
    for flush in flushes:
        driver.stage(flush)
    batches = driver.plan()
    for batch in batches:
        driver.apply(batch)
    return batches


def unsettled(driver: NftDriver, ruleset: Ruleset) -> tuple[str, ...]:
    """What in the kernel is not as *ruleset* says, or would be done next."""
    contents = driver.read_back().contents
    found, wanted = contents.ruleset(), as_in_kernel(ruleset)
    different = [
        f"{kind} {name} in the kernel is {actual.get(name)}, wanted is {desired.get(name)}"
        for kind in ("chains", "sets", "maps")
        for actual, desired in ((getattr(found, kind), getattr(wanted, kind)),)
        for name in sorted(actual.keys() | desired.keys())
        if actual.get(name) != desired.get(name)
    ]
    planned = [f"planned although all is done: {batch}" for batch in driver.plan()]
    return (*contents.unrecognised(), *different, *planned)


def as_in_kernel(ruleset: Ruleset) -> Ruleset:
    """With rules as the kernel lists them, where several forms mean the same."""
    chains = {name: Chain(tuple(map(canonical, chain.rules)), chain.base) for name, chain in ruleset.chains.items()}
    return msgspec.structs.replace(ruleset, chains=chains)
