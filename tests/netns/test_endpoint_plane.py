"""The endpoint plane of an agent against a real kernel: routes, link settings and the start gate.

host ── cali1 ═══ w1      two links of workloads, whose other ends stay in the host's namespace too,
     └─ cali2 ═══ w2      for nothing here is about packets
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

from isolation import isolated, pending, run

from tortie.agent.endpoints import EndpointPlane
from tortie.calc.hoststate import EndpointId, HostWorkloadEndpoint, WorkloadEndpointRemove, WorkloadEndpointUpdate
from tortie.dataplane.conntrack import ConntrackTable
from tortie.dataplane.links import Links, LinkWatch
from tortie.dataplane.routes import RouteDriver
from tortie.dataplane.sysctl import SysctlDriver
from tortie.net import Address


class Host:
    """The plane under test and the host it works on."""

    def __init__(self, gate: Path) -> None:
        self.gate = gate
        self.links = Links()
        self.watch = LinkWatch()
        self.plane = EndpointPlane(RouteDriver(), SysctlDriver(), ConntrackTable(), gate)
        self.plane.links_changed(self.watch.list())

    def add_link(self, name: str) -> None:
        self.links.create_veth(name, peer_name=name.replace("cali", "w"))
        self.links.set_up(name.replace("cali", "w"))
        self.links.set_up(name)

    def program(self, *, open_gates: bool = True) -> None:
        self.plane.links_changed(pending(self.watch))
        self.plane.close_gates()
        assert self.plane.program(open_gates=open_gates)

    def routes(self) -> dict[str, str]:
        """Our routes: destination to link."""
        listed = json.loads(run("ip", "-j", "route", "show", "proto", "80")) + json.loads(
            run("ip", "-j", "-6", "route", "show", "proto", "80")
        )
        return {route["dst"]: route["dev"] for route in listed}

    def open_gates(self) -> set[str]:
        return {path.name for path in self.gate.iterdir()} if self.gate.exists() else set()


def endpoint(ifname: str, *addresses: str) -> HostWorkloadEndpoint:
    return HostWorkloadEndpoint(ifname=ifname, addresses=tuple(map(Address.parse, addresses)))


def update(name: str, ifname: str, *addresses: str) -> WorkloadEndpointUpdate:
    return WorkloadEndpointUpdate(id=EndpointId("ns", name), endpoint=endpoint(ifname, *addresses))


def remove(name: str) -> WorkloadEndpointRemove:
    return WorkloadEndpointRemove(id=EndpointId("ns", name))


def on_host(body: Callable[[Host], None]) -> Callable[[Path], None]:
    """A test *body* on a host of its own."""

    @isolated
    def test(tmp_path: Path) -> None:
        body(Host(tmp_path / "gate"))

    test.__name__ = body.__name__
    return test


@on_host
def test_an_endpoint_is_routed_set_up_and_let_go(host: Host) -> None:
    host.add_link("cali1")
    host.plane.update([update("a", "cali1", "10.65.0.1", "fd00:65::1")])
    host.program()
    assert host.routes() == {"10.65.0.1": "cali1", "fd00:65::1": "cali1"}
    assert Path("/proc/sys/net/ipv4/conf/cali1/proxy_arp").read_text() == "1\n"
    assert Path("/proc/sys/net/ipv4/ip_forward").read_text() == "1\n"
    assert host.open_gates() == {"cali1"}


@on_host
def test_an_endpoint_waits_for_its_link_and_its_gate_too(host: Host) -> None:
    host.plane.update([update("a", "cali1", "10.65.0.1")])
    host.program()
    assert host.routes() == {}
    assert host.open_gates() == set()
    host.add_link("cali1")
    host.program()
    assert host.routes() == {"10.65.0.1": "cali1"}
    assert host.open_gates() == {"cali1"}


@on_host
def test_no_gate_opens_before_policy_is_in_force(host: Host) -> None:
    host.add_link("cali1")
    host.plane.update([update("a", "cali1", "10.65.0.1")])
    host.program(open_gates=False)
    assert host.open_gates() == set()
    host.program()
    assert host.open_gates() == {"cali1"}


@on_host
def test_what_goes_takes_its_routes_and_its_gate_along(host: Host) -> None:
    for name in ("cali1", "cali2"):
        host.add_link(name)
    host.plane.update([update("a", "cali1", "10.65.0.1"), update("b", "cali2", "10.65.0.2")])
    host.program()
    host.plane.update([remove("a")])
    host.program()
    assert host.routes() == {"10.65.0.2": "cali2"}
    assert host.open_gates() == {"cali2"}


@on_host
def test_an_address_that_moves_to_another_link_is_never_without_its_route_to_the_new_one(host: Host) -> None:
    for name in ("cali1", "cali2"):
        host.add_link(name)
    host.plane.update([update("a", "cali1", "10.65.0.1")])
    host.program()
    host.plane.update([remove("a"), update("b", "cali2", "10.65.0.1")])
    host.program()
    assert host.routes() == {"10.65.0.1": "cali2"}


@on_host
def test_of_two_endpoints_on_one_link_the_lower_id_wins_and_the_other_takes_over(host: Host) -> None:
    host.add_link("cali1")
    host.plane.update([update("b", "cali1", "10.65.0.2"), update("a", "cali1", "10.65.0.1")])
    host.program()
    assert host.routes() == {"10.65.0.1": "cali1"}
    host.plane.update([remove("a")])
    host.program()
    assert host.routes() == {"10.65.0.2": "cali1"}


@on_host
def test_a_new_agent_sweeps_what_an_earlier_one_left(host: Host) -> None:
    for name in ("cali1", "cali2"):
        host.add_link(name)
    host.plane.update([update("a", "cali1", "10.65.0.1"), update("b", "cali2", "10.65.0.2")])
    host.program()
    successor = Host(host.gate)
    successor.plane.update([update("b", "cali2", "10.65.0.2")])
    successor.program()
    assert successor.routes() == {"10.65.0.2": "cali2"}
    assert successor.open_gates() == {"cali2"}


@on_host
def test_what_somebody_else_deletes_comes_back_on_resync(host: Host) -> None:
    host.add_link("cali1")
    host.plane.update([update("a", "cali1", "10.65.0.1")])
    host.program()
    run("ip", "route", "del", "10.65.0.1", "dev", "cali1")
    host.plane.distrust()
    host.program()
    assert host.routes() == {"10.65.0.1": "cali1"}
