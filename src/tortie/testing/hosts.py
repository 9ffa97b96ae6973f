"""A host of a bed that enforces a cluster's resources as an agent does, in its kernel and as a value at once.

    resources ──► Calculation ──► Compiler ──► flush ──┬─► NftDriver ──► kernel: what happens to real packets
                                                       └─► Ruleset ──► walk: what should happen to them

Nothing of the agent's shell is here: no datastore, no watch, no routes (those are the bed's).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import TracebackType
from typing import Self

import msgspec

from tortie.calc.graph import Calculation
from tortie.dataplane.conntrack import ConntrackTable
from tortie.dataplane.nft import NftDriver
from tortie.dataplane.nft.encode import canonical
from tortie.lab.namespaces import inside_network
from tortie.model.kinds import ResourceKey, kind_of
from tortie.model.meta import HostName, Resource
from tortie.model.updates import ResourceUpdate
from tortie.net import Family
from tortie.ruleset import Compiler, Options, Packet, Path, Ruleset, apply_flush, initial, walk
from tortie.ruleset.ruleset import Chain
from tortie.ruleset.values import CtState
from tortie.testing.bed import Hop
from tortie.verdict import Flow

_BEGINS = {Family.V4: {8, 13, 15, 17}, Family.V6: {128, 139}}
"""ICMP types of a first packet that connection tracking knows a flow for (Linux, nf_conntrack_proto_icmp{,v6}.c)."""
_NOT_TRACKED = {Family.V4: set[int](), Family.V6: {130, 131, 132, 133, 134, 135, 136, 143}}
"""Listener and neighbour discovery (the same)."""


class Host:
    """A host in the network namespace behind a descriptor; nothing is in its kernel before the first ``take``."""

    def __init__(self, name: HostName, network: int, options: Options | None = None) -> None:
        self._name, self._network = name, network
        self._options = options if options is not None else Options()
        with inside_network(network):
            self._conntrack = ConntrackTable()
        self._begin()

    def _begin(self) -> None:
        with inside_network(self._network):
            self._driver = NftDriver()
        self._calculation = Calculation(self._name)
        self._calculation.in_sync()
        self._compiler = Compiler(self._options)
        self._driver.stage(initial(self._options))
        self.ruleset = apply_flush(Ruleset(), initial(self._options))

    def restart(self, *, keep_rules: bool = True) -> None:
        """Forget everything, as an agent that was killed; the kernel keeps its rules until the next ``take``, or loses them."""
        if not keep_rules:
            self._driver.cleanup()
        self._driver.close()
        self._begin()

    def take(self, updates: Iterable[ResourceUpdate]) -> None:
        """Take in changes of the cluster and put what they mean here in force. KernelRefusedError if it is refused."""
        for update in updates:
            self._calculation.update(update)
        for delta in self._calculation.flush():
            self._compiler.update(delta)
        flush = self._compiler.flush()
        self.ruleset = apply_flush(self.ruleset, flush)
        self._driver.stage(flush)
        for batch in self._driver.plan():
            self._driver.apply(batch)

    def forget_flows(self) -> None:
        """Let every packet be of a new flow again."""
        self._conntrack.delete(*self._conntrack.flows())

    def lets_through(self, flow: Flow, hop: Hop) -> bool:
        """Whether the ruleset, interpreted, lets the first packet of *flow* pass this host."""
        path = Path.FORWARD if hop.out_interface else Path.TO_HOST
        return walk(self.ruleset, _packet(flow, hop), path).is_accepted

    def unsettled(self) -> tuple[str, ...]:
        """What in the kernel is not as it should be, or would be done next; empty after a ``take``."""
        contents = self._driver.read_back().contents
        found, wanted = contents.ruleset(), _as_in_kernel(self.ruleset)
        different = [
            f"{kind} {name} in the kernel is {actual.get(name)}, wanted is {desired.get(name)}"
            for kind in ("chains", "sets", "maps")
            for actual, desired in ((getattr(found, kind), getattr(wanted, kind)),)
            for name in sorted(actual.keys() | desired.keys())
            if actual.get(name) != desired.get(name)
        ]
        planned = [f"planned although all is done: {batch}" for batch in self._driver.plan()]
        return (*contents.unrecognised(), *different, *planned)

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


def changes(before: Mapping[ResourceKey, Resource], after: Mapping[ResourceKey, Resource]) -> list[ResourceUpdate]:
    """The updates that lead from one state of a cluster to another."""
    return [
        ResourceUpdate(key, after.get(key), revision=1)
        for key in sorted(before.keys() | after.keys(), key=str)
        if before.get(key) != after.get(key)
    ]


def keyed(resources: Iterable[Resource]) -> dict[ResourceKey, Resource]:
    return {ResourceKey(kind_of(r), r.metadata.namespace, r.metadata.name): r for r in resources}


def _packet(flow: Flow, hop: Hop) -> Packet:
    icmp_type, icmp_code = flow.icmp or (None, None)
    return Packet(
        source=flow.source_address,
        destination=flow.destination_address,
        protocol=flow.protocol,
        in_interface=hop.in_interface,
        out_interface=hop.out_interface,
        source_port=flow.source_port,
        destination_port=flow.destination_port,
        icmp_type=icmp_type,
        icmp_code=icmp_code,
        ct_state=_state(flow.family, icmp_type),
    )


def _state(family: Family, icmp_type: int | None) -> CtState:
    if icmp_type is None or icmp_type in _BEGINS[family]:
        return CtState.NEW
    return CtState.UNTRACKED if icmp_type in _NOT_TRACKED[family] else CtState.INVALID


def _as_in_kernel(ruleset: Ruleset) -> Ruleset:
    """With rules as the kernel lists them, where several forms mean the same."""
    chains = {name: Chain(tuple(map(canonical, chain.rules)), chain.base) for name, chain in ruleset.chains.items()}
    return msgspec.structs.replace(ruleset, chains=chains)
