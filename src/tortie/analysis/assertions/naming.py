"""Whom an assertion's texts mean: names as everywhere, patterns of names, and networks."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterable, Iterator
from fnmatch import translate
from typing import TypeAlias

from tortie.analysis.cluster import KnownCluster
from tortie.analysis.ends import HOST, Directory, NamedEnd, UnknownEndError
from tortie.net import Network
from tortie.verdict.refs import HostRef

Meant: TypeAlias = tuple[NamedEnd | Network, ...]
"""What one text means: ends, or every address of a network."""


class Naming:
    """Of one cluster."""

    def __init__(self, cluster: KnownCluster) -> None:
        self._nodes, self._workloads = cluster.nodes, cluster.workloads
        self._directory = Directory(cluster)
        self._names = (*self._directory.workload_names, *(f"{HOST}{node}" for node in sorted(cluster.nodes)))
        self._known: dict[tuple[str, str], Meant] = {}

    def meant(self, text: str, namespace: str) -> Meant:
        """Whom *text* means in a test of *namespace*; UnknownEndError."""
        key = text, namespace
        if key not in self._known:
            self._known[key] = tuple(self._meant(text, namespace))
        return self._known[key]

    def hosts_in(self, network: Network) -> Iterator[NamedEnd]:
        """The hosts that have an address in *network*, by each such address."""
        for node, addresses in self._nodes.items():
            for address in addresses:
                if network.contains(address):
                    yield NamedEnd(f"{HOST}{node}", {address.family: HostRef(node, address)})

    def hosts(self, text: str, namespace: str) -> Iterator[str]:
        """The nodes that are among those whom *text* means."""
        with contextlib.suppress(UnknownEndError):
            for each in self.meant(text, namespace):
                ends = self.hosts_in(each) if isinstance(each, Network) else [each]
                yield from (ref.node for end in ends for ref in end.ends.values() if isinstance(ref, HostRef))

    def _meant(self, text: str, namespace: str) -> Iterable[NamedEnd | Network]:
        if (network := as_network(text)) is not None:
            return [network]
        if is_pattern(text):
            names = self._matching(text, namespace)
            return (end for name in names for each in self._each(name) for end in self._directory.resolve(each))
        return self._directory.resolve(text, namespace=namespace)

    def _each(self, name: str) -> Iterable[str]:
        """The interfaces of a workload that has several, which resolve only by names of their own."""
        several = self._workloads.get(name, ())
        if len(several) < 2:
            return [name]
        return [f"{endpoint.metadata.namespace}/{endpoint.metadata.name}" for endpoint in several]

    def _matching(self, pattern: str, namespace: str) -> tuple[str, ...]:
        if not pattern.startswith(HOST) and "/" not in pattern:
            pattern = f"{namespace or '*'}/{pattern}"
        parts = [re.compile(translate(part)) for part in pattern.split("/")]
        found = tuple(name for name in self._names if _matches(parts, name))
        if not found:
            raise UnknownEndError(f"no pod, other workload or host is called as the pattern {pattern!r} says")
        return found


def is_pattern(text: str) -> bool:
    """Whether *text* means whoever is called like it."""
    return "*" in text or "?" in text


def as_network(text: str) -> Network | None:
    """The network that *text* is; None for a name or a single address."""
    try:
        return Network.parse(text) if "/" in text else None
    except ValueError:
        return None


def _matches(parts: list[re.Pattern[str]], name: str) -> bool:
    texts = name.split("/")
    return len(parts) == len(texts) and all(part.match(text) for part, text in zip(parts, texts, strict=True))
