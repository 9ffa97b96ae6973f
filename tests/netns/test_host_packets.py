"""Real packets at a host's own stages: limits of a workload's link, and each use of host-endpoint policy.

    peer (10.0.0.2) eth0 ────── cali1 or uplink (10.0.0.1) host

The peer is the workload behind ``cali1``, or a machine behind ``uplink``. Whatever reaches the host is counted by a socket there.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

import pytest
from isolation import isolated, run

from tortie.agent.flows import FlowPlane
from tortie.agent.policy import PolicyPlane
from tortie.calc.hoststate import (
    ConfigUpdate,
    EndpointId,
    HostEndpointUpdate,
    HostHostEndpoint,
    HostPolicy,
    HostProfile,
    HostRule,
    HostStateDelta,
    HostWorkloadEndpoint,
    InterfaceLimits,
    PacketRate,
    PeerMatch,
    PolicyId,
    PolicyUpdate,
    PortRange,
    ProfileUpdate,
    TierPolicies,
    WorkloadEndpointUpdate,
)
from tortie.dataplane.conntrack import ConntrackTable
from tortie.dataplane.links import Links, LinkWatch
from tortie.dataplane.nft import NftDriver
from tortie.dataplane.sysctl import Setting, SettingsWanted, SysctlDriver, workload_link_settings
from tortie.lab.namespaces import inside_network
from tortie.lab.packetnetwork import new_network
from tortie.model.policy import Action
from tortie.net import TCP, UDP, Address, Network
from tortie.ruleset import Compiler, EndpointToHostAction, Options, initial
from tortie.ruleset.flowjudge import FlowJudge
from tortie.ruleset.options import Compilation, LogRate
from tortie.testing.hosts import program

HOST, PEER = "10.0.0.1", "10.0.0.2"
HOST_V6, PEER_V6 = "fd00::1", "fd00::2"
SERVICE = "10.96.0.10"
PORT, OTHER_PORT = 7000, 7001
ALLOW, DENY = HostRule(action=Action.ALLOW), HostRule(action=Action.DENY)
TO_PORT = HostRule(action=Action.ALLOW, protocol=UDP, destination=PeerMatch(ports=(PortRange(PORT, PORT),)))
FROM_PORT = HostRule(action=Action.ALLOW, protocol=UDP, source=PeerMatch(ports=(PortRange(PORT, PORT),)))
ALLOW_ALL = ProfileUpdate(name="open", profile=HostProfile(ingress=(ALLOW,), egress=(ALLOW,)))
WAIT_S = 0.3
"""For a packet that does not come; those that do are there at once, for veth delivers as it sends."""


@contextmanager
def linked(ifname: str) -> Iterator[int]:
    """The peer's network, joined to this one by a link that is called *ifname* here.

    The ends know each other's MAC for IPv6: to some host endpoints neighbour discovery is denied as well.
    """
    peer, macs = new_network(), ("02:00:00:00:00:01", "02:00:00:00:00:02")
    run("ip", "link", "set", "lo", "up")
    run("ip", "link", "add", ifname, "address", macs[0], "type", "veth", "peer", "name", "eth0", "address", macs[1])
    run("ip", "link", "set", "eth0", "netns", f"/proc/{os.getpid()}/fd/{peer}")
    _set_up(ifname, HOST, HOST_V6, PEER_V6, macs[1])
    with inside_network(peer):
        _set_up("eth0", PEER, PEER_V6, HOST_V6, macs[0])
    yield peer
    os.close(peer)


def _set_up(ifname: str, ipv4: str, ipv6: str, other: str, mac: str) -> None:
    run("ip", "addr", "add", f"{ipv4}/24", "dev", ifname)
    run("ip", "link", "set", ifname, "up")
    run("ip", "addr", "add", f"{ipv6}/64", "dev", ifname, "nodad")
    run("ip", "neigh", "add", other, "lladdr", mac, "dev", ifname)


def enforce(deltas: list[HostStateDelta], **settings: Any) -> None:
    options = Options(endpoint_to_host_action=EndpointToHostAction.ACCEPT, **settings)
    compiler = Compiler(options)
    compiler.interfaces_changed({"uplink": frozenset({Address.parse(HOST)})})
    for delta in deltas:
        compiler.update(delta)
    with NftDriver() as driver:
        program(driver, initial(options), compiler.flush())
        assert driver.plan() == ()


def udp(address: str, port: int) -> socket.socket:
    bound = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, socket.SOCK_DGRAM)
    bound.bind((address, port))
    bound.settimeout(WAIT_S)
    return bound


def arrived(receiver: socket.socket) -> int:
    """How many packets have come, until for a while none does."""
    count = 0
    while True:
        try:
            receiver.recv(100)
        except TimeoutError:
            return count
        count += 1


# --- limits -----------------------------------------------------------------------------------------------------------------


def workload(limits: InterfaceLimits) -> list[HostStateDelta]:
    endpoint = HostWorkloadEndpoint(ifname="cali1", profiles=("open",), limits=limits)
    return [ALLOW_ALL, WorkloadEndpointUpdate(id=EndpointId("ns", "w"), endpoint=endpoint)]


@pytest.mark.parametrize(("rate", "lowest", "highest"), [(None, 100, 100), (PacketRate(1, 10), 10, 13)])
@isolated
def test_a_workload_sends_no_more_packets_than_its_rate(rate: PacketRate | None, lowest: int, highest: int) -> None:
    with linked("cali1") as peer, udp(HOST, PORT) as receiver:
        enforce(workload(InterfaceLimits(egress_rate=rate)))
        with inside_network(peer), udp(PEER, PORT) as sender:
            sender.sendto(b"first", (HOST, PORT))  # may wait for the address to be resolved
            receiver.recv(100)
            for _ in range(100):
                sender.sendto(b"more", (HOST, PORT))
        assert lowest <= arrived(receiver) + (rate is not None) <= highest


@isolated
def test_a_workload_has_no_more_connections_than_its_limit() -> None:
    with linked("cali1") as peer, socket.create_server((HOST, PORT)):
        enforce(workload(InterfaceLimits(egress_connections=3)))
        with inside_network(peer):
            opened = [connect() for _ in range(5)]
            assert [connection is not None for connection in opened] == [True, True, True, False, False]


def connect() -> socket.socket | None:
    try:
        return socket.create_connection((HOST, PORT), timeout=WAIT_S)
    except TimeoutError:
        return None


# --- sources ----------------------------------------------------------------------------------------------------------------

STRANGER = {HOST: "198.51.100.9", HOST_V6: "2001:db8::9"}
ALLOWED = tuple(map(Network.parse, ("198.51.100.0/24", "2001:db8::/32")))


@pytest.mark.parametrize("to", [HOST, HOST_V6])
@pytest.mark.parametrize(
    ("spoofable", "may_spoof", "expected"),
    [
        pytest.param((), True, False, id="not asked for"),
        pytest.param(ALLOWED, False, False, id="the settings do not let it"),
        pytest.param(ALLOWED, True, True, id="asked for and let"),
    ],
)
@isolated
def test_only_the_raw_stage_keeps_a_workload_from_sending_from_anothers_address(
    spoofable: tuple[Network, ...], may_spoof: bool, expected: bool, to: str
) -> None:
    """The kernel's own check, ``rp_filter``, is of IPv4 alone and knows no exceptions: without our table all is taken."""
    own = {HOST: PEER, HOST_V6: PEER_V6}[to]
    endpoint = HostWorkloadEndpoint(ifname="cali1", profiles=("open",), spoofable=spoofable)
    with linked("cali1") as peer, udp(to, PORT) as receiver:
        set_up_as_agents_do("cali1")
        with inside_network(peer):
            run("ip", "addr", "add", STRANGER[to], "dev", "eth0", *(["nodad"] if ":" in to else []))
            honest, spoofing = udp(own, PORT), udp(STRANGER[to], PORT)
        spoofing.sendto(b"before", (to, PORT))
        assert arrived(receiver) == 1
        enforce([ALLOW_ALL, WorkloadEndpointUpdate(id=EndpointId("ns", "w"), endpoint=endpoint)], may_spoof=may_spoof)
        honest.sendto(b"own", (to, PORT))
        assert arrived(receiver) == 1
        spoofing.sendto(b"another's", (to, PORT))
        assert (arrived(receiver) == 1) is expected
        honest.close()
        spoofing.close()


