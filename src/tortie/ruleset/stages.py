"""The base chains: where in the kernel's path each kind of policy is asked.

    raw-pre        prerouting -300   clear our mark bits; sources that are not the workload's; untracked policy
    raw-out            output -300   clear our mark bits; untracked policy
    pre-dnat       prerouting -150   pre-DNAT policy
    fwd-1-host-in     forward   -4   a host endpoint's forward policy, coming in
    fwd-2-wl-from     forward   -3   a workload's egress policy
    fwd-3-wl-to       forward   -2   a workload's ingress policy
    fwd-4-host-out    forward   -1   a host endpoint's forward policy, going out
    inp-1-wl            input   -2   a workload to its own host
    inp-2-host          input   -1   a host endpoint, from the network to the host
    out-1-host         output   -1   a host endpoint, from the host to the network
    post-1-dnat   postrouting -150   the same, for packets whose destination was translated meanwhile

``accept`` ends only its own base chain, so each kind of policy has one, at a priority of its own (at equal priority the chain
that was registered last would run first). The conntrack rule comes first: a packet of a known connection costs one look at
its state. What is dispatched never comes back, for class chains end in a verdict; what is not in the map and yet looks like a
workload's link is dropped, which is what keeps a workload closed until its chains exist.

The stages of workloads always stand. One of host endpoints stands while an interface is judged there.

The accept bit tells a host endpoint's own stage that untracked or pre-DNAT policy has allowed the packet. Whoever else sets it
before is cleared away: in raw, and in mangle unless the packet is untracked. Where neither policy exists nobody asks for it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from collections.abc import Set as AbstractSet
from typing import NamedTuple

from tortie.calc.hoststate import Encapsulation
from tortie.net import ICMPV6, Family
from tortie.ruleset.limits import PACKET_RATES, packet_limit
from tortie.ruleset.marks import clear_bits, has_bit, lacks_bit, set_bit
from tortie.ruleset.options import EndpointToHostAction, Options
from tortie.ruleset.places import WORKLOAD_PLACES, Place
from tortie.ruleset.spoofing import SPOOFERS
from tortie.ruleset.tunnels import NO_TUNNELS, no_stranger_rules, tunnel_rules
from tortie.ruleset.values import (
    Accept,
    BaseChain,
    ChainReplace,
    CtState,
    CtStateMatch,
    DestinationNATMatch,
    Dispatch,
    Drop,
    Flush,
    Hook,
    ICMPTypeMatch,
    Interface,
    InterfaceMatch,
    InterfaceSetMatch,
    Jump,
    MapCreate,
    Match,
    ProtocolMatch,
    Rule,
    RulesetDelta,
    SetCreate,
    SetDeclaration,
    SetType,
    Side,
    SpoofedSourceMatch,
)

WORKLOADS = "wl"
"""The set of workloads' links that no configured prefix names; asked while it has a member."""

NEIGHBOUR_DISCOVERY = (130, 131, 132, 133, 135, 136)
"""ICMPv6 types that a workload needs from its host to have a route at all: listener query, report and done, router and
neighbour solicitation, neighbour advertisement."""

_KNOWN = Rule((CtStateMatch(frozenset({CtState.ESTABLISHED, CtState.RELATED})),), (Accept(),), "known connection")
LOOPBACK = "lo"
_UNTRACKED = CtStateMatch(frozenset({CtState.UNTRACKED}))


_WORKLOAD_MAPS = frozenset(place.map_name for place in WORKLOAD_PLACES)


class Presence(NamedTuple):
    """What the stages depend on."""

    judged: AbstractSet[Place] = frozenset()
    """The places where some interface is judged."""
    names: AbstractSet[str] = _WORKLOAD_MAPS
    """The maps and sets of limits that exist."""
    wildcards: Mapping[Place, str] = {}
    """The class of all interfaces that have no endpoint of their own."""
    tunnels: Encapsulation = NO_TUNNELS
    """How hosts send packets to each other that host endpoints let pass, and others may not send."""


def initial(options: Options) -> Flush:
    """What stands on a host whatever its endpoints: the empty maps, then the stages."""
    created: tuple[RulesetDelta, ...] = (
        SetCreate(SetDeclaration(WORKLOADS, None, SetType.INTERFACE), frozenset()),
        *(MapCreate(place.map_name) for place in WORKLOAD_PLACES),
    )
    return Flush(create=created, switch=tuple(stages(options, Presence()).values()), delete=())


