"""BIRD's control replies as values: four-digit codes, continued lines, and the tables behind them.

A reply is lines until one whose code is followed by a space (``doc/reply_codes`` of BIRD 2.0)::

    1000-BIRD 2.0.12                      more lines follow
    1011-Router ID is 172.30.0.1
     Hostname is host-1                   a continuation, of the same code as the line above
    0013 Daemon is up and running         the last line

Codes below 8000 tell of success, from 8000 on of a failure while running a command, from 9000 on of a bad command.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from enum import StrEnum
from typing import NamedTuple

WELCOME = 1
PROTOCOL = 1002
PROTOCOL_DETAILS = 1006
_VERSION = 1000
_UPTIME = 1011
_STATUS = 13
_TABLE_ROUTES = 1007
_FIRST_ERROR = 8000

_CODED = re.compile(r"([0-9]{4})([ -])(.*)")


class ReplyError(ValueError):
    """A reply that this BIRD should not have given; the text quotes it."""


class ReplyLine(NamedTuple):
    code: int
    text: str


class Reply(NamedTuple):
    """A whole reply. Its ``code`` is that of the last line, which says how the command ended."""

    lines: tuple[ReplyLine, ...]

    @property
    def code(self) -> int:
        return self.lines[-1].code

    @property
    def is_error(self) -> bool:
        return self.code >= _FIRST_ERROR

    @property
    def message(self) -> str:
        """What the last line says."""
        return self.lines[-1].text

    def texts(self, code: int) -> tuple[str, ...]:
        """The lines of *code*, in order."""
        return tuple(line.text for line in self.lines if line.code == code)


def ends_reply(line: str) -> bool:
    """Whether *line*, without its line end, is the last of a reply."""
    found = _CODED.fullmatch(line)
    return found is not None and found[2] == " "


def parse_reply(lines: Sequence[str]) -> Reply:
    """The reply that *lines*, without their line ends, make up; ReplyError if they do not."""
    parsed: list[ReplyLine] = []
    for line in lines:
        if found := _CODED.fullmatch(line):
            parsed.append(ReplyLine(int(found[1]), found[3].rstrip()))
        elif line.startswith(" ") and parsed:
            parsed.append(ReplyLine(parsed[-1].code, line[1:].rstrip()))
        else:
            raise ReplyError(f"{line!r} is not a line of a BIRD reply")
    if not parsed or not ends_reply(lines[-1]):
        raise ReplyError(f"the reply is cut off after {lines[-1:]!r}")
    return Reply(tuple(parsed))


# --- show status -------------------------------------------------------------------------------------------------------------


class Status(NamedTuple):
    """The answer to ``show status``. Times are BIRD's text, ``2026-01-31 10:00:00.000`` with our configuration."""

    version: str
    router_id: str
    last_reboot: str
    last_reconfiguration: str
    state: str
    """``Daemon is up and running``, or what it is busy with."""


def parse_status(reply: Reply) -> Status:
    """Read the reply to ``show status``; ReplyError names what is missing."""

    def after(prefix: str, code: int = _UPTIME) -> str:
        for text in reply.texts(code):
            if text.startswith(prefix):
                return text.removeprefix(prefix)
        raise ReplyError(f"show status has no line that begins with {prefix!r}")

    if reply.code != _STATUS:
        raise ReplyError(f"show status ended with {reply.code:04} {reply.message}")
    return Status(
        version=after("BIRD ", _VERSION),
        router_id=after("Router ID is "),
        last_reboot=after("Last reboot on "),
        last_reconfiguration=after("Last reconfiguration on "),
        state=reply.message,
    )


# --- show protocols [all] ----------------------------------------------------------------------------------------------------


class BGPState(StrEnum):
    """A session's state: RFC 4271 §8.2.2, and three of BIRD's own."""

    IDLE = "Idle"
    CONNECT = "Connect"
    ACTIVE = "Active"
    OPEN_SENT = "OpenSent"
    OPEN_CONFIRM = "OpenConfirm"
    ESTABLISHED = "Established"
    CLOSE = "Close"
    PASSIVE = "Passive"
    DOWN = "Down"


class ChannelRoutes(NamedTuple):
    """The routes of one channel: taken in, sent out, and best of those taken in."""

    channel: str
    """``ipv4`` or ``ipv6``."""
    imported: int
    exported: int
    preferred: int