def set_up_as_agents_do(ifname: str) -> None:
    sysctls = SysctlDriver()
    with Links() as links:
        sysctls.link_changed(links.get(ifname))
    host_wide = Setting("net/ipv4/conf/all/rp_filter", "0")  # of it and the link's the greater counts (ip-sysctl.rst)
    sysctls.stage(SettingsWanted(link="", settings=(host_wide,)))
    sysctls.stage(SettingsWanted(link=ifname, settings=workload_link_settings(ifname)))
    for batch in sysctls.plan():
        sysctls.apply(batch)


# --- host endpoints ---------------------------------------------------------------------------------------------------------


def uplink(**uses: tuple[HostRule, tuple[HostRule, ...]] | tuple[HostRule, ...]) -> list[HostStateDelta]:
    """A host endpoint; by field its rules in, and with ``_out`` those out."""
    deltas: list[HostStateDelta] = [ALLOW_ALL]
    fields = {}
    for field in dict.fromkeys(name.removesuffix("_out") for name in uses):
        policy_id = PolicyId("GlobalNetworkPolicy", "", field.replace("_", "-"))
        policy = HostPolicy(tier="t", ingress=uses.get(field, ()), egress=uses.get(f"{field}_out", ()))  # type: ignore[arg-type]
        deltas.append(PolicyUpdate(id=policy_id, policy=policy))
        end = "Deny" if field == "tiers" else "Pass"
        tier = TierPolicies(name="t", default_action=end, ingress=(policy_id,), egress=(policy_id,))  # type: ignore[arg-type]
        fields[field] = (tier,)
    endpoint = HostHostEndpoint(ifname="", expected_ips=(Address.parse(HOST),), **fields)
    return [*deltas, HostEndpointUpdate(id=EndpointId("", "h"), endpoint=endpoint)]


