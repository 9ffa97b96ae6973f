"""The agent of a host: from the datastore to the kernel and to BIRD.

    syncer ─► WholeStates ─► Intake ─┬─► calc ─► PolicyPlane ─► nf_tables
                                     │     ├───► EndpointPlane ─► routes, link settings, start gate
                                     │     └───► FlowPlane ─► conntrack
                                     └─► RoutingPlane ─► BIRD
    links of the host ────────► EndpointPlane
    changes of our table by others ─► PolicyPlane

One event loop. A step takes in what has come and brings all planes to it; nothing is written before the first InSync, and when
the datastore cannot be reached, or says that it is not ready, what is in the kernel stays. Ending the agent leaves its rules,
routes and BIRD in force.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import Sequence

from tortie.agent.bgp import RoutingPlane
from tortie.agent.endpoints import EndpointPlane
from tortie.agent.flows import REST, SETTLE_S, FlowPlane
from tortie.agent.garbage import Garbage
from tortie.agent.intake import PREFIXES, Intake
from tortie.agent.policy import PolicyPlane
from tortie.agent.settings import AgentSettings
from tortie.agent.wholestates import WholeStates
from tortie.bird.daemon import BirdDaemon
from tortie.calc.graph import Calculation
from tortie.dataplane.conntrack import ConntrackTable
from tortie.dataplane.links import LinkEvent, LinkWatch
from tortie.dataplane.nft import NftDriver
from tortie.dataplane.routes import RouteDriver
from tortie.dataplane.sysctl import SysctlDriver
from tortie.datastore.store import Store
from tortie.datastore.syncer import sync
from tortie.ruleset.flowjudge import FlowJudge

_log = logging.getLogger(__name__)

_LOOK_AFTER_S = 1.0
"""How often BIRD is looked after, and what was refused is tried again."""


class Agent:
    """One host's agent, for as long as ``run`` runs."""

    def __init__(self, settings: AgentSettings, store: Store) -> None:
        self._settings = settings
        self._store = store
        self._states = WholeStates()
        self._calculation = Calculation(settings.node)
        nft = NftDriver()
        self._table = nft.watch()
        self._links = LinkWatch()
        self._policy = PolicyPlane(nft)
        self._endpoints = EndpointPlane(RouteDriver(), SysctlDriver(), ConntrackTable(), settings.endpoint_status)
        bird = BirdDaemon(settings.bird, supervise=settings.supervise_bird)
        self._routing = RoutingPlane(settings.node, bird, settings.timers)
        self._flows = FlowPlane(ConntrackTable())  # not the endpoints': it is listed while they end flows
        self._intake = Intake(self._calculation, self._routing.update)
        self._garbage = Garbage()
        self._is_enforcing = False
        """Whether policy has been in force since we started: nothing is routed before."""
        self._must_retry = False
        self._has_worked = False
        """Whether there was anything to program since BIRD was looked after."""

    async def run(self) -> None:
        """Run until cancelled; NewerTableError, StoreError, or whatever else the agent cannot go on after."""
        loop = asyncio.get_running_loop()
        self._note_links(self._links.list())
        with contextlib.ExitStack() as stack:
            self._garbage.begin()
            stack.callback(self._garbage.end)
            for source, receive in ((self._links, self._receive_links), (self._table, self._receive_table)):
                loop.add_reader(source, receive)
                stack.callback(loop.remove_reader, source)
            try:
                async with asyncio.TaskGroup() as tasks:
                    tasks.create_task(self._follow_datastore())
                    tasks.create_task(self._look_after())
                    tasks.create_task(self._resync())
                    tasks.create_task(self._end_flows())
            except BaseExceptionGroup as group:  # of what went wrong first, the others were only cancelled
                raise group.exceptions[0] from None

    # --- what comes in -------------------------------------------------------------------------------------------------------

    async def _follow_datastore(self) -> None:
        async for batch in sync(self._store, PREFIXES):
            was_in_sync = self._is_in_sync
            self._intake.take(self._states.take(batch))
            if not self._is_in_sync:
                continue
            if not was_in_sync:
                _log.info("in sync with the datastore at revision %d", self._intake.revision)
            self._program()
            await self._routing.program()

    @property
    def _is_in_sync(self) -> bool:
        return self._intake.revision is not None

    def _receive_links(self) -> None:
        self._note_links(self._links.receive())
        self._program()

    def _note_links(self, events: Sequence[LinkEvent]) -> None:
        self._endpoints.links_changed(events)
        self._policy.links_changed(events)

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
        self._has_worked = True
        self._tell_planes()
        in_force = self._policy.program()
        if in_force and not self._is_enforcing:
            _log.info("policy is in force")
            self._is_enforcing = True
        done = self._is_enforcing and self._endpoints.program(open_gates=in_force)
        self._must_retry = not (in_force and done)

    def _tell_planes(self) -> None:
        """What changed, in a function of its own: at a cold start that is large, and gone before what the kernel gets is made."""
        deltas = self._calculation.flush()
        self._flows.update(deltas)
        self._endpoints.update(deltas)
        self._endpoints.close_gates()
        self._policy.update(deltas)

    async def _look_after(self) -> None:
        while True:
            await asyncio.sleep(_LOOK_AFTER_S)
            if self._must_retry:
                self._program()
            if self._is_in_sync:
                await self._routing.look_after()
            self._collect_garbage()

    def _collect_garbage(self) -> None:
        if self._is_enforcing and not self._garbage.is_settled:
            self._garbage.settle()
        self._garbage.step(idle=not self._has_worked)
        self._has_worked = False

    async def _end_flows(self) -> None:
        while True:
            await asyncio.sleep(SETTLE_S)
            if not self._is_enforcing or self._must_retry:
                continue
            begun = time.monotonic()
            for _ in self._flows.sweep(self._judge):
                await asyncio.sleep(0)
            await asyncio.sleep(REST * (time.monotonic() - begun))

    def _judge(self) -> FlowJudge:
        policy = self._policy
        return FlowJudge(policy.ruleset(), self._endpoints.routed, policy.own_addresses, policy.uplinks)

    async def _resync(self) -> None:
        while True:
            await asyncio.sleep(self._settings.resync_s)
            self._policy.distrust()
            self._endpoints.distrust()
            self._program()
