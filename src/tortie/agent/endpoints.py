"""The workload endpoints of a host, beside their policy: routes, link settings, and the start gate.

For each endpoint: a route to every address over its link, the link's settings (proxy ARP above all), and, once its policy is in
the kernel and its link is up and routed, a file named like the link, for which whoever starts the workload waits.

Of two endpoints that claim one link the lower rank wins, as in Calico; the other waits until the winner goes.
"""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import TypeVar

from tortie.calc.hoststate import (
    EndpointId,
    HostStateDelta,
    HostWorkloadEndpoint,
    WorkloadEndpointRemove,
    WorkloadEndpointUpdate,
)
from tortie.dataplane.conntrack import ConntrackTable
from tortie.dataplane.driver import KernelRefusedError
from tortie.dataplane.link_state import EventsLost, LinkChanged, LinkEvent, LinkGone
from tortie.dataplane.routes import RouteDriver, RouteSet, RouteUnset
from tortie.dataplane.sysctl import (
    FORWARDING,
    SettingsUnwanted,
    SettingsWanted,
    SysctlDriver,
    workload_link_settings,
)
from tortie.net import Address

_log = logging.getLogger(__name__)

Batch = TypeVar("Batch")


class EndpointPlane:
    """Owns the host's routes to its workloads, the settings of their links, and the files of the start gate."""

    def __init__(self, routes: RouteDriver, sysctls: SysctlDriver, conntrack: ConntrackTable, gate: Path) -> None:
        self._routes, self._sysctls, self._conntrack = routes, sysctls, conntrack
        self._gate = gate
        self._endpoints: dict[EndpointId, HostWorkloadEndpoint] = {}
        self._claims: dict[str, set[EndpointId]] = {}
        """All endpoints that name a link."""
        self._routed: dict[Address, str] = {}
        """The addresses for which a route is wanted, and over which link."""
        self._dirty_links: set[str] = set()
        self._up: set[str] = set()
        """The links that are there and up."""
        self._ended: set[Address] = set()
        """Addresses that have gone from this host, whose flows must end."""
        self._must_read_back = True
        self._sysctls.stage(SettingsWanted(link="", settings=FORWARDING))

    # --- what is told --------------------------------------------------------------------------------------------------------

    def update(self, deltas: Iterable[HostStateDelta]) -> None:
        for delta in deltas:
            match delta:
                case WorkloadEndpointUpdate(id=endpoint_id, endpoint=endpoint):
                    self._set(endpoint_id, endpoint)
                case WorkloadEndpointRemove(id=endpoint_id):
                    self._set(endpoint_id, None)
                case _:
                    pass

    def _set(self, endpoint_id: EndpointId, endpoint: HostWorkloadEndpoint | None) -> None:
        before = self._endpoints.pop(endpoint_id, None)
        if before is not None:
            self._claims[before.ifname].discard(endpoint_id)
            self._dirty_links.add(before.ifname)
        if endpoint is not None:
            self._endpoints[endpoint_id] = endpoint
            self._claims.setdefault(endpoint.ifname, set()).add(endpoint_id)
            self._dirty_links.add(endpoint.ifname)

    def links_changed(self, events: Iterable[LinkEvent]) -> None:
        """Take note of links that came, changed or went."""
        for event in events:
            match event:
                case LinkChanged(link=link):
                    self._routes.link_changed(link)
                    self._sysctls.link_changed(link)
                    (self._up.add if link.up else self._up.discard)(link.name)
                case LinkGone(name=name):
                    self._routes.link_gone(name)
                    self._sysctls.link_gone(name)
                    self._up.discard(name)
                case EventsLost():
                    self.distrust()
                case _:
                    pass

    def distrust(self) -> None:
        """List the kernel before the next programming."""
        self._must_read_back = True

    @property
    def routed(self) -> Mapping[Address, str]:
        """Over which link each address of a workload of this host is reached."""
        return self._routed

    # --- what is done --------------------------------------------------------------------------------------------------------

    def close_gates(self) -> None:
        """Take back the files of endpoints that are gone, before anything else of theirs goes."""
        for ifname in self._dirty_links:
            if self._winner(ifname) is None:
                (self._gate / ifname).unlink(missing_ok=True)

    def program(self, *, open_gates: bool) -> bool:
        """Bring routes and settings to what is wanted; false if the kernel refused something, which is logged and stays due.

        Call it only once the stages of the policy plane are in force: it makes the host forward. *open_gates* says that the
        policy of every endpoint told of is in the kernel.
        """
        self._resolve()
        done = self._apply()
        if done and open_gates:
            self._open_gates()
        self._end_flows()
        return done

    def _resolve(self) -> None:
        """Stage what the changed links are to have."""
        wanted: dict[Address, str] = {}
        for ifname in sorted(self._dirty_links):
            winner = self._winner(ifname)
            if winner is None:
                self._claims.pop(ifname, None)
                self._sysctls.stage(SettingsUnwanted(link=ifname))
                continue
            self._sysctls.stage(SettingsWanted(link=ifname, settings=workload_link_settings(ifname)))
            wanted |= dict.fromkeys(winner.addresses, ifname)
        stale = {address for address, ifname in self._routed.items() if ifname in self._dirty_links} - wanted.keys()
        for address in stale:
            del self._routed[address]
            self._routes.stage(RouteUnset(destination=address.network()))
        self._ended |= stale
        self._stage_routes(wanted)
        self._dirty_links.clear()

    def _stage_routes(self, wanted: Mapping[Address, str]) -> None:
        for address, ifname in wanted.items():
            if self._routed.get(address) != ifname:
                self._routed[address] = ifname
                self._routes.stage(RouteSet(destination=address.network(), link=ifname))

    def _winner(self, ifname: str) -> HostWorkloadEndpoint | None:
        claims = self._claims.get(ifname)
        return self._endpoints[min(claims, key=lambda claim: claim.rank)] if claims else None

    def _apply(self) -> bool:
        """Settings before routes: a link that is routed to but does not answer for the gateway would lose packets."""
        try:
            if self._must_read_back:
                self._routes.read_back()
                self._sysctls.read_back()
                self._must_read_back = False
        except KernelRefusedError as error:
            _log.error("routes and settings are not in force: %s", error)
            return False
        settings = [_attempt(self._sysctls.apply, batch) for batch in self._sysctls.plan()]
        routes = [_attempt(self._routes.apply, batch) for batch in self._routes.plan()]
        return all(settings) and all(routes)

    def _open_gates(self) -> None:
        """A file for each link that is up, routed and under its endpoint's policy; none for anything else."""
        self._gate.mkdir(parents=True, exist_ok=True)
        ready = {ifname for ifname in self._claims if ifname in self._up}
        present = {path.name for path in self._gate.iterdir()}
        for ifname in ready - present:
            (self._gate / ifname).touch()
        for ifname in present - ready:
            (self._gate / ifname).unlink(missing_ok=True)

    def _end_flows(self) -> None:
        """End what is tracked of addresses that are gone: established flows are let through before policy is asked."""
        ended, self._ended = self._ended - self._routed.keys(), set()
        if ended:
            with contextlib.suppress(KernelRefusedError):
                self._conntrack.ended(ended)


def _attempt(apply: Callable[[Batch], None], batch: Batch) -> bool:
    """Apply one batch; a refusal is logged and must not keep the others from being tried."""
    try:
        apply(batch)
    except KernelRefusedError as error:
        _log.error("%s", error)
        return False
    return True
