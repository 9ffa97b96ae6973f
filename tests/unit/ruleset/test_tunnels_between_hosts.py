"""Host endpoints let the hosts' own tunnels pass: between hosts, and while a pool needs them."""

from __future__ import annotations

import pytest

from tortie.analysis.hostmodel import RulesetModel
from tortie.calc.hoststate import (
    ConfigUpdate,
    Encapsulation,
    EndpointId,
    HostEndpointRemove,
    HostEndpointUpdate,
    HostHostEndpoint,
    HostRemove,
    HostStateDelta,
    HostUpdate,
    InterfaceAddress,
)
from tortie.net import IPIP, TCP, UDP, Address, Protocol
from tortie.ruleset import Packet, canonical, walk

OWN, PEER, STRANGER = "192.0.2.1", "192.0.2.2", "198.51.100.7"
OWN_V6, PEER_V6 = "2001:db8::1", "2001:db8::2"
ID = EndpointId("", "all")


def host(node: str, ipv4: str, ipv6: str) -> HostUpdate:
    return HostUpdate(
        node=node,
        ipv4=InterfaceAddress(Address.parse(ipv4), 24),
        ipv6=InterfaceAddress(Address.parse(ipv6), 64),
    )


HOSTS = (host("a", OWN, OWN_V6), host("b", PEER, PEER_V6))


class Host(RulesetModel):
    """A host whose every interface is closed by a host endpoint without policy."""

    def __init__(self, *deltas: HostStateDelta, ifname: str = "*") -> None:
        super().__init__()
        self.tell(HostEndpointUpdate(id=ID, endpoint=HostHostEndpoint(ifname=ifname)), *deltas)

    def tell(self, *deltas: HostStateDelta) -> None:
        self.take(deltas)

    def takes(self, source: str, protocol: Protocol, port: int | None = None) -> bool:
        return self._passes(source, OWN_V6 if ":" in source else OWN, protocol, port, in_interface="eth0")

    def sends(self, destination: str, protocol: Protocol, port: int | None = None) -> bool:
        own = OWN_V6 if ":" in destination else OWN
        return self._passes(own, destination, protocol, port, out_interface="eth0")

    def _passes(self, source: str, destination: str, protocol: Protocol, port: int | None, **interfaces: str) -> bool:
        packet = Packet(
            source=Address.parse(source),
            destination=Address.parse(destination),
            protocol=protocol,
            source_port=None if port is None else 50_000,
            destination_port=port,
            **interfaces,  # type: ignore[arg-type]
        )
        return walk(self.ruleset, packet).is_accepted


NONE = Encapsulation()
CASES = [
    pytest.param(NONE, PEER, IPIP, None, False, id="no encapsulation: IPIP"),
    pytest.param(NONE, PEER, UDP, 4789, False, id="no encapsulation: VXLAN"),
    pytest.param(Encapsulation(ipip=True), PEER, IPIP, None, True, id="IPIP"),
    pytest.param(Encapsulation(ipip=True), STRANGER, IPIP, None, False, id="IPIP of a stranger"),
    pytest.param(Encapsulation(ipip=True), PEER, UDP, 4789, False, id="IPIP alone: VXLAN"),
    pytest.param(Encapsulation(vxlan=True), PEER, UDP, 4789, True, id="VXLAN"),
    pytest.param(Encapsulation(vxlan=True), STRANGER, UDP, 4789, False, id="VXLAN of a stranger"),
    pytest.param(Encapsulation(vxlan=True), PEER, UDP, 4788, False, id="another port"),
    pytest.param(Encapsulation(vxlan=True), PEER, TCP, 4789, False, id="another protocol"),
    pytest.param(Encapsulation(vxlan=True), PEER_V6, UDP, 4789, False, id="the other family"),
    pytest.param(Encapsulation(vxlan_v6=True), PEER_V6, UDP, 4789, True, id="VXLAN over IPv6"),
]


@pytest.mark.parametrize("ifname", ["*", "eth0"])
@pytest.mark.parametrize(("used", "other", "protocol", "port", "expected"), CASES)
def test_what_passes_between_hosts(
    used: Encapsulation, other: str, protocol: Protocol, port: int | None, expected: bool, ifname: str
) -> None:
    host = Host(*HOSTS, used, ifname=ifname)
    assert host.takes(other, protocol, port) is expected
    assert host.sends(other, protocol, port) is expected


def test_whom_the_settings_list_counts_as_a_host() -> None:
    host = Host(*HOSTS, Encapsulation(ipip=True, vxlan_v6=True))
    host.tell(ConfigUpdate(values={"externalNodesList": [f"{STRANGER}/31"]}))
    assert host.takes(STRANGER, IPIP)
    assert host.sends(STRANGER, IPIP)
    assert not host.takes("198.51.100.9", IPIP)
    assert not host.takes("2001:db8::9", UDP, 4789), "there is nobody of IPv6 in the list"
    host.tell(HostEndpointRemove(id=ID))
    assert host.takes(STRANGER, IPIP)
    assert not host.takes("198.51.100.9", IPIP)


def test_hosts_come_and_go() -> None:
    host_a = Host(HOSTS[0], Encapsulation(ipip=True))
    assert not host_a.takes(PEER, IPIP)
    host_a.tell(HOSTS[1])
    assert host_a.takes(PEER, IPIP)
    host_a.tell(HostRemove(node="b"))
    assert not host_a.takes(PEER, IPIP)


@pytest.mark.parametrize(("used", "other", "protocol", "port", "passes_host_endpoints"), CASES)
def test_without_host_endpoints_only_strangers_tunnels_are_dropped(
    used: Encapsulation, other: str, protocol: Protocol, port: int | None, passes_host_endpoints: bool
) -> None:
    host = Host(*HOSTS, used)
    host.tell(HostEndpointRemove(id=ID))
    is_tunnel = (used.ipip and protocol == IPIP) or (used.vxlan and (protocol, port) == (UDP, 4789) and "." in other)
    assert host.takes(other, protocol, port) is (passes_host_endpoints or not is_tunnel)
    assert host.sends(other, protocol, port)


def test_what_a_stranger_sends_through_a_host_is_none_of_its_business() -> None:
    host = Host(*HOSTS, Encapsulation(ipip=True))
    host.tell(HostEndpointRemove(id=ID))
    through = Packet(
        source=Address.parse(STRANGER),
        destination=Address.parse(PEER),
        protocol=IPIP,
        in_interface="eth0",
        out_interface="eth1",
    )
    assert walk(host.ruleset, through).is_accepted


def test_a_cluster_without_encapsulation_pays_nothing_for_it() -> None:
    host = Host(*HOSTS, Encapsulation(ipip=True, vxlan_v6=True))
    assert {"hosts4", "hosts6"} <= host.ruleset.sets.keys()
    host.tell(Encapsulation(ipip=True))
    assert "hosts6" not in host.ruleset.sets
    host.tell(NONE)
    assert "hosts4" not in host.ruleset.sets
    assert not any("tunnel" in rule.comment or "IPIP" in rule.comment for rule in host.ruleset.chains["inp-1-wl"].rules)


def test_another_compiler_is_told_of_it() -> None:
    first = Host(*HOSTS, Encapsulation(vxlan=True))
    second = RulesetModel()
    second.take(first.compiler.state())
    assert canonical(second.ruleset) == canonical(first.ruleset)
