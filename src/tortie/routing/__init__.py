"""BGP: from the cluster's resources to BIRD 2 configuration text, and from BIRD's control replies back to values.

    resources -> resolve -> RouterIntent -> render -> text          (written and applied by tortie.bird)
    lines of the control socket -> parse_reply -> Reply -> Status, ProtocolStatus, RouteCount

``RouterIntent`` says what one router has to do, in BGP's words; it knows neither Calico's kinds nor BIRD's syntax.
"""

from tortie.routing.fabric import fabric_intent
from tortie.routing.intent import LogLevel, Peer, PeerKind, RouterIntent, SessionTimers
from tortie.routing.render import render
from tortie.routing.replies import (
    BGPState,
    ChannelRoutes,
    ProtocolStatus,
    Reply,
    ReplyError,
    ReplyLine,
    RouteCount,
    Status,
    ends_reply,
    parse_protocols,
    parse_reply,
    parse_route_count,
    parse_status,
)
from tortie.routing.resolve import resolve

__all__ = [
    "BGPState",
    "ChannelRoutes",
    "LogLevel",
    "Peer",
    "PeerKind",
    "ProtocolStatus",
    "Reply",
    "ReplyError",
    "ReplyLine",
    "RouteCount",
    "RouterIntent",
    "SessionTimers",
    "Status",
    "ends_reply",
    "fabric_intent",
    "parse_protocols",
    "parse_reply",
    "parse_route_count",
    "parse_status",
    "render",
    "resolve",
]