CASES: dict[str, tuple[Callable[[], list[HostStateDelta]], tuple[bool, bool, bool]]] = {
    "no policy": (uplink, (False, False, False)),
    "normal policy": (lambda: uplink(tiers=(TO_PORT,), tiers_out=(ALLOW,)), (True, False, True)),
    "pre-DNAT allow beats normal deny": (
        lambda: uplink(tiers=(DENY,), pre_dnat_tiers=(TO_PORT,)),
        (True, False, False),
    ),
    "pre-DNAT deny beats normal allow": (
        lambda: uplink(tiers=(ALLOW,), tiers_out=(ALLOW,), pre_dnat_tiers=(DENY,)),
        (False, False, True),
    ),
    "untracked allow beats normal deny": (
        lambda: uplink(tiers=(DENY,), untracked_tiers=(TO_PORT,), untracked_tiers_out=(FROM_PORT,)),
        (True, False, True),
    ),
    "untracked deny beats normal allow": (
        lambda: uplink(tiers=(ALLOW,), tiers_out=(ALLOW,), untracked_tiers=(DENY,), untracked_tiers_out=(DENY,)),
        (False, False, False),
    ),
}


@pytest.mark.parametrize("case", CASES)
@isolated
def test_a_host_endpoint_lets_through_what_its_policy_says(case: str) -> None:
    """To one port of the host, to another, and from the host."""
    deltas, expected = CASES[case]
    with linked("uplink") as peer, udp(HOST, PORT) as receiver, udp(HOST, OTHER_PORT) as other:
        with inside_network(peer):
            sender, answered = udp(PEER, PORT), udp(PEER, OTHER_PORT)
        enforce(deltas())
        for port in (PORT, OTHER_PORT):
            sender.sendto(b"in", (HOST, port))
        found = [arrived(receiver) > 0, arrived(other) > 0]
        with suppress(PermissionError):  # what is dropped on its way out is told to the sender
            receiver.sendto(b"out", (PEER, OTHER_PORT))
        assert (*found, arrived(answered) > 0) == expected
        sender.close()
        answered.close()


