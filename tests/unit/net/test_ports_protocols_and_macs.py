"""The scalars of rules and links: ports, protocols, Ethernet addresses."""

import pytest

from tortie.net import MAC, SCTP, TCP, UDP, UDPLITE, Port, Protocol


@pytest.mark.parametrize(
    ("written", "port", "builtin"),
    [
        (80, Port(80), 80),
        ("80", Port(80), 80),
        ("080", Port(80), 80),
        ("0" * 5000 + "80", Port(80), 80),
        ("8000:8080", Port(8000, 8080), "8000:8080"),
        ("22:22", Port(22), 22),
        ("http", Port(name="http"), "http"),
        ("8080-tcp", Port(name="8080-tcp"), "8080-tcp"),
        (0, Port(0), 0),
    ],
)
def test_a_port_is_a_number_a_range_or_a_name(written, port, builtin):
    assert Port.parse(written) == port
    assert port.to_builtin() == builtin
    assert Port.parse(port.to_builtin()) == port


@pytest.mark.parametrize(
    "written", [65536, -1, "2:1", "1:65536", "", "a b", "http!", "x" * 129, "1:2:3", "9" * 5000, "1:" + "9" * 5000]
)
def test_what_is_no_port_is_refused(written):
    with pytest.raises(ValueError, match="a port number 0-65535, a range such as 8000:8080, or a port's name"):
        Port.parse(written)


def test_a_name_covers_no_number():
    assert Port(80, 90).contains(85)
    assert not Port(80, 90).contains(91)
    assert not Port(name="http").contains(0)


@pytest.mark.parametrize(
    ("written", "protocol", "text", "builtin"),
    [
        ("tcp", TCP, "TCP", "TCP"),
        ("Udp", UDP, "UDP", "UDP"),
        (6, TCP, "TCP", "TCP"),
        ("132", SCTP, "SCTP", "SCTP"),
        ("UDPLite", UDPLITE, "UDPLite", "UDPLite"),
        (89, Protocol(89), "89", 89),
        ("icmpv6", Protocol(58), "ICMPv6", "ICMPv6"),
    ],
)
def test_a_protocol_is_one_number_however_it_is_written(written, protocol, text, builtin):
    assert Protocol.parse(written) == protocol
    assert str(protocol) == text
    assert protocol.to_builtin() == builtin


@pytest.mark.parametrize("written", ["tcpp", "", "-1", 256, "256", "9" * 5000])
def test_what_is_no_protocol_is_refused(written):
    with pytest.raises(ValueError, match="is not a protocol: one of ICMP, TCP"):
        Protocol.parse(written)


def test_udplite_has_no_ports_for_rules():
    assert [protocol.has_ports for protocol in (TCP, UDP, SCTP, UDPLITE)] == [True, True, True, False]


def test_scalars_sort():
    assert sorted([Port(name="a"), Port(90), Port(80, 81), Port(80)]) == [
        Port(80),
        Port(80, 81),
        Port(90),
        Port(name="a"),
    ]
    assert sorted([UDP, TCP]) == [TCP, UDP]


def test_a_mac_is_printed_in_small_letters():
    assert str(MAC.parse("EE:ee:00:01:02:fF")) == "ee:ee:00:01:02:ff"
    assert MAC.parse("ee:ee:ee:ee:ee:ee") == MAC(b"\xee" * 6)


@pytest.mark.parametrize("text", ["ee:ee:ee:ee:ee", "ee-ee-ee-ee-ee-ee", "eeeeeeeeeeee", "ge:ee:ee:ee:ee:ee"])
def test_what_is_no_mac_is_refused(text):
    with pytest.raises(ValueError, match="is not a MAC address such as"):
        MAC.parse(text)
