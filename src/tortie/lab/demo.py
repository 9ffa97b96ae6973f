"""What a demonstration is: workloads, and steps that each change policy and say who can then reach whom.

Data only; ``tortie.lab.stars`` holds the first one, ``tortie.lab.runner`` walks it.
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
    collector: Probe
    """Supplies its own row of the matrix: which probes it could fetch."""
    steps: tuple[Step, ...]

    @property
    def folder(self) -> Traversable:
        """Where the manifests are."""
        return resources.files("tortie.lab") / "demos" / self.name

    @property
    def pairs(self) -> tuple[tuple[str, str], ...]:
        """Every measured cell of the matrix, by row; the pairs that no program probes are not among them."""
        return tuple((row, column) for row, columns in self.rows for column in columns)

    @property
    def rows(self) -> tuple[tuple[str, tuple[str, ...]], ...]:
        """Each row's id with the ids it is measured against: everybody but itself."""
        targets = tuple(probe.id for probe in self.probes)
        return tuple(
            (row, tuple(target for target in targets if target != row)) for row in (*targets, self.collector.id)
        )

    def probe(self, probe_id: str) -> Probe:
        return next(probe for probe in (*self.probes, self.collector) if probe.id == probe_id)
