"""The time of a new connection that the last of many policies allows, as a ratio of the same on a host that only tracks connections.

    python bench/connection.py [POLICIES ...]

    client ── cali… ┐
                    ├ host        one such for each line and column, all measured in turns
    server ── cali… ┘

The policies govern the server's ingress. Each allows another source to another port, and some, drawn at random, deny instead; the
last allows the client. So a list of rules asks all of them, and runs of tuple sets look the packet up. A connection is a real one:
from connect() until it is established. The plain host has one rule, ``ct state established,related accept``. Bar (DESIGN): 1.1
times for policies that only allow, however many. Exit status 1 if it is missed.
"""

from __future__ import annotations

import os
import socket
import statistics
import struct
import sys
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from random import Random
from typing import NamedTuple

from tortie.analysis.hostmodel import changes
from tortie.dataplane.links import Links
from tortie.dataplane.nft import NftDriver
from tortie.dataplane.sysctl import PROC_SYS, workload_link_settings
from tortie.lab.namespaces import enter_own_network, inside_network
from tortie.lab.packetnetwork import new_network
from tortie.lab.wiring import set_sysctls
from tortie.model.endpoint import WorkloadEndpoint
from tortie.model.meta import HostName, Resource
from tortie.model.policy import Action, Direction, EntityRule, GlobalNetworkPolicy
from tortie.model.policy import Rule as PolicyRule
from tortie.net import MAC, TCP, Address, Network, Port
from tortie.ruleset.options import Compilation
from tortie.ruleset.values import Accept, BaseChain, ChainReplace, CtState, CtStateMatch, Flush, Hook, Rule
from tortie.testing.histories import keyed
from tortie.testing.hosts import Host, program
from tortie.testing.resources import global_network_policy, namespace_profile, pod_endpoint

BAR = 1.1
ROUNDS, CONNECTIONS = 15, 60
COUNTS = (1, 200, 2000, 10_000)
DENIED = (0.0, 0.01, 0.1)
"""Parts of the policies that deny."""
HOST = HostName("host-1")
CLIENT, SERVER, GATEWAY = (Address.parse(text) for text in ("10.65.0.1", "10.65.0.2", "169.254.1.1"))
STRANGERS = Network.parse("192.0.2.0/24")
PORT, FIRST_PORT = 80, 1000
PLAIN = ChainReplace(
    "forward",
    (Rule((CtStateMatch(frozenset({CtState.ESTABLISHED, CtState.RELATED})),), (Accept(),)),),
    BaseChain(Hook.FORWARD, 0),
)
ANY = EntityRule()
RESET = struct.pack("ii", 1, 0)  # SO_LINGER: no TIME_WAIT at the end of a connection


class Case(NamedTuple):
    """What governs the server."""

    policies: int
    denied: float
    compilation: Compilation


@dataclass
class Measured:
    """A host, and the two ends of its connections."""

    client_network: int
    listener: socket.socket

    def connect(self) -> float:
        """Microseconds of one connection, the median of ``CONNECTIONS``."""
        took = []
        with inside_network(self.client_network):
            for _ in range(CONNECTIONS):
                with socket.socket() as client:
                    client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
                    started = time.perf_counter()
                    client.connect((str(SERVER), PORT))
                    took.append(time.perf_counter() - started)
                    self.listener.accept()[0].close()
        return statistics.median(took) * 1e6


def build(case: Case | None) -> Measured:
    """A host under the policies of a case; none: one that only tracks connections."""
    network = new_network()
    client = pod_endpoint("default/client", str(CLIENT))
    server = pod_endpoint("default/server", str(SERVER), labels={"role": "server"})
    with inside_network(network), Links() as links:
        set_sysctls(forwards=True)
        client_network, server_network = (connect_workload(links, endpoint) for endpoint in (client, server))
        if case is None:
            with NftDriver() as driver:
                program(driver, Flush((), (PLAIN,), ()))
    with inside_network(server_network):
        listener = socket.create_server((str(SERVER), PORT))
    if case is not None:
        policies = policies_for_server(case.policies, case.denied)
        with Host(HOST, network, case.compilation) as host:
            host.take(changes({}, keyed([client, server, namespace_profile("default"), *policies])))
    return Measured(client_network, listener)


