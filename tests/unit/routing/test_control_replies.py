from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tortie.routing import (
    BGPState,
    ChannelRoutes,
    Reply,
    ReplyError,
    RouteCount,
    Status,
    ends_reply,
    parse_protocols,
    parse_reply,
    parse_route_count,
    parse_status,
)

STATUS = """\
1000-BIRD 2.0.12
1011-Router ID is 172.30.0.1
 Hostname is host-1
 Current server time is 2026-01-31 10:00:09.657
 Last reboot on 2026-01-31 10:00:07.080
 Last reconfiguration on 2026-01-31 10:00:08.080
0013 Daemon is up and running"""

PROTOCOLS = """\
2002-Name       Proto      Table      State  Since         Info
1002-device1    Device     ---        up     2026-01-31 10:00:07.080  
 kernel4    Kernel     master4    up     10:00:07.080  
 Mesh_172_30_0_2 BGP        ---        up     2026-01-31 10:00:08.123  Established   
 Mesh_fd00__2 BGP        ---        start  2026-01-31  Active        Socket: Connection refused
0000 """  # noqa: W291 - BIRD's own

DETAILS = """\
2002-Name       Proto      Table      State  Since         Info
1002-Mesh_172_30_0_2 BGP        ---        up     2026-01-31 10:00:08.123  Established   
1006-  BGP state:          Established
     Neighbor address: 172.30.0.2
     Neighbor AS:      64513
     Local AS:         64512
     Neighbor ID:      172.30.0.2
   Channel ipv4
     State:          UP
     Routes:         3 imported, 2 exported, 1 preferred
     Route change stats:     received   rejected   filtered    ignored   accepted
       Import updates:              1          0          0          0          1
   Channel ipv6
     State:          UP
     Routes:         6 imported, 1 filtered, 5 exported, 4 preferred
 
1002-device1    Device     ---        up     2026-01-31 10:00:07.080  
1006-
0000 """  # noqa: W291, W293 - BIRD's own


def reply(text: str) -> Reply:
    return parse_reply(text.splitlines())


@pytest.mark.parametrize(
    ("line", "ends"),
    [
        ("0000 ", True),
        ("0013 Daemon is up", True),
        ("1000-BIRD", False),
        (" 0013 text", False),
        ("+text", False),
        ("", False),
    ],
)
def test_a_code_followed_by_a_space_ends_a_reply(line: str, ends: bool) -> None:
    assert ends_reply(line) is ends


def test_a_continued_line_has_the_code_of_the_one_above() -> None:
    assert reply(STATUS).texts(1011)[:2] == ("Router ID is 172.30.0.1", "Hostname is host-1")


@pytest.mark.parametrize(
    ("last", "is_error"),
    [("0003 Reconfigured", False), ("8002 bird.conf:3:1 syntax error", True), ("9001 syntax error", True)],
)
def test_the_last_line_says_how_a_command_ended(last: str, is_error: bool) -> None:
    answer = reply(f"0002-Reading configuration from bird.conf\n{last}")
    assert (answer.is_error, answer.message) == (is_error, last[5:])


@pytest.mark.parametrize(
    "lines", [[], ["1000-BIRD 2.0.12"], [" continuation", "0000 "], ["HTTP/1.1 400 Bad Request"]], ids=str
)
def test_what_is_no_whole_reply_is_refused(lines: list[str]) -> None:
    with pytest.raises(ReplyError):
        parse_reply(lines)


def test_status_is_read() -> None:
    assert parse_status(reply(STATUS)) == Status(
        version="2.0.12",
        router_id="172.30.0.1",
        last_reboot="2026-01-31 10:00:07.080",
        last_reconfiguration="2026-01-31 10:00:08.080",
        state="Daemon is up and running",
    )


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (STATUS.replace("Router ID is", "Router is"), "Router ID is"),
        ("9001 syntax error", "ended with 9001 syntax error"),
    ],
    ids=["line missing", "refused"],
)
def test_a_status_that_lacks_something_is_refused_by_name(text: str, says: str) -> None:
    with pytest.raises(ReplyError, match=says):
        parse_status(reply(text))


def test_protocols_are_read_with_and_without_state_and_info() -> None:
    protocols = parse_protocols(reply(PROTOCOLS))
    assert [(p.name, p.proto, p.table, p.state, p.since, p.bgp_state) for p in protocols] == [
        ("device1", "Device", "", "up", "2026-01-31 10:00:07.080", None),
        ("kernel4", "Kernel", "master4", "up", "10:00:07.080", None),
        ("Mesh_172_30_0_2", "BGP", "", "up", "2026-01-31 10:00:08.123", BGPState.ESTABLISHED),
        ("Mesh_fd00__2", "BGP", "", "start", "2026-01-31", BGPState.ACTIVE),
    ]
    assert protocols[3].info == "Active        Socket: Connection refused"


def test_details_tell_the_neighbor_and_the_routes_of_each_channel() -> None:
    session, device = parse_protocols(reply(DETAILS))
    assert (session.neighbor, session.neighbor_as) == ("172.30.0.2", 64513)
    assert session.routes == (ChannelRoutes("ipv4", 3, 2, 1), ChannelRoutes("ipv6", 6, 5, 4))
    assert (device.neighbor, device.routes) == ("", ())


def test_a_session_without_a_known_state_is_down() -> None:
    [session] = parse_protocols(reply("1002-peer BGP --- down 10:00:00.000  \n0000 "))
    assert session.bgp_state is BGPState.DOWN


def test_a_protocol_line_of_another_form_is_refused() -> None:
    with pytest.raises(ReplyError, match="is not a line of show protocols"):
        parse_protocols(reply("1002-peer BGP\n0000 "))


def test_route_counts_are_read_for_each_table() -> None:
    text = """\
1007-2 of 5 routes for 4 networks in table master4
 0 of 0 routes for 0 networks in table master6
0014 Total: 2 of 5 routes for 4 networks in 2 tables"""
    assert parse_route_count(reply(text)) == (RouteCount("master4", 5, 4), RouteCount("master6", 0, 0))


FRAGMENTS = st.sampled_from(
    [*STATUS.splitlines(), *PROTOCOLS.splitlines(), *DETAILS.splitlines(), "1007-x", "0014 ", "", " "]
)


@given(st.lists(FRAGMENTS | st.text(st.characters(exclude_characters="\n"), max_size=30), max_size=12))
def test_whatever_is_read_is_a_value_or_a_reply_error(lines: list[str]) -> None:
    for parse in (parse_status, parse_protocols, parse_route_count):
        with contextlib.suppress(ReplyError):
            parse(parse_reply(lines))
