"""Three answers to one question, whether a packet gets through: the oracle's, the interpreted rulesets', the kernels'.

resources ─┬─► tortie.verdict ──────────────────────────────────────────────► Answers.oracle
           └─► tortie.testing.hosts, one per host ─┬─► its ruleset, walked ─► Answers.walked
                                                   └─► its kernel ──────────► Answers.delivered: a packet came through
"""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from random import Random
from types import TracebackType
from typing import NamedTuple, Self

from tortie.analysis.hostmodel import changes
from tortie.lab.namespaces import inside_network
from tortie.model import codec
from tortie.model.kinds import ResourceKey
from tortie.model.meta import HostName, Resource
from tortie.net import Address, Protocol
from tortie.ruleset.options import Compilation
from tortie.testing.bed import Bed, Shot
from tortie.testing.clusters import RandomCluster
from tortie.testing.differential import oracle_of, walk
from tortie.testing.flows import Crossing, crossings
from tortie.testing.histories import keyed
from tortie.testing.hosts import Host
from tortie.verdict import HostVerdict, HostView

FORGET_AFTER = 1000
"""Flows. To list what a kernel tracks takes it tens of milliseconds, however little that is."""


class Answers(NamedTuple):
    """What is said of one packet."""

    shot: Shot
    crossings: tuple[Crossing, ...]
    verdicts: tuple[HostVerdict, ...]
    """The oracle's, at each host on the way."""
    walked: bool
    delivered: bool

    @property
    def oracle(self) -> bool:
        return all(verdict.allowed for verdict in self.verdicts)

    @property
    def agree(self) -> bool:
        return self.oracle is self.walked is self.delivered

    def lines(self) -> Iterator[str]:
        origin = f", in truth from {self.shot.origin}" if self.shot.origin is not None else ""
        yield f"{self.shot.flow}, from port {self.shot.flow.source_port}{origin}"
        yield f"  oracle {self.oracle}, ruleset {self.walked}, packet {self.delivered}"
        for crossing, verdict in zip(self.crossings, self.verdicts, strict=True):
            yield f"  {crossing.host}: {crossing.packet}"
            yield from (f"    {line}" for line in verdict.lines())


class Hosts:
    """The hosts of a bed, all told the same resources."""

    def __init__(self, bed: Bed, names: Sequence[HostName], compilation: Compilation) -> None:
        self._bed = bed
        self._stack = ExitStack()
        self._hosts = {
            name: self._stack.enter_context(
                Host(name, bed.network_of(name), compilation, bed.topology.interfaces(name))
            )
            for name in names
        }
        self._resources: Mapping[ResourceKey, Resource] = {}
        self._views: Mapping[HostName, HostView] = {}
        self._tracked: set[tuple[Protocol, frozenset[tuple[Address, int | None]]]] = set()
        """The flows that connection tracking may know, each by its protocol and its two ends in either order."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.close()

    # --- what is in force --------------------------------------------------------------------------------------------------

    def become(self, cluster: RandomCluster, rng: Random, flushes: int = 1) -> None:
        """Go from what there was to *cluster*, the updates in any order and taken in *flushes* parts."""
        resources = keyed(cluster.calico())
        updates = changes(self._resources, resources)
        rng.shuffle(updates)
        for part in range(flushes):
            for host in self._hosts.values():
                host.take(updates[part::flushes])
        self._resources = resources
        oracle = oracle_of(cluster)
        self._views = {name: oracle.host_view(name) for name in self._hosts}

    def restart(self, *, keep_rules: bool) -> None:
        self._resources = {}
        for host in self._hosts.values():
            host.restart(keep_rules=keep_rules)

    def unsettled(self) -> list[str]:
        return [f"{name}: {what}" for name, host in self._hosts.items() for what in host.unsettled()]

    # --- asking ------------------------------------------------------------------------------------------------------------

    def judge(self, shot: Shot) -> tuple[tuple[Crossing, ...], tuple[HostVerdict, ...]]:
        """The packet at each host on its way, and what the oracle says of it."""
        found = crossings(shot.flow, self._bed.topology, shot.origin)
        return found, tuple(self._views[crossing.host].judge(crossing.packet) for crossing in found)

    def ask(self, shots: Iterable[Shot]) -> list[Answers]:
        """All answers on *shots*, but for those that connection tracking would take for part of an earlier flow."""
        if len(self._tracked) > FORGET_AFTER:
            self.forget_flows()
        new = [shot for shot in shots if self._is_new(shot)]
        return [self._answers(shot, arrived) for shot, arrived in zip(new, self._bed.delivered(new), strict=True)]

    def forget_flows(self) -> None:
        """Let every flow be new again."""
        for host in self._hosts.values():
            host.forget_flows()
        self._tracked.clear()

    def _is_new(self, shot: Shot) -> bool:
        """Whether the flow is neither an earlier one nor its answer; from now on it is. ICMP has an identifier of its own each time."""
        flow = shot.flow
        ends = {(flow.source_address, flow.source_port), (flow.destination_address, flow.destination_port)}
        key = flow.protocol, frozenset(ends)
        is_new = flow.icmp is not None or key not in self._tracked
        self._tracked.add(key)
        return is_new

    def _answers(self, shot: Shot, arrived: bool) -> Answers:
        found, verdicts = self.judge(shot)
        topology = self._bed.topology
        walked = all(walk(self._hosts[c.host].model, c, topology).is_accepted for c in found)
        return Answers(shot, found, verdicts, walked, arrived)

    # --- telling -----------------------------------------------------------------------------------------------------------

    def keep(self, folder: Path) -> None:
        """Write down what is needed to look into a failure: the resources, and each host's rules as ``nft`` lists them."""
        documents = [codec.to_document(resource) for resource in self._resources.values()]
        (folder / "resources.json").write_text(json.dumps({"kind": "List", "items": documents}, indent=1, default=str))
        for name in self._hosts:
            with inside_network(self._bed.network_of(name)):
                listing = subprocess.run(["nft", "list", "ruleset"], check=False, capture_output=True, text=True)
            (folder / f"{name}.nft").write_text(listing.stdout + listing.stderr)
