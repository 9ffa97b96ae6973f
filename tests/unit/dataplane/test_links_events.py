"""What a link table tells of the frames it is given."""

from __future__ import annotations

import struct

from hypothesis import given
from hypothesis import strategies as st

from tortie.dataplane.link_state import AddressesChanged, LinkChanged, LinkEvent, LinkGone, LinkTable
from tortie.dataplane.netlink import rtnetlink
from tortie.dataplane.netlink.message import Frame, attribute, text
from tortie.dataplane.netlink.rtnetlink import InterfaceAddress, Link
from tortie.net import Address


def link_frame(name: str, ifindex: int, *, up: bool = False, gone: bool = False, family: int = 0) -> Frame:
    kind = rtnetlink.RTM_DELLINK if gone else rtnetlink.RTM_NEWLINK
    header = struct.pack("=BxHiII", family, 1, ifindex, int(up), 0)
    return Frame(kind, 0, 0, header + text(rtnetlink.IFLA_IFNAME, name))


def address_frame(ifindex: int, address: str, *, gone: bool = False) -> Frame:
    packed = Address.parse(address).packed
    header = struct.pack("=BBBBi", 2 if len(packed) == 4 else 10, 24, 0, 0, ifindex)
    kind = rtnetlink.RTM_DELADDR if gone else rtnetlink.RTM_NEWADDR
    return Frame(kind, 0, 0, header + attribute(rtnetlink.IFA_ADDRESS, packed))


def link(name: str, ifindex: int, *, up: bool = False) -> Link:
    return Link(name=name, ifindex=ifindex, up=up)


def on(ifindex: int, address: str) -> InterfaceAddress:
    return InterfaceAddress(ifindex=ifindex, address=Address.parse(address), prefix_len=24)


def told(table: LinkTable, *frames: Frame) -> list[LinkEvent]:
    return [event for frame in frames for event in table.note(frame)]


def test_a_change_is_told_once() -> None:
    table = LinkTable()
    events = told(table, link_frame("a", 2), link_frame("a", 2), link_frame("a", 2, up=True))
    assert events == [LinkChanged(link=link("a", 2)), LinkChanged(link=link("a", 2, up=True))]


def test_addresses_are_told_all_together_and_sorted() -> None:
    table = LinkTable()
    events = told(
        table,
        link_frame("a", 2),
        address_frame(2, "fd00::1"),
        address_frame(2, "10.0.0.1"),
        address_frame(2, "10.0.0.1"),
        address_frame(2, "fd00::1", gone=True),
    )
    both = (on(2, "10.0.0.1"), on(2, "fd00::1"))
    assert events[1:] == [
        AddressesChanged(name="a", ifindex=2, addresses=(on(2, "fd00::1"),)),
        AddressesChanged(name="a", ifindex=2, addresses=both),
        AddressesChanged(name="a", ifindex=2, addresses=both[:1]),
    ]


def test_a_link_that_is_gone_takes_its_addresses_along() -> None:
    table = LinkTable()
    told(table, link_frame("a", 2), address_frame(2, "10.0.0.1"))
    gone = told(table, link_frame("a", 2, gone=True), address_frame(2, "10.0.0.1", gone=True))
    assert gone == [LinkGone(name="a", ifindex=2)]
    assert told(table, link_frame("a", 2)) == [LinkChanged(link=link("a", 2))]


def test_a_renamed_link_is_gone_under_its_old_name() -> None:
    table = LinkTable()
    events = told(table, link_frame("a", 2), link_frame("b", 2))
    assert events[1:] == [LinkGone(name="a", ifindex=2), LinkChanged(link=link("b", 2))]


def test_a_bridge_s_word_about_its_port_is_not_about_the_link() -> None:
    table = LinkTable()
    assert told(table, link_frame("a", 2), link_frame("a", 2, gone=True, family=7))[1:] == []
    assert list(table.links) == [2]


def test_what_is_not_about_links_or_not_known_is_passed_over() -> None:
    table = LinkTable()
    assert told(table, Frame(24, 0, 0, bytes(12)), address_frame(9, "10.0.0.1"), link_frame("a", 2, gone=True)) == []


def test_a_listing_tells_the_differences_only() -> None:
    table = LinkTable()
    told(table, link_frame("gone", 2), link_frame("same", 3), link_frame("goes-up", 4), address_frame(3, "10.0.0.1"))
    events = list(
        table.replace(
            [link_frame("new", 5), link_frame("goes-up", 4, up=True), link_frame("same", 3)],
            [address_frame(4, "10.0.0.2"), address_frame(99, "10.0.0.3")],
        )
    )
    assert events == [
        LinkGone(name="gone", ifindex=2),
        AddressesChanged(name="same", ifindex=3, addresses=()),
        LinkChanged(link=link("goes-up", 4, up=True)),
        AddressesChanged(name="goes-up", ifindex=4, addresses=(on(4, "10.0.0.2"),)),
        LinkChanged(link=link("new", 5)),
    ]


def test_links_that_swapped_their_names_are_told_to_be_gone_before_they_are_told_anew() -> None:
    table = LinkTable()
    told(table, link_frame("a", 2), link_frame("b", 3))
    assert list(table.replace([link_frame("b", 2), link_frame("a", 3)], [])) == [
        LinkGone(name="a", ifindex=2),
        LinkGone(name="b", ifindex=3),
        LinkChanged(link=link("b", 2)),
        LinkChanged(link=link("a", 3)),
    ]


def test_a_renamed_link_tells_its_addresses_again_under_its_new_name() -> None:
    table = LinkTable()
    told(table, link_frame("a", 2), address_frame(2, "10.0.0.1"))
    events = told(table, link_frame("b", 2))
    assert [type(event) for event in events] == [LinkGone, LinkChanged, AddressesChanged]
    assert heard([LinkChanged(link=link("a", 2)), *events])[1][2][0].address == Address.parse("10.0.0.1")


notifications = st.one_of(
    st.builds(link_frame, st.sampled_from("ab"), st.integers(1, 2), up=st.booleans(), gone=st.booleans()),
    st.builds(address_frame, st.integers(1, 2), st.sampled_from(["10.0.0.1", "fd00::1"]), gone=st.booleans()),
)


def heard(events: list[LinkEvent]) -> tuple[dict[int, Link], dict[int, tuple[InterfaceAddress, ...]]]:
    """What somebody knows who has only the events."""
    links: dict[int, Link] = {}
    addresses: dict[int, tuple[InterfaceAddress, ...]] = {}
    for event in events:
        match event:
            case LinkChanged():
                links[event.link.ifindex] = event.link
            case LinkGone():
                links.pop(event.ifindex)
                addresses.pop(event.ifindex, None)
            case AddressesChanged():
                addresses[event.ifindex] = event.addresses
    return links, {ifindex: found for ifindex, found in addresses.items() if found}


@given(st.lists(notifications), st.lists(notifications))
def test_whoever_follows_the_events_knows_what_a_newcomer_is_told(before: list[Frame], after: list[Frame]) -> None:
    """A table with a past that is given a listing tells the same as an empty one that is."""
    links = [frame for frame in after if frame.type == rtnetlink.RTM_NEWLINK]
    addresses = [frame for frame in after if frame.type == rtnetlink.RTM_NEWADDR]
    old, new = LinkTable(), LinkTable()
    events = told(old, *before) + list(old.replace(links, addresses))
    assert heard(events) == heard(list(new.replace(links, addresses)))
