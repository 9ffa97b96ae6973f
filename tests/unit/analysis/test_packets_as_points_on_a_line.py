"""Regions of packets: sets whose equal values are equal, and what they are called."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tortie.analysis.reach import space
from tortie.analysis.reach.words import Words
from tortie.net import ICMP, ICMPV6, SCTP, TCP, UDP, UDPLITE, Family, Protocol

Packet = tuple[Protocol, int | None, tuple[int, int] | None]
BOTH = (Family.V4, Family.V6)
EDGES = st.integers(0, 40).map(lambda edge: edge * 64 + (edge % 3))
REGIONS = st.lists(st.tuples(EDGES, st.integers(1, 200)), max_size=5).map(
    lambda pairs: space.union_of((start, start + size) for start, size in pairs)
)


def points(region: space.Region) -> set[int]:
    return {at for start, end in zip(region[::2], region[1::2], strict=True) for at in range(start, end)}


@given(REGIONS, REGIONS)
def test_operations_are_those_of_sets(one: space.Region, other: space.Region) -> None:
    assert points(space.union(one, other)) == points(one) | points(other)
    assert points(space.intersection(one, other)) == points(one) & points(other)
    assert points(space.difference(one, other)) == points(one) - points(other)
    assert space.complement(space.complement(one)) == one
    assert all(space.contains(one, at) for at in points(one))
    assert not any(space.contains(one, at) for at in points(other) - points(one))


@given(REGIONS, REGIONS)
def test_equal_sets_are_equal_values(one: space.Region, other: space.Region) -> None:
    assert (one == other) is (points(one) == points(other))
    assert space.union(space.difference(one, other), space.intersection(one, other)) == one


@given(st.lists(REGIONS, max_size=5))
def test_a_partition_is_disjoint_whole_and_makes_up_every_region(regions: list[space.Region]) -> None:
    cut = space.Partition(regions)
    assert space.union_of(cut.parts) == space.EVERYTHING
    assert sum(end - start for part in cut.parts for start, end in zip(part[::2], part[1::2], strict=True)) == 1 << 25
    for region in regions:
        assert space.union_of(cut.parts[part] for part in cut.parts_of[region]) == region


@pytest.mark.parametrize(
    ("region", "is_within", "is_beside"),
    [
        (space.of_protocol(TCP, 80, 81), (TCP, 81, None), (TCP, 82, None)),
        (space.of_protocol(TCP), (TCP, 65535, None), (UDP, 0, None)),
        (space.of_protocol(UDPLITE), (UDPLITE, None, None), (SCTP, 1, None)),
        (space.of_icmp(8), (ICMP, None, (8, 255)), (ICMP, None, (9, 0))),
        (space.of_icmp(8, 1), (ICMP, None, (8, 1)), (ICMP, None, (8, 0))),
    ],
    ids=["ports", "protocol", "without ports", "ICMP type", "ICMP code"],
)
def test_packets_are_where_they_belong(region: space.Region, is_within: Packet, is_beside: Packet) -> None:
    assert space.contains(region, space.point(Family.V4, *is_within))
    assert not space.contains(region, space.point(Family.V4, *is_beside))


def test_icmp_is_of_its_own_family_alone() -> None:
    assert space.contains(space.of_icmp(), space.point(Family.V6, ICMPV6, None, (128, 0)))
    assert not space.contains(space.of_icmp(), space.point(Family.V6, ICMP, None, None))
    assert not space.contains(space.of_icmp(), space.point(Family.V4, ICMPV6, None, None))


# --- in words ---------------------------------------------------------------------------------------------------------------

NEVER = space.union_of((space.of_protocol(Protocol(4)), space.of_protocol(UDP, 4789, 4789)))
WITHOUT_TCP = space.difference(space.EVERYTHING, space.of_protocol(TCP))


@pytest.mark.parametrize(
    ("region", "words"),
    [
        (space.NOTHING, ()),
        (space.EVERYTHING, ("all",)),
        (space.difference(space.EVERYTHING, NEVER), ("all",)),
        (space.of_protocol(TCP, 80, 80), ("TCP 80",)),
        (space.of_ports((TCP, UDP), [(53, 53), (8000, 8080)]), ("TCP 53,8000-8080", "UDP 53,8000-8080")),
        (space.difference(space.of_protocol(UDP), NEVER), ("UDP",)),
        (space.of_protocol(UDP, 1024), ("UDP 1024-65535",)),
        (WITHOUT_TCP, ("UDP", "SCTP", "ICMP", "other protocols", "ICMPv6")),
        (space.of_protocol(Protocol(47)), ("protocol 47",)),
        (space.intersection(space.of_protocol(TCP, 80, 80), space.OF_FAMILY[Family.V6]), ("TCP 80 (IPv6)",)),
        (space.of_icmp(8), ("ICMP type 8", "ICMPv6 type 8")),
        (space.of_icmp(3, 1), ("ICMP type 3/1", "ICMPv6 type 3/1")),
    ],
)
def test_regions_are_called_by_protocols_and_ports(region: space.Region, words: tuple[str, ...]) -> None:
    assert Words(NEVER).describe(region, BOTH) == words


def test_of_one_family_nothing_is_said_where_there_is_no_other() -> None:
    only_v4 = space.intersection(space.of_protocol(TCP, 80, 80), space.OF_FAMILY[Family.V4])
    assert Words(NEVER).describe(only_v4, (Family.V4,)) == ("TCP 80",)
    assert Words(NEVER).describe(only_v4, (Family.V6,)) == ()