# --- the deny action ----------------------------------------------------------------------------------------------------------


def governed_workload() -> list[HostStateDelta]:
    """Behind ``cali1``, under a policy that has no rule for what it sends."""
    policy_id = PolicyId("NetworkPolicy", "ns", "p")
    tier = TierPolicies(name="default", default_action="Deny", egress=(policy_id,))
    endpoint = HostWorkloadEndpoint(ifname="cali1", tiers=(tier,), profiles=())
    return [
        PolicyUpdate(id=policy_id, policy=HostPolicy(tier="default")),
        WorkloadEndpointUpdate(id=EndpointId("ns", "w"), endpoint=endpoint),
    ]


REFUSAL_S = 5.0
"""For a refusal: one that comes within connect(2) itself, as over a veth, TCP notes and heeds at its next SYN, after a second."""

DENIED: dict[str, tuple[str, Callable[[], list[HostStateDelta]], bool]] = {
    "a workload, at the end of a tier": ("cali1", governed_workload, True),
    "a stranger, by a rule of a host endpoint": ("uplink", lambda: uplink(tiers=(DENY,), tiers_out=(ALLOW,)), True),
    "a stranger, by pre-DNAT policy": ("uplink", lambda: uplink(tiers=(ALLOW,), pre_dnat_tiers=(DENY,)), False),
}


@contextmanager
def listening() -> Iterator[None]:
    """To what gets through the host has no answer of its own that could be taken for a refusal."""
    with (
        socket.create_server(("", PORT), family=socket.AF_INET6, dualstack_ipv6=True),
        socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as receiver,
    ):
        receiver.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        receiver.bind(("", PORT))
        yield


def attempt(kind: socket.SocketKind, destination: str, *, patience_s: float = WAIT_S) -> str:
    """How a first packet to the other end fares, as its sender is told."""
    family = socket.AF_INET6 if ":" in destination else socket.AF_INET
    with socket.socket(family, kind) as client:
        client.settimeout(patience_s)
        try:
            client.connect((destination, PORT))
            client.send(b"first")
            client.recv(1)
        except ConnectionRefusedError:
            return "refused"
        except (TimeoutError, PermissionError):
            return "silence"
    return "reached"


@pytest.mark.parametrize("rejects", [True, False])
@pytest.mark.parametrize("compilation", [Compilation.LINEAR, Compilation.RUNS])
@pytest.mark.parametrize("case", DENIED)
@isolated
def test_who_is_denied_is_told_so_if_the_settings_say_reject(
    case: str, compilation: Compilation, rejects: bool
) -> None:
    """By TCP and UDP, over both families; a rule before DNAT tells nobody."""
    ifname, deltas, is_told = DENIED[case]
    expected = "refused" if rejects and is_told else "silence"
    patience_s = REFUSAL_S if expected == "refused" else WAIT_S
    with linked(ifname) as peer, listening():
        enforce(deltas(), rejects=rejects, compilation=compilation)
        with inside_network(peer):
            for kind in (socket.SOCK_DGRAM, socket.SOCK_STREAM):
                for to in (HOST, HOST_V6):
                    assert attempt(kind, to, patience_s=patience_s) == expected, (kind, to)


@isolated
def test_a_process_of_the_host_is_told_at_once_and_one_that_speaks_to_a_service_is_not() -> None:
    """What NAT has changed is judged in postrouting, where the kernel takes no reject."""
    with linked("uplink"):
        enforce(uplink(tiers=(ALLOW,), tiers_out=(DENY,)), rejects=True)
        run("nft", "add table ip nat; add chain ip nat out { type nat hook output priority -100; }")
        run("nft", f"add rule ip nat out ip daddr {SERVICE} dnat to {PEER}")
        run("ip", "route", "add", f"{SERVICE}/32", "via", PEER)
        assert attempt(socket.SOCK_STREAM, PEER, patience_s=REFUSAL_S) == "refused"
        assert attempt(socket.SOCK_STREAM, SERVICE) == "silence"


