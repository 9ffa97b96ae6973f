"""The routing plane of a host: nodes, pools, peers and blocks to BIRD's configuration.

BIRD does the routing and outlives the agent; here is only what it is told. A configuration that BIRD refuses is logged, and the
one before stays in force.
"""

from __future__ import annotations

import logging
from typing import TypeVar

from tortie.bird.control import BirdError
from tortie.bird.daemon import BirdDaemon
from tortie.datastore.validation import BlockUpdate
from tortie.model.kinds import BGP_CONFIGURATION, BGP_PEER, IP_POOL, NODE, Kind, ResourceKey
from tortie.model.meta import HostName
from tortie.model.topology import BGPConfiguration, BGPPeer, BlockAffinity, IPPool, Node
from tortie.model.updates import ResourceUpdate
from tortie.net import Network
from tortie.routing import SessionTimers, render, resolve

_log = logging.getLogger(__name__)

_R = TypeVar("_R")

_KINDS: frozenset[Kind] = frozenset({NODE, IP_POOL, BGP_CONFIGURATION, BGP_PEER})


class RoutingPlane:
    """Owns BIRD's configuration, and starts BIRD where none runs."""

    def __init__(self, host: HostName, bird: BirdDaemon, timers: SessionTimers) -> None:
        self._host, self._bird, self._timers = host, bird, timers
        self._nodes: dict[ResourceKey, Node] = {}
        self._pools: dict[ResourceKey, IPPool] = {}
        self._configurations: dict[ResourceKey, BGPConfiguration] = {}
        self._peers: dict[ResourceKey, BGPPeer] = {}
        self._blocks: dict[tuple[HostName, Network], BlockAffinity] = {}
        self._dirty = True
        self._text: str | None = None
        """The configuration in force; None if that is not known."""

    def update(self, update: ResourceUpdate | BlockUpdate) -> None:
        """Take in a resource or a block's claim; what has nothing to do with routing is ignored."""
        if isinstance(update, BlockUpdate):
            self._dirty = True
            place = (update.key.host, update.key.network)
            if update.value is None:
                self._blocks.pop(place, None)
            else:
                self._blocks[place] = update.value
        elif update.key.kind in _KINDS:
            self._dirty = True
            self._set(update)

    def _set(self, update: ResourceUpdate) -> None:
        for table in (self._nodes, self._pools, self._configurations, self._peers):
            table.pop(update.key, None)
        match update.value:
            case Node() as node:
                self._nodes[update.key] = node
            case IPPool() as pool:
                self._pools[update.key] = pool
            case BGPConfiguration() as configuration:
                self._configurations[update.key] = configuration
            case BGPPeer() as peer:
                self._peers[update.key] = peer
            case _:
                pass

    async def program(self) -> None:
        """Bring BIRD to what is wanted, if anything that it depends on has changed."""
        if not self._dirty:
            return
        intent = resolve(
            self._host,
            _sorted(self._nodes),
            _sorted(self._pools),
            _sorted(self._configurations),
            _sorted(self._peers),
            self._blocks,
            timers=self._timers,
        )
        if intent is None:
            _log.warning("node %s has no BGP address: BIRD is left alone", self._host)
            self._dirty = False
            return
        for sentence in intent.omitted:
            _log.warning("%s", sentence)
        text = render(intent)
        if text != self._text:
            try:
                await self._bird.apply(text)
            except BirdError as error:
                _log.error("BIRD does not have the configuration wanted: %s", error)
                self._text = None
                return
            _log.info("BIRD is configured: %d sessions, %d own blocks", len(intent.peers), len(intent.blocks))
        self._text, self._dirty = text, False

    async def look_after(self) -> None:
        """Start BIRD again if it has died and may be started; try again what was refused."""
        try:
            if await self._bird.ensure_running():
                _log.warning("BIRD had ended and was started again")
        except BirdError as error:
            _log.error("%s", error)
        await self.program()


def _sorted(table: dict[ResourceKey, _R]) -> list[_R]:
    """A table's values in the order of its keys, which does not depend on how it was filled."""
    return [table[key] for key in sorted(table, key=lambda key: (key.namespace, key.name))]
