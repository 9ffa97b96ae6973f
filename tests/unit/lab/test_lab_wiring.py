"""Links, addresses and routes, as lines for ip."""

from __future__ import annotations

from tortie.lab import wiring
from tortie.lab.layout import hosts
from tortie.net import MAC, Address


def test_a_workload_sends_everything_to_its_host() -> None:
    assert wiring.workload_lines((Address.parse("10.65.0.1"), Address.parse("fd00:65::1"))) == (
        "link set lo up",
        "address add 10.65.0.1/32 dev eth0",
        "address add fd00:65::1/128 dev eth0",
        "link set eth0 up",
        "route add 169.254.1.1/32 dev eth0 scope link proto static",
        "route add default via 169.254.1.1 dev eth0 proto static",
        "route add default via fe80::ecee:eeff:feee:eeee dev eth0 proto static",
    )


def test_the_ipv6_gateway_is_the_link_local_address_of_the_host_s_mac() -> None:
    first, *rest = wiring.HOST_END_MAC.packed
    interface_id = bytes([first ^ 0x02, *rest[:2], 0xFF, 0xFE, *rest[2:]])
    assert Address(bytes.fromhex("fe80000000000000") + interface_id) == Address.parse(wiring.WORKLOAD_GATEWAY_V6)


def test_a_workload_s_mac_is_stable_unicast_and_locally_administered() -> None:
    mac = wiring.workload_mac("cali0123456789a")
    assert mac == wiring.workload_mac("cali0123456789a")
    assert mac != wiring.workload_mac("cali0123456789b")
    for number in range(300):
        first = wiring.workload_mac(f"cali{number:011x}").packed[0]
        assert first & 0x03 == 0x02


def test_the_host_s_end_gets_the_same_mac_on_every_link() -> None:
    line, _ = wiring.workload_link_lines("cali0123456789a", "stars.frontend", MAC.parse("02:00:00:00:00:01"))
    assert line == (
        "link add cali0123456789a address ee:ee:ee:ee:ee:ee"
        " type veth peer name eth0 address 02:00:00:00:00:01 netns stars.frontend"
    )


def test_the_fabric_has_one_link_and_one_route_of_each_family_for_every_host() -> None:
    lines = wiring.fabric_lines(hosts(3))
    assert [line.split()[2] for line in lines if line.startswith("link add")] == ["host1", "host2", "host3"]
    assert "address replace 169.254.0.1 peer 172.30.0.2/32 dev host2 scope link" in lines
    assert "route replace fd00:30::2/128 via fe80::2 dev host2 proto static" in lines
    assert not any("bridge" in line for line in lines)
