"""Flows ended in a kernel; pyroute2 reads what it tracks.

A client and a server in one namespace, over the loopback, where a ruleset accepts what belongs to an established flow first, as
ours does: a permission that is taken away is felt only by the flows whose entries are deleted.
"""

from __future__ import annotations

import socket

import pytest
from isolation import isolated, run
from pyroute2 import NFCTSocket

from tortie.dataplane.conntrack import ConntrackTable
from tortie.dataplane.links import Links
from tortie.net import UDP, Address, Family

CLIENT, OTHER, SERVER, SERVICE = (Address.parse(f"127.0.0.{last}") for last in (11, 12, 13, 14))
CLIENT_V6, SERVER_V6 = Address.parse("fd00::11"), Address.parse("fd00::13")

RULESET = """
table inet test {
    set denied { type inet_service; }
    chain translation {
        type nat hook output priority -100
        ip daddr 127.0.0.14 udp dport 53 dnat to 127.0.0.13:5353
    }
    chain outgoing {
        type filter hook output priority filter
        ct state established,related accept
        udp dport @denied drop
        tcp dport @denied reject with tcp reset
    }
}
"""


def prepare() -> None:
    with Links() as links:
        links.set_up("lo")
        for address in (CLIENT_V6, SERVER_V6):
            links.add_address("lo", address)
    while len(run("ip", "-6", "route", "show", "table", "local", "root", "fd00::/16").splitlines()) < 2:
        continue  # the kernel makes these routes in a work queue, and until then answers no packet to the addresses
    run("nft", RULESET)


def tracked() -> list[tuple[str, int, int]]:
    """What another reader finds, sorted: of each flow the source, and the destination's port as sent and as NAT has made it."""
    found: list[tuple[str, int, int]] = []
    for family in (socket.AF_INET, socket.AF_INET6):
        with NFCTSocket(nfgen_family=family) as reader:
            for message in reader.dump():
                sent, answered = message.get_attr("CTA_TUPLE_ORIG"), message.get_attr("CTA_TUPLE_REPLY")
                addresses, ports = sent.get_attr("CTA_TUPLE_IP"), sent.get_attr("CTA_TUPLE_PROTO")
                source = addresses.get_attr("CTA_IP_V4_SRC") or addresses.get_attr("CTA_IP_V6_SRC")
                translated = answered.get_attr("CTA_TUPLE_PROTO").get_attr("CTA_PROTO_SRC_PORT")
                found.append((source, ports.get_attr("CTA_PROTO_DST_PORT"), translated))
    return sorted(found)


def send(source: Address, destination: Address, port: int) -> socket.socket:
    """Begin a UDP flow."""
    client = socket.socket(socket.AF_INET if source.family is Family.V4 else socket.AF_INET6, socket.SOCK_DGRAM)
    client.bind((str(source), 0))
    client.connect((str(destination), port))
    client.send(b"first")
    return client


@isolated
def test_flows_are_listed_as_the_kernel_tells_them() -> None:
    prepare()
    sockets = [send(CLIENT, SERVER, 1000), send(CLIENT_V6, SERVER_V6, 2000), send(OTHER, SERVICE, 53)]
    with ConntrackTable() as table:
        flows = {flow.original.destination_port: flow for flow in table.flows()}
    assert set(flows) == {1000, 2000, 53}
    plain, v6, nat = flows[1000], flows[2000], flows[53]
    assert (plain.protocol, plain.original.source, plain.original.destination) == (UDP, CLIENT, SERVER)
    assert plain.original.source_port == sockets[0].getsockname()[1]
    assert (v6.original.source, v6.reply.source, v6.family) == (CLIENT_V6, SERVER_V6, Family.V6)
    assert (nat.original.destination, nat.reply.source, nat.reply.source_port) == (SERVICE, SERVER, 5353)
    assert tracked() == [("127.0.0.11", 1000, 1000), ("127.0.0.12", 53, 5353), ("fd00::11", 2000, 2000)]


@isolated
def test_an_icmp_flow_tells_what_its_first_packet_was() -> None:
    prepare()
    for family, protocol, source, destination, echo in (
        (socket.AF_INET, socket.IPPROTO_ICMP, CLIENT, SERVER, 8),
        (socket.AF_INET6, socket.IPPROTO_ICMPV6, CLIENT_V6, SERVER_V6, 128),
    ):
        with socket.socket(family, socket.SOCK_RAW, protocol) as sender:
            sender.bind((str(source), 0))
            checksum = (~((echo << 8) + 1 + 1) & 0xFFFF).to_bytes(2, "big")  # of ICMPv6 the kernel computes it
            sender.sendto(bytes((echo, 0)) + checksum + b"\0\1\0\1", (str(destination), 0))
    with ConntrackTable() as table:
        found = [
            (flow.original.icmp_type, flow.original.icmp_code, flow.original.source_port) for flow in table.flows()
        ]
    assert found == [(8, 0, 0), (128, 0, 0)]


ENDED: list[tuple[str, Address, set[int]]] = [
    ("the client's", CLIENT, {1000, 1001}),
    ("the server's, also behind NAT", SERVER, {1000, 1001, 53}),
    ("the service's, before NAT", SERVICE, {53}),
    ("an IPv6 server's", SERVER_V6, {2000}),
    ("nobody's", Address.parse("127.0.0.99"), set()),
]


@pytest.mark.parametrize(("address", "ended"), [case[1:] for case in ENDED], ids=[case[0] for case in ENDED])
@isolated
def test_the_flows_from_or_to_an_address_are_ended_and_no_others(address: Address, ended: set[int]) -> None:
    prepare()
    sockets = [
        send(CLIENT, SERVER, 1000),
        send(CLIENT, SERVER, 1001),
        send(OTHER, SERVICE, 53),
        send(CLIENT_V6, SERVER_V6, 2000),
    ]
    with ConntrackTable() as table:
        assert table.ended([address]) == len(ended)
        assert {flow.original.destination_port for flow in table.flows()} == {1000, 1001, 53, 2000} - ended
        assert table.ended([address]) == 0
    assert len(tracked()) == len(sockets) - len(ended)


@isolated
def test_an_established_connection_outlives_its_permission_until_its_flow_is_ended() -> None:
    prepare()
    with socket.create_server((str(SERVER), 0)) as listener, ConntrackTable() as table:
        port = listener.getsockname()[1]
        client = socket.create_connection((str(SERVER), port), source_address=(str(CLIENT), 0))
        server, _ = listener.accept()
        run("nft", f"add element inet test denied {{ {port} }}")
        client.send(b"still here")
        assert server.recv(100) == b"still here"
        assert table.ended([CLIENT]) == 1
        with pytest.raises(ConnectionResetError):
            _send_until_refused(client)


def _send_until_refused(client: socket.socket) -> None:
    client.settimeout(5)
    client.send(b"no more")
    client.recv(100)


@isolated
def test_flows_may_be_deleted_while_they_are_listed_and_a_listing_may_be_left() -> None:
    prepare()
    sockets = [send(CLIENT, SERVER, port) for port in range(1000, 1300)]
    with ConntrackTable() as table:
        listing = table.flows()
        first = next(listing)
        listing.close()
        for flow in table.flows():
            if flow.original.destination_port % 2:
                table.delete(flow)
        left = list(table.flows())
        assert len(left) == len(sockets) // 2
        table.delete(first)  # whether or not it has gone with the others
        table.delete(*left)
        table.delete(*left)
    assert tracked() == []
