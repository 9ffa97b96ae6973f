"""The Services and Pods of a datastore, followed: what the names and addresses of services are made from."""

from __future__ import annotations

import asyncio
import logging

from tortie.datastore.store import Changes, CompactedError, DeleteEvent, PutEvent, Store
from tortie.model.codec import InvalidResourceError, decode
from tortie.model.kinds import KUBERNETES_PREFIX, POD, SERVICE, ResourceKey, parse_path
from tortie.model.kubernetes import Pod, Service

log = logging.getLogger(__name__)


class Catalog:
    """What is there now. ``changed`` is set with every change, for one reader to clear."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self.services: dict[ResourceKey, Service] = {}
        self.pods: dict[ResourceKey, Pod] = {}
        self.changed = asyncio.Event()

    async def follow(self) -> None:
        """Follow the datastore until cancelled."""
        while True:
            try:
                await self._follow_from_a_listing()
            except CompactedError as error:
                log.warning("listing again: %s", error)

    async def _follow_from_a_listing(self) -> None:
        page = self._store.list(KUBERNETES_PREFIX)
        self.services.clear()
        self.pods.clear()
        for entry in page.entries:
            self._put(entry.key, entry.value)
        self.changed.set()
        async for change in self._store.watch(KUBERNETES_PREFIX, page.revision + 1):
            if not isinstance(change, Changes):
                continue
            for event in change.events:
                match event:
                    case PutEvent(entry, _):
                        self._put(entry.key, entry.value)
                    case DeleteEvent(key, _):
                        self._forget(parse_path(key))
            self.changed.set()

    def _put(self, path: str, value: bytes) -> None:
        """Remember one object; an invalid one is taken to be absent."""
        key = parse_path(path)
        if key is None or key.kind not in (POD, SERVICE):
            return
        try:
            resource = decode(value, key.kind.struct)
        except InvalidResourceError as error:
            log.warning("%s is ignored: %s", key, error)
            self._forget(key)
            return
        match resource:
            case Service():
                self.services[key] = resource
            case Pod():
                self.pods[key] = resource

    def _forget(self, key: ResourceKey | None) -> None:
        if key is not None:
            self.services.pop(key, None)
            self.pods.pop(key, None)
