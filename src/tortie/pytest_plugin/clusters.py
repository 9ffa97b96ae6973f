"""Clusters of people's files, as tests ask them: by the reading of their policies, or with real packets."""

from __future__ import annotations

import contextlib
import os
import warnings
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, TypeAlias

from tortie.analysis.cluster import KnownCluster, RefusedError, filled_in
from tortie.analysis.edits.state import State
from tortie.analysis.ends import Directory, NamedFlow
from tortie.analysis.explanation import explained, explanation_lines
from tortie.analysis.provenance import Provenance
from tortie.analysis.templates import of_a_cluster
from tortie.cli.errors import CommandError
from tortie.cli.manifests import readings, refuse_repeats
from tortie.model.document import ReadResource
from tortie.pytest_plugin.answers import Answer
from tortie.pytest_plugin.questions import flows_between
from tortie.verdict import Flow

if TYPE_CHECKING:
    from tortie.lab.packetprocess import PacketProcess

Path: TypeAlias = str | os.PathLike[str]

_EXPLAINED = 3
"""Of many pairs of ends that a question was about, so many are explained."""


class UnreadableClusterError(ValueError):
    """Files that could not be applied: every mistake in a line of its own, ``file:line:column: field: what was expected``."""


class ClusterWarning(UserWarning):
    """Something in people's files that means nothing, or perhaps not what its author thinks."""


def load_cluster(*paths: Path, recursive: bool = False) -> Cluster:
    """The cluster in which the YAML of *paths*, files and folders, has been applied, what a cluster has by itself filled in.

    With *recursive*, folders below these folders are read too. UnreadableClusterError, OSError.
    """
    names = [os.fspath(path) for path in paths]
    written = _read(names, recursive=recursive)
    known = _filled_in(written)
    return Cluster(", ".join(names), known, State.of(known, Provenance.of_documents(written)))


def _read(names: Sequence[str], *, recursive: bool) -> tuple[ReadResource, ...]:
    results = list(readings(names, recursive=recursive, prepare=of_a_cluster))
    _warn([str(warning) for result in results for warning in result.warnings])
    if errors := [str(error) for result in results for error in result.errors]:
        raise UnreadableClusterError("\n".join(errors))
    written = tuple(item for result in results for item in result.resources)
    if not written:
        raise UnreadableClusterError(f"no resources were found in {', '.join(names) or 'no files at all'}")
    try:
        refuse_repeats(written)
    except CommandError as error:
        raise UnreadableClusterError(str(error)) from error
    return written


def _filled_in(written: Sequence[ReadResource]) -> KnownCluster:
    by_key = {item.key: item for item in written}
    try:
        known = filled_in({key: item.resource for key, item in by_key.items()})
    except RefusedError as error:
        raise UnreadableClusterError(str(by_key[error.key].problem((), str(error)))) from error
    _warn(known.left_out)
    return known


def _warn(sentences: Sequence[str]) -> None:
    """In the line of who calls ``load_cluster``, whose parts call this."""
    for sentence in sentences:
        warnings.warn(sentence, ClusterWarning, stacklevel=4)


class Cluster:
    """A cluster that can be asked who reaches whom.

    An end is ``namespace/pod``, a workload or a service named in the same way, a name that only one of them has, ``host:NODE`` or an
    IP address; a port is written as for ``tortie explain``: ``tcp/443``, ``udp/53``, ``icmp``. Asked is about every workload that a
    name means, in every IP version that both ends have. What nothing is called is an UnknownEndError (a ValueError), with the
    nearest name.
    """

    def __init__(self, name: str, known: KnownCluster, state: State) -> None:
        self._name, self._known, self._state = name, known, state
        self._directory = Directory(known)

    def __repr__(self) -> str:
        return f"<cluster of {self._name}>"

    def allows(self, source: str, destination: str, port: str) -> Answer:
        """Whether everything that was asked about is delivered. UnknownEndError, ValueError."""
        __tracebackhide__ = True
        return self._answer(source, destination, port, expected=True)

    def denies(self, source: str, destination: str, port: str) -> Answer:
        """Whether nothing of it is delivered. UnknownEndError, ValueError."""
        __tracebackhide__ = True
        return self._answer(source, destination, port, expected=False)

    def explain(self, source: str, destination: str, port: str) -> str:
        """What decides, on both sides, in lines. UnknownEndError, ValueError."""
        __tracebackhide__ = True
        return self._answer(source, destination, port, expected=True).explanation

    @contextlib.contextmanager
    def lab(self) -> Iterator[Cluster]:
        """The same cluster for the time of a block, asked with real packets. LabError where the system has no namespaces for us."""
        from tortie.lab.packetprocess import PacketProcess  # noqa: PLC0415 - only who sends packets needs a network

        with PacketProcess(self._known) as process:
            yield _ClusterInKernel(self._name, self._known, self._state, process)

    def _answer(self, source: str, destination: str, port: str, *, expected: bool) -> Answer:
        __tracebackhide__ = True
        try:
            flows = flows_between(self._directory, source, destination, port)
        except ValueError as error:
            raise error.with_traceback(None) from None  # what a test should show is its own line
        delivered = self._are_delivered([named.flow for named in flows])
        surprising = [named for named, passed in zip(flows, delivered, strict=True) if passed is not expected]
        return Answer(
            holds=not surprising,
            sentence=f"{_word(delivered)} {source} → {destination} {port}",
            explain=lambda: self._explain(surprising or flows),
        )

    def _are_delivered(self, flows: Sequence[Flow]) -> Sequence[bool]:
        return [self._state.cluster.judge(flow).allowed for flow in flows]

    def _explain(self, flows: Sequence[NamedFlow]) -> str:
        """One of each pair of ends: what differs between IP versions is mostly the addresses."""
        pairs = {(named.source.name, named.destination.name): named.flow for named in reversed(flows)}
        chosen = list(reversed(pairs.values()))
        more = [f"and {len(chosen) - _EXPLAINED} more"] if len(chosen) > _EXPLAINED else []
        return "\n\n".join([*map(self._explain_one, chosen[:_EXPLAINED]), *more])

    def _explain_one(self, flow: Flow) -> str:
        return "\n".join(explanation_lines(explained(self._state, flow)))


class _ClusterInKernel(Cluster):
    """The same questions, answered by what becomes of real packets; the explanation is still that of the policies."""

    def __init__(self, name: str, known: KnownCluster, state: State, process: PacketProcess) -> None:
        super().__init__(name, known, state)
        self._process = process
        self._passed: dict[Flow, bool] = {}

    def __repr__(self) -> str:
        return f"<lab of {self._name}>"

    def _are_delivered(self, flows: Sequence[Flow]) -> Sequence[bool]:
        """Each packet is sent once: the cluster does not change."""
        unsent = [flow for flow in dict.fromkeys(flows) if flow not in self._passed]
        self._passed.update(zip(unsent, self._process.allow(unsent), strict=True))
        return [self._passed[flow] for flow in flows]

    def _explain_one(self, flow: Flow) -> str:
        text = super()._explain_one(flow)
        if self._passed[flow] is self._state.cluster.judge(flow).allowed:
            return text
        became = "was delivered" if self._passed[flow] else "was dropped"
        return f"the packet {became}, but by its policies it should be otherwise: a fault of Tortie's\n{text}"


def _word(delivered: Sequence[bool]) -> str:
    return "ALLOWED" if all(delivered) else "PARTLY ALLOWED" if any(delivered) else "DENIED"
