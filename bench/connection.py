"""The time of a new connection that the last of many policies allows, as a ratio of the same without any policy.

    python bench/connection.py [POLICIES ...]

    client ── cali… ┐
                    ├ host        one such for each number of policies, all measured in turns
    server ── cali… ┘

The policies govern the server's ingress and are told apart by source address, so the kernel asks all of them. A connection is
a real one: from connect() until it is established. Bar (DESIGN): 1.1 times, however many; a linear list of rules cannot hold it.
"""

from __future__ import annotations

import os
import socket
import statistics
import struct
import sys
import time
from collections.abc import Iterable
from dataclasses import dataclass

from tortie.dataplane.links import Links
from tortie.lab.namespaces import CLONE_NEWNET, CLONE_NEWUSER, inside_network, unshare
from tortie.lab.wiring import set_sysctls
from tortie.model.endpoint import WorkloadEndpoint
from tortie.model.meta import HostName, Resource
from tortie.model.policy import Action, Direction, EntityRule, GlobalNetworkPolicy, Rule
from tortie.net import MAC, TCP, Address, Network
from tortie.testing.hosts import Host, changes, keyed
from tortie.testing.layout import new_network
from tortie.testing.resources import global_network_policy, namespace_profile, pod_endpoint

BAR = 1.1
ROUNDS, CONNECTIONS = 15, 100
HOST = HostName("host-1")
CLIENT, SERVER, GATEWAY = (Address.parse(text) for text in ("10.65.0.1", "10.65.0.2", "169.254.1.1"))
STRANGERS = Network.parse("192.0.2.0/24")
PORT = 80
RESET = struct.pack("ii", 1, 0)  # SO_LINGER: no TIME_WAIT at the end of a connection


@dataclass
class Measured:
    """A host with so many policies, and the two ends of its connections."""

    policies: int
    client_network: int
    listener: socket.socket
    host: Host

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


def build(policies: int) -> Measured:
    network = new_network()
    client = pod_endpoint("default/client", str(CLIENT))
    server = pod_endpoint("default/server", str(SERVER), labels={"role": "server"})
    with inside_network(network), Links() as links:
        set_sysctls(forwards=True)
        client_network, server_network = (connect_workload(links, endpoint) for endpoint in (client, server))
    with inside_network(server_network):
        listener = socket.create_server((str(SERVER), PORT))
    host = Host(HOST, network)
    host.take(changes({}, keyed([client, server, namespace_profile("default"), *policies_for_server(policies)])))
    return Measured(policies, client_network, listener, host)


def connect_workload(links: Links, endpoint: WorkloadEndpoint) -> int:
    """Link a workload to the host that *links* is of; its namespace."""
    ifname, address = endpoint.spec.interface_name, endpoint.spec.ip_networks[0].address
    network = new_network()
    links.create_veth(ifname, peer_name="eth0", peer_namespace_fd=network)
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


def policies_for_server(count: int) -> Iterable[Resource]:
    """*count* policies, of which the last one asked allows the client."""
    for number in range(count):
        is_last = number == count - 1
        source = CLIENT.network() if is_last else (STRANGERS.address + number % STRANGERS.size).network()
        yield allowing(f"policy-{number:05}", source, float(number))


def allowing(name: str, source: Network, order: float) -> GlobalNetworkPolicy:
    rule = Rule(action=Action.ALLOW, protocol=TCP, source=EntityRule(nets=(source,)))
    return global_network_policy(
        name, selector="role == 'server'", ingress=[rule], types=[Direction.INGRESS], order=order
    )


def main(counts: list[int]) -> None:
    unshare(CLONE_NEWUSER | CLONE_NEWNET)
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    measured = [build(count) for count in (0, *counts)]
    rounds = [[each.connect() for each in measured] for _ in range(ROUNDS)]
    without, *times = (statistics.median(column) for column in zip(*rounds, strict=True))
    print(f"{'policies':>10}{'connection':>14}{'ratio':>9}   bar {BAR}")
    print(f"{'none':>10}{without:>11.1f} µs{1:>9.2f}")
    for count, took in zip(counts, times, strict=True):
        print(f"{count:>10}{took:>11.1f} µs{took / without:>9.2f}")


if __name__ == "__main__":
    main([int(text) for text in sys.argv[1:]] or [1, 200, 2000])
