"""The agent of a host: from the datastore to the kernel and to BIRD.

    syncer ─► validation ─► intake
                          ┌───┘
                          ├─► calc ─► PolicyPlane ─► nf_tables
                          │     └───► EndpointPlane ─► routes, link settings, start gate
                          └─► RoutingPlane ─► BIRD
    links of the host ────────► EndpointPlane
    changes of our table by others ─► PolicyPlane

One event loop. A step takes in what has come and brings all planes to it; nothing is written before the first InSync, and when
the datastore cannot be reached, or says that it is not ready, what is in the kernel stays. Ending the agent leaves its rules, routes and BIRD in force.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Iterable

from tortie.agent.bgp import RoutingPlane
from tortie.agent.endpoints import EndpointPlane
from tortie.agent.intake import Intake
from tortie.agent.policy import PolicyPlane
from tortie.agent.settings import AgentSettings
from tortie.bird.daemon import BirdDaemon
from tortie.calc.graph import Calculation
from tortie.dataplane.conntrack import ConntrackTable
from tortie.dataplane.links import LinkWatch
from tortie.dataplane.nft import NftDriver
from tortie.dataplane.routes import RouteDriver
from tortie.dataplane.sysctl import SysctlDriver
from tortie.datastore.store import Store
from tortie.datastore.syncer import sync
from tortie.datastore.validation import BlockUpdate, InvalidValues, validate
from tortie.model.kinds import CALICO_PREFIX
from tortie.model.updates import InSync, ResourceUpdate, Update

_log = logging.getLogger(__name__)

PREFIXES = (CALICO_PREFIX, "/calico/ipam/v2/host/")
"""What an agent follows: all of Calico's resources, and the hosts' claims on blocks."""

_LOOK_AFTER_S = 1.0
"""How often BIRD is looked after, and what was refused is tried again."""


class Agent:
    """One host's agent, for as long as ``run`` runs."""

    def __init__(self, settings: AgentSettings, store: Store) -> None:
        self._settings = settings
        self._store = store
        self._invalid = InvalidValues()
        self._intake = Intake()
        self._calculation = Calculation(settings.node)
        nft = NftDriver()
        self._table = nft.watch()
        self._links = LinkWatch()
        self._policy = PolicyPlane(nft)
        self._endpoints = EndpointPlane(RouteDriver(), SysctlDriver(), ConntrackTable(), settings.endpoint_status)
        bird = BirdDaemon(settings.bird, supervise=settings.supervise_bird)
        self._routing = RoutingPlane(settings.node, bird, settings.timers)
        self._is_in_sync = False
        self._is_enforcing = False
        """Whether policy has been in force since we started: nothing is routed before."""
        self._must_retry = False

    async def run(self) -> None:
        """Run until cancelled; NewerTableError, StoreError, or whatever else the agent cannot go on after."""
        loop = asyncio.get_running_loop()
        self._endpoints.links_changed(self._links.list())
        with contextlib.ExitStack() as stack:
            for source, receive in ((self._links, self._receive_links), (self._table, self._receive_table)):
                loop.add_reader(source, receive)
                stack.callback(loop.remove_reader, source)
            try:
                async with asyncio.TaskGroup() as tasks:
                    tasks.create_task(self._follow_datastore())
                    tasks.create_task(self._look_after())
                    tasks.create_task(self._resync())
            except BaseExceptionGroup as group:  # of what went wrong first, the others were only cancelled
                raise group.exceptions[0] from None

    # --- what comes in -------------------------------------------------------------------------------------------------------

    async def _follow_datastore(self) -> None:
        async for batch in sync(self._store, PREFIXES):
            self._take_in(batch)
            if self._is_in_sync:
                self._program()
                await self._routing.program()

    def _take_in(self, batch: Iterable[Update | InSync]) -> None:
        for item in self._intake.take(validate(batch, self._invalid)):
            match item:
                case ResourceUpdate():
                    self._calculation.update(item)
                    self._routing.update(item)
                case BlockUpdate():
                    self._routing.update(item)
                case InSync(revision=revision):
                    if not self._is_in_sync:
                        _log.info("in sync with the datastore at revision %d", revision)
                        self._is_in_sync = True
                        self._calculation.in_sync()

    def _receive_links(self) -> None:
        self._endpoints.links_changed(self._links.receive())
        self._program()

    def _receive_table(self) -> None:
        if self._table.changed_by_others():
            _log.warning("somebody else changed the table tortie: it is read back")
            self._policy.distrust()
            self._program()

    # --- what goes out -------------------------------------------------------------------------------------------------------

    def _program(self) -> None:
        """Bring the kernel to what is wanted: policy first, then what lets packets through to it."""
        if not self._is_in_sync:
            return
        deltas = self._calculation.flush()
        self._endpoints.update(deltas)
        self._endpoints.close_gates()
        self._policy.update(deltas)
        in_force = self._policy.program()
        if in_force and not self._is_enforcing:
            _log.info("policy is in force")
            self._is_enforcing = True
        done = self._is_enforcing and self._endpoints.program(open_gates=in_force)
        self._must_retry = not (in_force and done)

    async def _look_after(self) -> None:
        while True:
            await asyncio.sleep(_LOOK_AFTER_S)
            if self._must_retry:
                self._program()
            if self._is_in_sync:
                await self._routing.look_after()

    async def _resync(self) -> None:
        while True:
            await asyncio.sleep(self._settings.resync_s)
            self._policy.distrust()
            self._endpoints.distrust()
            self._program()
