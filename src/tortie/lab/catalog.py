"""The Services and Pods of a datastore, followed: what the names and addresses of services are made from."""

from __future__ import annotations

import asyncio
import logging

from tortie.datastore.store import Store
from tortie.datastore.syncer import sync
from tortie.model.codec import InvalidResourceError, decode
from tortie.model.kinds import POD, SERVICE, ResourceKey, parse_path
from tortie.model.kubernetes import Pod, Service
from tortie.model.updates import InSync, Update

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
        async for batch in sync(self._store, [SERVICE.prefix, POD.prefix]):
            for item in batch:
                match item:
                    case Update(path, value, _):
                        self._remember(path, value)
                    case InSync():
                        self.changed.set()

    def _remember(self, path: str, value: bytes | None) -> None:
        """Note what became of one object; an invalid one is taken to be absent."""
        key = parse_path(path)
        if key is None:
            return
        self.services.pop(key, None)
        self.pods.pop(key, None)
        try:
            match None if value is None else decode(value, key.kind.struct):
                case Service() as service:
                    self.services[key] = service
                case Pod() as pod:
                    self.pods[key] = pod
        except InvalidResourceError as error:
            log.warning("%s is ignored: %s", key, error)
