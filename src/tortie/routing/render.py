"""A RouterIntent as BIRD 2 configuration text: one daemon, both families, deterministic byte for byte.

How routes travel, for each family (tables ``master4`` and ``master6``)::

    own blocks ── static blackhole ─┐                       ┌─► peers    own blocks whole; of pools, what is not beneath one
    kernel ────── learn ────────────┼──► master4/master6 ───┤
    interfaces ── direct ───────────┤                       └─► kernel   own blocks as black holes; what peers announced
    peers ─────── import all ───────┘

Learnt and direct routes are there to find next hops through: a host may sit on a routed fabric with nothing but a default
route, so a peer's address, the next hop of what it announces, is looked up recursively. They never go back to the kernel.

A workload's /32 or /128, programmed by the agent, is longer than its block's black hole and so wins; what no workload has
ends in the black hole instead of leaving by the default route and coming back. There is no ``persist``: when BIRD ends
normally its routes leave the kernel, as the peers drop theirs; when it is killed, both stay until the restart time is over.

Syntax: BIRD 2.0 User's Guide, chapters 3 (options), 5 (filters) and 6 (protocols).
"""

from __future__ import annotations

from collections.abc import Iterable

from tortie.net import Family, Network
from tortie.routing.intent import BGP_PORT, LogLevel, Peer, RouterIntent

_FAMILIES = (Family.V4, Family.V6)
_INDENT = "    "

ROUTE_PRIORITY = 1024
"""Kernel metric of the routes we program, as the agent's own and as Calico's."""

_LOCAL_PREF = 2147483647 - ROUTE_PRIORITY
"""A route's priority travels as its local preference, so that hosts running Calico weigh our routes as their own."""

_BIRD_RESTART_TIME_S = 120
"""BIRD's default ``graceful restart time``."""

_DEBUG = {LogLevel.TRACE: "all", LogLevel.DEBUG: "all", LogLevel.INFO: "{ states }"}


def render(intent: RouterIntent) -> str:
    """The configuration of *intent*, for ``bird -c``."""
    sections = [
        _options(intent),
        _PROTOCOLS,
        *(_kernel(family, intent) for family in _FAMILIES),
        *(_static(family, intent.blocks) for family in _FAMILIES),
        *(_export_function(family, intent) for family in _FAMILIES),
        _template(intent),
        *(_session(peer, intent) for peer in intent.peers),
    ]
    return "\n".join(sections)


def _options(intent: RouterIntent) -> str:
    # Recovery after a crash (bird -R) leaves the kernel's routes alone until all peers have told theirs. Past the restart
    # time the peers have dropped ours, so there is nothing left to wait for.
    recovery_s = max((_restart_time_s(peer) for peer in intent.peers), default=_BIRD_RESTART_TIME_S)
    return f"""\
# Written by tortie; changes made here are lost.
log stderr all;
timeformat base iso long ms;
timeformat log iso long ms;
timeformat protocol iso long ms;
timeformat route iso long ms;
router id {intent.router_id};
graceful restart wait {recovery_s};
debug protocols {_DEBUG.get(intent.log_level, "off")};
"""


_PROTOCOLS = """\
protocol device {
    scan time 2;
}

protocol direct {
    ipv4;
    ipv6;
    interface -"cali*", -"kube-ipvs*", "*";
}
"""


def _kernel(family: Family, intent: RouterIntent) -> str:
    by_agent = _each(intent.agent_pools, family, "if net ~ {} then reject; # an overlay: the agent programs these")
    return f"""\
filter to_kernel{family}
{{
{by_agent}    if source = RTS_BGP || source = RTS_STATIC then accept;
    reject;
}}

protocol kernel kernel{family} {{
    learn;
    scan time 2;
    metric {ROUTE_PRIORITY};
    graceful restart on;
    merge paths on;
    ipv{family} {{
        import all;
        export filter to_kernel{family};
    }};
}}
"""


def _static(family: Family, blocks: Iterable[Network]) -> str:
    # the block of a single address is that workload's own route: a black hole would only compete with it
    wide = (block for block in blocks if not block.is_host)
    return f"""\
protocol static blocks{family} {{
    ipv{family};
{_each(wide, family, "route {} blackhole;")}}}
"""


def _export_function(family: Family, intent: RouterIntent) -> str:
    """What peers are told; those of our own AS (*same_as*) never the agent's overlay routes, which every host makes for itself."""
    withheld = _each(intent.withheld_pools, family, "if net ~ {} then reject; # not to be announced")
    whole = _each(intent.blocks, family, "if net = {} then accept; # own block, whole")
    beneath = _each(intent.blocks, family, "if net ~ {} then reject; # beneath it")
    borrowed = _each(intent.pools, family, "if net ~ {} then accept; # borrowed from other hosts' blocks")
    return f"""\
function to_peer{family}(bool same_as)
{{
    if source = RTS_DEVICE || net.len = 0 then reject;
    if same_as && (ifname ~ "*.cali" || ifname ~ "*.calico" || ifname = "tunl0") then reject;
    if source != RTS_BGP then bgp_local_pref = {_LOCAL_PREF};
{withheld}{whole}{beneath}{borrowed}    reject;
}}
"""


def _template(intent: RouterIntent) -> str:
    timers = intent.timers
    return f"""\
template bgp session {{
    multihop;
    graceful restart on;
    connect delay time {timers.connect_delay_s};
    connect retry time {timers.connect_retry_s};
    error wait time {timers.error_wait_min_s}, {timers.error_wait_max_s};
}}
"""


def _session(peer: Peer, intent: RouterIntent) -> str:
    family = peer.address.family
    same_as = "true" if peer.as_number == intent.local_as else "false"
    return f"""\
protocol bgp {peer.name} from session {{
    local {intent.address(family)}{_port(intent.listen_port)} as {intent.local_as};
    neighbor {peer.address}{_port(peer.port)} as {peer.as_number};
{_session_options(peer)}    ipv{family} {{
        gateway recursive;
        add paths on;
        import all;
        export filter {{ to_peer{family}({same_as}); }};
    }};
}}
"""


def _session_options(peer: Peer) -> str:
    passive = ["passive on"] if peer.passive else []
    restart = [] if peer.restart_time_s is None else [f"graceful restart time {peer.restart_time_s}"]
    return "".join(f"{_INDENT}{option};\n" for option in passive + restart)


def _restart_time_s(peer: Peer) -> int:
    return _BIRD_RESTART_TIME_S if peer.restart_time_s is None else peer.restart_time_s


def _port(port: int) -> str:
    return "" if port == BGP_PORT else f" port {port}"


def _each(networks: Iterable[Network], family: Family, form: str) -> str:
    """One line a network of *family*, *form* with the network in it."""
    return "".join(f"{_INDENT}{form.format(network)}\n" for network in networks if network.family is family)
