"""The base chains: where in the kernel's path each kind of policy is asked. Written once, before the first endpoint.

    raw-pre      prerouting -300   clear our mark bits: nobody outside may set them
    fwd-2-wl-from   forward   -3   a workload's egress policy
    fwd-3-wl-to     forward   -2   a workload's ingress policy
    inp-1-wl          input   -2   a workload to its own host

``accept`` ends only its own base chain, so each kind of policy has one, at a priority of its own (at equal priority the chain
that was registered last would run first). The conntrack rule comes first: a packet of a known connection costs one look at
its state. What is dispatched never comes back, for class chains end in a verdict; what is not in the map and yet looks like a
workload's link is dropped, which is what keeps a workload closed until its chains exist.
"""

from __future__ import annotations

from tortie.net import ICMPV6, Family
from tortie.ruleset import marks
from tortie.ruleset.options import EndpointToHostAction, Options
from tortie.ruleset.values import (
    Accept,
    BaseChain,
    ChainReplace,
    CtState,
    CtStateMatch,
    Dispatch,
    Drop,
    Flush,
    Hook,
    ICMPTypeMatch,
    Interface,
    InterfaceMatch,
    MapCreate,
    ProtocolMatch,
    Rule,
    SpoofedSourceMatch,
)

FROM_WORKLOAD = "wl-from"
"""The map from a workload's link to its egress class."""
TO_WORKLOAD = "wl-to"
"""The map from a workload's link to its ingress class."""

NEIGHBOUR_DISCOVERY = (130, 133, 135, 136)
"""ICMPv6 types that a workload needs from its host to have a route at all: listener query, router and neighbour
solicitation, neighbour advertisement."""

_KNOWN = Rule((CtStateMatch(frozenset({CtState.ESTABLISHED, CtState.RELATED})),), (Accept(),), "known connection")


def initial(options: Options) -> Flush:
    """What stands on a host whatever its endpoints: the empty maps, then the stages."""
    return Flush(create=(MapCreate(FROM_WORKLOAD), MapCreate(TO_WORKLOAD)), switch=_base_chains(options), delete=())


def _base_chains(options: Options) -> tuple[ChainReplace, ...]:
    is_workload_in = InterfaceMatch(Interface.IN, options.interface_prefix, prefix=True)
    is_workload_out = InterfaceMatch(Interface.OUT, options.interface_prefix, prefix=True)
    from_workload = Rule((), (Dispatch(Interface.IN, FROM_WORKLOAD),))
    to_workload = Rule((), (Dispatch(Interface.OUT, TO_WORKLOAD),))
    unknown_in = Rule((is_workload_in,), (Drop(),), "unknown workload interface")
    unknown_out = Rule((is_workload_out,), (Drop(),), "unknown workload interface")
    return (
        _stage(
            "raw-pre",
            Hook.PREROUTING,
            -300,
            Rule((), (marks.clear_bits(marks.MASK),), "our mark bits"),
            # policy knows a workload by its address, so none may send from another's
            Rule((is_workload_in, SpoofedSourceMatch()), (Drop(),), "spoofed source"),
        ),
        _stage("fwd-2-wl-from", Hook.FORWARD, -3, _KNOWN, from_workload, unknown_in),
        _stage("fwd-3-wl-to", Hook.FORWARD, -2, _KNOWN, to_workload, unknown_out),
        _stage("inp-1-wl", Hook.INPUT, -2, _KNOWN, *_to_host(options, is_workload_in, from_workload, unknown_in)),
    )


def _stage(name: str, hook: Hook, priority: int, *rules: Rule) -> ChainReplace:
    return ChainReplace(name, rules, BaseChain(hook, priority))


def _to_host(options: Options, is_workload: InterfaceMatch, from_workload: Rule, unknown: Rule) -> tuple[Rule, ...]:
    """What a workload may send to its host.

    The host action follows egress policy, and an allow in egress policy ends this chain. So with Drop policy is not asked at
    all: either way the packet is dropped.
    """
    discovery = tuple(
        Rule((is_workload, ProtocolMatch(ICMPV6), ICMPTypeMatch(Family.V6, kind)), (Accept(),), "neighbour discovery")
        for kind in NEIGHBOUR_DISCOVERY
    )
    if options.endpoint_to_host_action is EndpointToHostAction.DROP:
        return (*discovery, Rule((is_workload,), (Drop(),), "endpoint to host: Drop"))
    return (*discovery, from_workload, unknown)