@isolated
def test_the_settings_may_come_to_say_reject_and_go_again_under_way() -> None:
    """The chains that reject and those that postrouting leads to change in one batch; a half would be refused."""
    with linked("uplink") as peer, listening(), NftDriver() as driver, LinkWatch() as watch:
        plane = PolicyPlane(driver)
        plane.links_changed(watch.list())
        plane.update(uplink(tiers=(DENY,), tiers_out=(DENY,)))
        fates = []
        for action in ("Drop", "Reject", "Drop"):
            plane.update([ConfigUpdate(values={"nftablesFilterDenyAction": action})])
            assert plane.program()
            with inside_network(peer):
                fates.append(attempt(socket.SOCK_DGRAM, HOST))
        assert fates == ["silence", "refused", "silence"]


# --- the log ------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("compilation", [Compilation.LINEAR, Compilation.RUNS])
@isolated
def test_what_a_limit_keeps_out_of_the_log_is_judged_all_the_same(compilation: Compilation) -> None:
    settings = {"log_prefix": "%t %k %p " + "x" * 200, "log_rate": LogRate(1, 86400), "log_burst": 1}
    with linked("uplink") as peer, udp(HOST, PORT) as receiver, udp(HOST, OTHER_PORT) as other:
        with inside_network(peer):
            sender = udp(PEER, PORT)
        enforce(uplink(tiers=(HostRule(action=Action.LOG), TO_PORT)), compilation=compilation, **settings)
        for _ in range(20):
            sender.sendto(b"in", (HOST, PORT))
            sender.sendto(b"in", (HOST, OTHER_PORT))
        assert (arrived(receiver), arrived(other)) == (20, 0)
        sender.close()


# --- flows that lose their permission -----------------------------------------------------------------------------------------


def to_ports(*ports: int) -> tuple[HostRule, ...]:
    return tuple(
        HostRule(action=Action.ALLOW, protocol=TCP, destination=PeerMatch(ports=(PortRange(port, port),)))
        for port in ports
    )


def connected(server: int, client: int, address: str, port: int) -> tuple[socket.socket, socket.socket]:
    """A connection between two networks: its ends at the client and at the server."""
    with inside_network(server):
        listener = socket.create_server((address, port))
    with inside_network(client):
        opened = socket.create_connection((address, port), timeout=REFUSAL_S)
    with listener:
        accepted, _ = listener.accept()
    accepted.settimeout(WAIT_S)
    return opened, accepted


def hears(ends: tuple[socket.socket, socket.socket]) -> bool:
    """Whether what the client sends arrives."""
    opened, accepted = ends
    opened.send(b"more")
    try:
        return accepted.recv(100) != b""
    except TimeoutError:
        return False


@isolated
def test_connections_of_a_host_end_with_their_permission_and_the_others_stay() -> None:
    """Established connections to the host and from it, of which a changed policy lets one each go on."""
    here = os.open("/proc/thread-self/ns/net", os.O_RDONLY)
    with linked("uplink") as peer, NftDriver() as driver, LinkWatch() as watch, ConntrackTable() as conntrack:
        plane, flows = PolicyPlane(driver), FlowPlane(conntrack)

        def govern(*ports: int) -> None:
            deltas = uplink(tiers=to_ports(*ports), tiers_out=to_ports(*ports))
            plane.update(deltas)
            flows.update(deltas)
            assert plane.program()
            for _ in flows.sweep(lambda: FlowJudge(plane.ruleset(), {}, plane.own_addresses, plane.uplinks)):
                pass

        plane.links_changed(watch.list())
        govern(PORT, OTHER_PORT)
        kept = [connected(here, peer, HOST, OTHER_PORT), connected(peer, here, PEER, OTHER_PORT)]
        ended = [connected(here, peer, HOST, PORT), connected(peer, here, PEER, PORT)]
        assert all(map(hears, kept + ended))
        govern(OTHER_PORT)
        assert [hears(ends) for ends in kept + ended] == [True, True, False, False]
