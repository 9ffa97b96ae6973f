"""What a demonstration is: workloads, and steps that each change policy and say who can then reach whom.

Data only; ``stars``, ``simple`` and ``advanced`` hold them, ``runner`` walks them.
"""

from __future__ import annotations

from importlib import resources
from importlib.resources.abc import Traversable
from typing import NamedTuple


class Manifest(NamedTuple):
    """A file of YAML to apply."""

    file: str
    namespace: str = ""
    """For the objects that name none (``tortie apply -n``)."""

    def __str__(self) -> str:
        return f"{self.file} -n {self.namespace}" if self.namespace else self.file


class Probe(NamedTuple):
    """A workload that tells whom it can reach, and by what name the matrix shows it."""

    id: str
    workload: str
    """``namespace/pod``."""
    port: int
    """Where it listens: its own ``/status`` is read there, over its loopback."""
    url: str = ""
    """What the others probe; empty for a workload that only looks at others."""


class Destination(NamedTuple):
    """What workloads try to reach: a column of the matrix."""

    id: str
    url: str
    """As the probes are told it."""
    port: int
    """Where those behind it listen themselves."""
    workloads: tuple[str, ...] = ()
    """``namespace/pod`` of each behind it, whose ingress decides; none: it is outside, and the egress of who asks decides."""


class Step(NamedTuple):
    title: str
    text: str
    """What the reader is shown, and why it is so."""
    apply: tuple[Manifest, ...]
    reachable: frozenset[tuple[str, str]]
    """The pairs (from, to) of probe ids that must be connected once the step is in force; all others must not be."""


class Demo(NamedTuple):
    name: str
    title: str
    hosts: int
    workloads: tuple[Manifest, ...]
    probes: tuple[Probe, ...]
    steps: tuple[Step, ...]
    destinations: tuple[Destination, ...] = ()
    """Beside the probes themselves."""
    collector: Probe | None = None
    """Supplies its own row of the matrix: which probes it could fetch."""

    @property
    def folder(self) -> Traversable:
        """Where the manifests are."""
        return resources.files("tortie.lab") / "demos" / self.name

    @property
    def programs(self) -> tuple[Probe, ...]:
        """Whoever has a row: the probes and the collector."""
        return (*self.probes, *filter(None, (self.collector,)))

    @property
    def columns(self) -> tuple[Destination, ...]:
        """What the matrix is measured against: the probes that are probed, and the other destinations."""
        probed = (Destination(probe.id, probe.url, probe.port, (probe.workload,)) for probe in self.probes if probe.url)
        return (*probed, *self.destinations)

    @property
    def pairs(self) -> tuple[tuple[str, str], ...]:
        """Every measured cell of the matrix, by row; the pairs that no program probes are not among them."""
        return tuple((row, column) for row, columns in self.rows for column in columns)

    @property
    def rows(self) -> tuple[tuple[str, tuple[str, ...]], ...]:
        """Each row's id with the ids it is measured against: everybody but itself."""
        targets = tuple(column.id for column in self.columns)
        return tuple(
            (program.id, tuple(target for target in targets if target != program.id)) for program in self.programs
        )

    def probe(self, probe_id: str) -> Probe:
        """LookupError if there is none of that id."""
        for probe in self.programs:
            if probe.id == probe_id:
                return probe
        raise LookupError(f"the demo has no workload {probe_id!r}")

    def column(self, column_id: str) -> Destination:
        return next(column for column in self.columns if column.id == column_id)