class ProtocolStatus(NamedTuple):
    """One line of ``show protocols``, with what ``all`` adds to it."""

    name: str
    proto: str
    """``BGP``, ``Kernel``, ``Static``, …"""
    table: str
    """Empty for a protocol of several tables or none."""
    state: str
    """``up``, ``start``, ``stop``, ``down``, …"""
    since: str
    info: str
    """A BGP session's state and, after an error, the error."""
    neighbor: str = ""
    """The peer's address; only with ``all``, as the following."""
    neighbor_as: int = 0
    routes: tuple[ChannelRoutes, ...] = ()

    @property
    def bgp_state(self) -> BGPState | None:
        """The state of a BGP session, None for another protocol."""
        if self.proto != "BGP":
            return None
        first = self.info.partition(" ")[0]
        return BGPState(first) if first in BGPState._value2member_map_ else BGPState.DOWN


_PROTOCOL_LINE = re.compile(
    r"(?P<name>\S+) +(?P<proto>\S+) +(?P<table>\S+) +(?P<state>\S+) +"
    r"(?P<since>[0-9-]+ [0-9:.]+|[0-9:.-]+)(?: +(?P<info>.*))?"
)
_NEIGHBOR = re.compile(r" +Neighbor address: (\S+)")
_NEIGHBOR_AS = re.compile(r" +Neighbor AS: +([0-9]+)")
_CHANNEL = re.compile(r" +Channel (\S+)")
_ROUTES = re.compile(r" +Routes: +(?=.*imported).*")
_COUNT = re.compile(r"([0-9]+) (imported|exported|preferred)")


def parse_protocols(reply: Reply) -> tuple[ProtocolStatus, ...]:
    """Read the reply to ``show protocols`` or ``show protocols all``, in BIRD's order."""
    if reply.is_error:
        raise ReplyError(f"show protocols ended with {reply.code:04} {reply.message}")
    protocols: list[ProtocolStatus] = []
    details: list[list[str]] = []
    for line in reply.lines:
        if line.code == PROTOCOL:
            protocols.append(_parse_protocol(line.text))
            details.append([])
        elif line.code == PROTOCOL_DETAILS and details:
            details[-1].append(line.text)
    return tuple(_with_details(protocol, lines) for protocol, lines in zip(protocols, details, strict=True))


def _parse_protocol(text: str) -> ProtocolStatus:
    found = _PROTOCOL_LINE.fullmatch(text)
    if found is None:
        raise ReplyError(f"{text!r} is not a line of show protocols")
    table = "" if found["table"] == "---" else found["table"]
    return ProtocolStatus(
        found["name"], found["proto"], table, found["state"], found["since"], (found["info"] or "").strip()
    )


def _with_details(protocol: ProtocolStatus, lines: Sequence[str]) -> ProtocolStatus:
    channel = ""
    routes: list[ChannelRoutes] = []
    for line in lines:
        if found := _CHANNEL.fullmatch(line):
            channel = found[1]
        elif found := _NEIGHBOR.fullmatch(line):
            protocol = protocol._replace(neighbor=found[1])
        elif found := _NEIGHBOR_AS.fullmatch(line):
            protocol = protocol._replace(neighbor_as=int(found[1]))
        elif _ROUTES.fullmatch(line):
            counts = {name: int(number) for number, name in _COUNT.findall(line)}
            routes.append(ChannelRoutes(channel, *(counts.get(name, 0) for name in ChannelRoutes._fields[1:])))
    return protocol._replace(routes=tuple(routes))


# --- show route count --------------------------------------------------------------------------------------------------------


class RouteCount(NamedTuple):
    """How many routes, for how many networks, one table holds."""

    table: str
    routes: int
    networks: int


_TABLE_COUNT = re.compile(r"[0-9]+ of ([0-9]+) routes for ([0-9]+) networks in table (\S+)")


def parse_route_count(reply: Reply) -> tuple[RouteCount, ...]:
    """Read the reply to ``show route count``, a value for each table."""
    if reply.is_error:
        raise ReplyError(f"show route count ended with {reply.code:04} {reply.message}")
    found = (_TABLE_COUNT.fullmatch(text) for text in reply.texts(_TABLE_ROUTES))
    return tuple(RouteCount(match[3], int(match[1]), int(match[2])) for match in found if match)
