"""Real packets at a host's own stages: limits of a workload's link, and each use of host-endpoint policy.

    peer (10.0.0.2) eth0 ────── cali1 or uplink (10.0.0.1) host

The peer is the workload behind ``cali1``, or a machine behind ``uplink``. Whatever reaches the host is counted by a socket there.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

import pytest
from isolation import isolated, run

from tortie.calc.hoststate import (
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
from tortie.dataplane.nft import NftDriver
from tortie.lab.namespaces import inside_network
from tortie.lab.packetnetwork import new_network
from tortie.model.policy import Action
from tortie.net import UDP, Address
from tortie.ruleset import Compiler, EndpointToHostAction, Options, initial
from tortie.testing.hosts import program

HOST, PEER = "10.0.0.1", "10.0.0.2"
PORT, OTHER_PORT = 7000, 7001
ALLOW, DENY = HostRule(action=Action.ALLOW), HostRule(action=Action.DENY)
TO_PORT = HostRule(action=Action.ALLOW, protocol=UDP, destination=PeerMatch(ports=(PortRange(PORT, PORT),)))
FROM_PORT = HostRule(action=Action.ALLOW, protocol=UDP, source=PeerMatch(ports=(PortRange(PORT, PORT),)))
ALLOW_ALL = ProfileUpdate(name="open", profile=HostProfile(ingress=(ALLOW,), egress=(ALLOW,)))
WAIT_S = 0.3
"""For a packet that does not come; those that do are there at once, for veth delivers as it sends."""


@contextmanager
def linked(ifname: str) -> Iterator[int]:
    """The peer's network, joined to this one by a link that is called *ifname* here."""
    peer = new_network()
    run("ip", "link", "set", "lo", "up")
    run("ip", "link", "add", ifname, "type", "veth", "peer", "name", "eth0")
    run("ip", "link", "set", "eth0", "netns", f"/proc/{os.getpid()}/fd/{peer}")
    run("ip", "addr", "add", f"{HOST}/24", "dev", ifname)
    run("ip", "link", "set", ifname, "up")
    with inside_network(peer):
        run("ip", "addr", "add", f"{PEER}/24", "dev", "eth0")
        run("ip", "link", "set", "eth0", "up")
    yield peer
    os.close(peer)


def enforce(deltas: list[HostStateDelta]) -> None:
    options = Options(endpoint_to_host_action=EndpointToHostAction.ACCEPT)
    compiler = Compiler(options)
    compiler.interfaces_changed({"uplink": frozenset({Address.parse(HOST)})})
    for delta in deltas:
        compiler.update(delta)
    with NftDriver() as driver:
        program(driver, initial(options), compiler.flush())
        assert driver.plan() == ()


def udp(address: str, port: int) -> socket.socket:
    bound = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
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
