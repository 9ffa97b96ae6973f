"""What a datastore holds that bears on who can reach whom, read once for all who ask what a change means."""

from __future__ import annotations

import functools
import itertools
from collections.abc import Collection, Iterator, Sequence

from tortie.datastore.store import Entry, Store, entries
from tortie.model import kinds
from tortie.model.kinds import Kind, ResourceKey, parse_path

BEARING_KINDS: tuple[Kind, ...] = (
    kinds.NETWORK_POLICY,
    kinds.GLOBAL_NETWORK_POLICY,
    kinds.K8S_NETWORK_POLICY,
    kinds.CLUSTER_NETWORK_POLICY,
    kinds.TIER,
    kinds.PROFILE,
    kinds.NETWORK_SET,
    kinds.GLOBAL_NETWORK_SET,
    kinds.WORKLOAD_ENDPOINT,
    kinds.HOST_ENDPOINT,
    kinds.NODE,
    kinds.IP_POOL,
    kinds.FELIX_CONFIGURATION,
    kinds.NAMESPACE,
    kinds.SERVICE_ACCOUNT,
    kinds.POD,
    kinds.SERVICE,
    kinds.ENDPOINT_SLICE,
)
"""The kinds that bear on who can reach whom. Staged policies do not."""


class Stored:
    """Of one datastore; read when it is asked for, and no more than is."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self._read: list[Entry] = []
        self._unread: Iterator[Entry] | None = (e for kind in BEARING_KINDS for e in entries(store, kind.prefix))
        """None: all has been read."""
        self._under: dict[str, tuple[Entry, ...]] = {}

    def entries(self, at_most: int | None = None) -> Sequence[Entry]:
        """All entries of ``BEARING_KINDS``, undecoded; the first of them if there are more than *at_most*."""
        if self._unread is not None:
            wanted = None if at_most is None else max(0, at_most - len(self._read))
            found = list(itertools.islice(self._unread, wanted))
            self._read += found
            if wanted is None or len(found) < wanted:
                self._unread = None
        return self._read if at_most is None else self._read[:at_most]

    @functools.cached_property
    def keyed(self) -> Sequence[tuple[ResourceKey, Entry]]:
        """All of them, by whose they are."""
        keyed = ((parse_path(entry.key), entry) for entry in self.entries())
        return [(key, entry) for key, entry in keyed if key is not None]

    def of(self, namespaces: Collection[str], limited: Collection[Kind]) -> Sequence[Entry]:
        """The same, in the same order, but of the kinds *limited* only those of *namespaces*; no others are read for it."""
        if self._unread is None:
            return [e for key, e in self.keyed if key.kind not in limited or key.namespace in namespaces]
        within = sorted(f"{namespace}/" for namespace in namespaces)  # as the keys are
        prefixes = [kind.prefix + each for kind in BEARING_KINDS for each in (within if kind in limited else [""])]
        return [entry for prefix in prefixes for entry in self._listed(prefix)]

    def _listed(self, prefix: str) -> tuple[Entry, ...]:
        if prefix not in self._under:
            self._under[prefix] = tuple(entries(self.store, prefix))
        return self._under[prefix]