def connect_workload(links: Links, endpoint: WorkloadEndpoint) -> int:
    """Link a workload to the host that *links* is of; its namespace."""
    ifname, address = endpoint.spec.interface_name, endpoint.spec.ip_networks[0].address
    network = new_network()
    links.create_veth(ifname, peer_name="eth0", peer_namespace_fd=network)
    for path, value in workload_link_settings(ifname):
        (PROC_SYS / path).write_text(value)
    links.set_up(ifname)
    links.add_route(ifname, address.network())
    with inside_network(network), Links() as inside:
        inside.add_address("eth0", address)
        inside.set_up("eth0")
        inside.add_neighbour("eth0", GATEWAY, _mac(links, ifname))
        inside.add_route("eth0", Network.parse("0.0.0.0/0"), GATEWAY, onlink=True)
        links.add_neighbour(ifname, address, _mac(inside, "eth0"))
    return network


def _mac(links: Links, ifname: str) -> MAC:
    mac = links.get(ifname).mac
    assert mac is not None
    return mac


def policies_for_server(count: int, denied: float) -> Iterable[Resource]:
    """*count* policies, of which the last one asked allows the client. Those that deny are of all forms, so that orders matter."""
    rng = Random(count)
    for number in range(count - 1):
        source = EntityRule(nets=((STRANGERS.address + number % STRANGERS.size).network(),))
        port = EntityRule(ports=(Port(FIRST_PORT + number),))
        if rng.random() < denied:
            protocol, peer, own = rng.choice(
                ((TCP, source, port), (TCP, source, ANY), (None, source, ANY), (TCP, ANY, port))
            )
            yield policy(number, PolicyRule(action=Action.DENY, protocol=protocol, source=peer, destination=own))
        else:
            yield policy(number, PolicyRule(action=Action.ALLOW, protocol=TCP, source=source, destination=port))
    peers = {"source": EntityRule(nets=(CLIENT.network(),)), "destination": EntityRule(ports=(Port(PORT),))}
    yield policy(count - 1, PolicyRule(action=Action.ALLOW, protocol=TCP, **peers))


def policy(number: int, rule: PolicyRule) -> GlobalNetworkPolicy:
    return global_network_policy(
        f"policy-{number:05}",
        selector="role == 'server'",
        ingress=[rule],
        types=[Direction.INGRESS],
        order=float(number),
    )


def cases(counts: Sequence[int]) -> list[Case]:
    return [
        Case(count, denied, compilation)
        for count in counts
        for denied in (DENIED if count > 1 / DENIED[1] else DENIED[:1])
        for compilation in (Compilation.AUTO, Compilation.LINEAR)
    ]


def main(counts: Sequence[int]) -> int:
    enter_own_network()
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    wanted = [None, *cases(counts)]
    measured = [build(case) for case in wanted]
    rounds = [[each.connect() for each in measured] for _ in range(ROUNDS)]
    plain, *times = (statistics.median(column) for column in zip(*rounds, strict=True))
    ratios = {case: took / plain for case, took in zip(wanted[1:], times, strict=True)}
    print(f"plain host {plain:.1f} µs; bar {BAR}")
    print(f"{'policies':>10}{'deny':>7}{'runs':>9}{'linear':>9}")
    for case in wanted[1::2]:
        assert case is not None
        linear = ratios[case._replace(compilation=Compilation.LINEAR)]
        print(f"{case.policies:>10}{case.denied:>7.0%}{ratios[case]:>9.2f}{linear:>9.2f}")
    return int(any(ratio > BAR for case, ratio in ratios.items() if case == (case[0], 0.0, Compilation.AUTO)))


if __name__ == "__main__":
    sys.exit(main([int(text) for text in sys.argv[1:]] or COUNTS))
