"""What an end may be called, and whom that means."""

from __future__ import annotations

import pytest
from cluster_documents import calico, node, pod

from tortie.analysis.cluster import cluster_of
from tortie.analysis.ends import EPHEMERAL_PORT, Directory, Question, UnknownEndError, lacks_address
from tortie.net import ICMP, ICMPV6, TCP, UDPLITE, Address, Family, Protocol
from tortie.verdict import EndpointRef, HostRef

CLUSTER = cluster_of(
    [
        pod("shop/web", ["10.0.0.1", "fd00::1"], node="one"),
        pod("shop/db", "10.0.0.2", node="one"),
        pod("shop/v6", "fd00::6", node="one"),
        pod("shop/new", node="one"),
        pod("shop/agent", node="one", hostNetwork=True),
        node("one", "192.0.2.1/24"),
        calico("HostEndpoint", "two-eth0", node="two", interfaceName="eth0", expectedIPs=["192.0.2.2"]),
        calico("HostEndpoint", "three-eth0", node="three", interfaceName="eth0"),
    ]
)
DIRECTORY = Directory(CLUSTER)
V4, V6 = Family.V4, Family.V6


def ref(name: str, address: str) -> EndpointRef:
    return EndpointRef("shop", f"one-k8s-{name}-eth0", Address.parse(address))


def host(name: str, address: str) -> HostRef:
    return HostRef(name, Address.parse(address))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("shop/web", {V4: ref("web", "10.0.0.1"), V6: ref("web", "fd00::1")}),
        ("shop/one-k8s-db-eth0", {V4: ref("db", "10.0.0.2")}),
        ("10.0.0.2", {V4: ref("db", "10.0.0.2")}),
        ("198.51.100.1", {V4: Address.parse("198.51.100.1")}),
        ("host:one", {V4: host("one", "192.0.2.1")}),
        ("192.0.2.1", {V4: host("one", "192.0.2.1")}),
        ("shop/agent", {V4: host("one", "192.0.2.1")}),
        ("host:two", {V4: host("two", "192.0.2.2")}),
        ("shop/new", {V4: ref("new", "0.0.0.0"), V6: ref("new", "::")}),
        ("host:three", {V4: host("three", "0.0.0.0"), V6: host("three", "::")}),
    ],
)  # fmt: skip
def test_an_end_is_found_by_its_name(text: str, expected: object) -> None:
    assert DIRECTORY.ends(text) == expected


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("shop/nobody", "there is no pod or other workload 'shop/nobody'"),
        ("host:nine", "there is no node 'nine'; known: one, three, two"),
        ("web", "'web' is no end; expected namespace/pod, host:NODE or an IP address"),
        ("10.0.0.0/8", "no pod"),
        ("", "is no end"),
    ],
)
def test_a_name_of_nobody_says_what_was_expected(text: str, message: str) -> None:
    with pytest.raises(UnknownEndError, match=message):
        DIRECTORY.ends(text)


def test_two_interfaces_of_one_workload_need_their_own_names() -> None:
    both = [
        calico("WorkloadEndpoint", f"shop/one-cni-c1-{name}", orchestrator="cni", node="one", containerID="c1", endpoint=name,
               workload="w", ipNetworks=[f"10.0.1.{number}/32"], interfaceName=f"cali{number}")
        for number, name in enumerate(("eth0", "eth1"))
    ]  # fmt: skip
    directory = Directory(cluster_of(both))
    with pytest.raises(UnknownEndError, match="2 endpoints are called 'shop/w'; give the name of one"):
        directory.ends("shop/w")
    assert V4 in directory.ends("shop/one-cni-c1-eth1")


def ask(source: str, destination: str, protocol: Protocol, port: int | None = None) -> Question:
    return Question(source=source, destination=destination, protocol=protocol, destination_port=port)


@pytest.mark.parametrize(
    ("question", "family"),
    [
        (ask("shop/web", "shop/db", TCP, 80), V4),
        (ask("shop/web", "shop/v6", TCP, 80), V6),
        (ask("shop/web", "shop/new", TCP, 80), V4),
        (ask("shop/new", "shop/v6", TCP, 80), V6),
        (ask("shop/web", "shop/new", ICMP), V4),
        (ask("shop/web", "shop/new", ICMPV6), V6),
    ],
)
def test_both_ends_are_of_one_family(question: Question, family: Family) -> None:
    assert DIRECTORY.flow(question).family is family


def test_a_source_port_that_nobody_says_is_a_clients() -> None:
    assert DIRECTORY.flow(ask("shop/web", "shop/db", TCP, 80)).source_port == EPHEMERAL_PORT
    assert DIRECTORY.flow(ask("shop/web", "shop/db", UDPLITE)).source_port is None


@pytest.mark.parametrize(
    ("question", "message"),
    [
        (ask("shop/db", "shop/v6", TCP, 80), "do not both have an IPv4 or IPv6 address"),
        (ask("shop/db", "10.9.9.9", ICMPV6), "do not both have an IPv6 address"),
        (ask("shop/web", "shop/db", TCP), "TCP needs a port"),
        (ask("shop/web", "shop/db", ICMP, 80), "ICMP has no ports"),
    ],
)
def test_a_question_that_makes_no_sense_is_refused(question: Question, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        DIRECTORY.flow(question)


def test_only_who_has_no_address_lacks_one() -> None:
    lacking = {
        text: lacks_address(DIRECTORY.ends(text)[V4])
        for text in ("shop/web", "shop/new", "host:one", "host:three", "1.1.1.1")
    }
    assert lacking == {"shop/web": False, "shop/new": True, "host:one": False, "host:three": True, "1.1.1.1": False}