def stages(options: Options, presence: Presence) -> dict[str, ChainReplace]:
    """The base chains that stand, by name."""
    return {chain.name: chain for chain in _Stages(options, presence).chains()}


class _Stages:
    """Writes the base chains for what is present."""

    def __init__(self, options: Options, presence: Presence) -> None:
        self._options = options
        self._marks = options.marks
        self._judged, self._names, self._wildcards, self._tunnels = presence

    def chains(self) -> Iterator[ChainReplace]:
        yield _stage("raw-pre", Hook.PREROUTING, -300, *self._raw_in())
        if self._judges(Place.UNTRACKED_OUT, Place.HOST_OUT):
            yield _stage("raw-out", Hook.OUTPUT, -300, self._clear(), *self._dispatch(Place.UNTRACKED_OUT))
        if self._judges(Place.PRE_DNAT):
            yield _stage("pre-dnat", Hook.PREROUTING, -150, *self._pre_dnat())
        if self._judges(Place.FORWARD_IN):
            yield _stage("fwd-1-host-in", Hook.FORWARD, -4, *self._forward_in())
        yield _stage("fwd-2-wl-from", Hook.FORWARD, -3, *self._workload(Place.WORKLOAD_EGRESS))
        yield _stage("fwd-3-wl-to", Hook.FORWARD, -2, *self._workload(Place.WORKLOAD_INGRESS))
        if self._judges(Place.FORWARD_OUT):
            yield _stage("fwd-4-host-out", Hook.FORWARD, -1, _KNOWN, *self._dispatch(Place.FORWARD_OUT))
        yield _stage("inp-1-wl", Hook.INPUT, -2, *self._to_host())
        if self._judges(Place.HOST_IN):
            yield _stage("inp-2-host", Hook.INPUT, -1, *self._host_in())
        if self._judges(Place.HOST_OUT):
            yield _stage("out-1-host", Hook.OUTPUT, -1, *self._host_out())
            yield _stage("post-1-dnat", Hook.POSTROUTING, -150, *self._host_out_after_nat())

    # --- parts --------------------------------------------------------------------------------------------------------------

    def _judges(self, *places: Place) -> bool:
        return not self._judged.isdisjoint(places)

    def _clear(self) -> Rule:
        return Rule((), (clear_bits(self._marks.mask),), "our mark bits")

    def _dispatch(self, place: Place) -> Iterator[Rule]:
        """To the class of the interface, or else to that of all others."""
        if place.map_name in self._names:
            yield Rule((), (Dispatch(place.interface, place.map_name),))
        if place in self._wildcards:
            yield Rule((), (Jump(self._wildcards[place]),), "all other interfaces")

    def _looks_like_workload(self, interface: Interface) -> list[Match]:
        return [InterfaceMatch(interface, name, prefix=True) for name in self._options.interface_prefixes]

    def _is_workload(self, interface: Interface) -> list[Match]:
        """A workload's link, or one that is called like those. Matches that no packet meets two of: the first costs a look-up."""
        others = [InterfaceSetMatch(interface, WORKLOADS)] if WORKLOADS in self._names else []
        return [*others, *self._looks_like_workload(interface)]

    def _leave_workloads(self, interface: Interface) -> list[Rule]:
        """Host endpoints have no say between a host and its workloads, even those that are not known yet."""
        return [Rule((match,), (Accept(),), "a workload's link") for match in self._is_workload(interface)]

    def _drop_unknown(self, interface: Interface) -> list[Rule]:
        return [
            Rule((match,), (Drop(),), "unknown workload interface") for match in self._looks_like_workload(interface)
        ]

    def _allowed_untracked(self, place: Place, *also: Match) -> list[Rule]:
        """Skip what untracked policy at *place* has allowed: what is untracked, or is as *also* tells.

        The bit alone says nothing, for other tables may have set it, and pre-DNAT policy does.
        """
        if not self._judges(place):
            return []
        accepted = has_bit(self._marks.accepted)
        return [Rule((state, accepted), (Accept(),), "allowed untracked") for state in (_UNTRACKED, *also)]

    def _allowed_untracked_on_its_way_in(self) -> list[Rule]:
        """What the host sends to itself is tracked before it comes to untracked policy, and stays so (Linux, nft_notrack_eval), so
        there the interface has to do. It is never forwarded.
        """
        return self._allowed_untracked(Place.UNTRACKED_IN, InterfaceMatch(Interface.IN, LOOPBACK))

    def _allowed_on_its_way_in(self) -> list[Rule]:
        """The same by pre-DNAT policy, before which our bit is cleared."""
        if self._judges(Place.PRE_DNAT):
            return [Rule((has_bit(self._marks.accepted),), (Accept(),), "allowed already")]
        return self._allowed_untracked_on_its_way_in()

    # --- the stages ---------------------------------------------------------------------------------------------------------

    def _raw_in(self) -> Iterator[Rule]:
        """Policy knows a workload by its address, so none may send from another's; one that nobody knows has none."""
        yield self._clear()
        if SPOOFERS in self._names:
            yield Rule((), (Dispatch(Interface.IN, SPOOFERS),))
        for match in self._is_workload(Interface.IN):
            yield Rule((match, SpoofedSourceMatch()), (Drop(),), "spoofed source")
        yield from self._dispatch(Place.UNTRACKED_IN)

    def _pre_dnat(self) -> Iterator[Rule]:
        yield _KNOWN
        yield from self._allowed_untracked_on_its_way_in()
        yield self._clear()
        yield from self._dispatch(Place.PRE_DNAT)

    def _forward_in(self) -> Iterator[Rule]:
        yield _KNOWN
        yield from self._allowed_untracked(Place.UNTRACKED_IN)
        yield from self._dispatch(Place.FORWARD_IN)

    def _workload(self, place: Place) -> Iterator[Rule]:
        if PACKET_RATES[place] in self._names:
            yield packet_limit(place)
        yield _KNOWN
        yield from self._dispatch(place)
        yield from self._drop_unknown(place.interface)

    def _to_host(self) -> Iterator[Rule]:
        """What a workload may send to its host, and nobody may but hosts.

        The host action follows egress policy, and an allow in egress policy ends this chain. So with Drop policy is not asked
        at all: either way the packet is dropped.
        """
        place = Place.WORKLOAD_EGRESS
        is_workload = self._is_workload(place.interface)
        if PACKET_RATES[place] in self._names:
            yield packet_limit(place)
        yield _KNOWN
        yield from no_stranger_rules(self._tunnels, self._options)
        for match in is_workload:
            for kind in NEIGHBOUR_DISCOVERY:
                icmp = ProtocolMatch(ICMPV6), ICMPTypeMatch(Family.V6, kind)
                yield Rule((match, *icmp), (Accept(),), "neighbour discovery")
        if self._options.endpoint_to_host_action is EndpointToHostAction.DROP:
            yield from (Rule((match,), (Drop(),), "endpoint to host: Drop") for match in is_workload)
        else:
            yield from self._dispatch(place)
            yield from self._drop_unknown(place.interface)

    def _host_in(self) -> Iterator[Rule]:
        yield _KNOWN
        yield from self._leave_workloads(Interface.IN)
        yield from self._allowed_on_its_way_in()
        yield from tunnel_rules(Side.SOURCE, self._tunnels, self._options)
        yield from self._dispatch(Place.HOST_IN)

    def _host_out(self) -> Iterator[Rule]:
        """In the output hook a packet whose destination was translated still shows the interface of before (nat output is at
        -100): it is judged when it is routed.
        """
        yield _KNOWN
        yield from self._allowed_untracked(Place.UNTRACKED_OUT)
        yield from tunnel_rules(Side.DESTINATION, self._tunnels, self._options)
        waits = (set_bit(self._marks.waiting), Accept())
        yield Rule((DestinationNATMatch(),), waits, "judged after NAT")
        yield from self._leave_workloads(Interface.OUT)
        yield from self._dispatch(Place.HOST_OUT)

    def _host_out_after_nat(self) -> Iterator[Rule]:
        waiting = self._marks.waiting
        yield _KNOWN
        yield Rule((lacks_bit(waiting),), (Accept(),), "judged already")
        yield Rule((), (clear_bits(waiting),), "our mark bits")
        yield from self._leave_workloads(Interface.OUT)
        yield from self._dispatch(Place.HOST_OUT_AFTER_NAT if self._options.rejects else Place.HOST_OUT)


def _stage(name: str, hook: Hook, priority: int, *rules: Rule) -> ChainReplace:
    return ChainReplace(name, rules, BaseChain(hook, priority))
