"""The two halves of a connection between ends: what the source's host lets out, and what the destination's host lets in.

    source's host:       pre-DNAT and forward policy of *   ─► workload's egress ─► forward policy of the uplink
    destination's host:  untracked, pre-DNAT, forward policy of the uplink ─► workload's ingress ─► forward policy of *

What stays on one host does not see its uplink. The halves are independent: a connection is possible if both let it through
(``tortie.verdict.host`` says the same of one packet). Without host endpoints all but the workloads' own policy falls away.
Where the host itself is the other end, its half says nothing of its own workloads: theirs says it all.
"""

from __future__ import annotations

from tortie.analysis.reach import allowed, space
from tortie.analysis.reach.allowed import Allowed, everything
from tortie.analysis.reach.bits import of_members
from tortie.analysis.reach.hostpolicy import EGRESS, INGRESS, HostPolicy
from tortie.analysis.reach.hosts import NEIGHBOUR_DISCOVERY, HostContext
from tortie.analysis.reach.policies import PolicyBook
from tortie.analysis.reach.program import Outcome, Side
from tortie.analysis.reach.space import Region
from tortie.analysis.reach.tunnels import HostTunnels
from tortie.model.policy import Direction
from tortie.net import Family


class Crossing:
    """Of one state of a cluster."""

    def __init__(self, book: PolicyBook, live: Region, source_port: int) -> None:
        self._book = book
        self._population = book.population
        self._everybody = book.population.everybody
        self._live = live
        self._host_policy = HostPolicy(book, source_port)
        self._tunnels = HostTunnels(book.population)
        self._plain: dict[tuple[int, Region], Allowed] = {}
        """By outcome (they are all kept) and what is stopped besides."""
        self._known: dict[Allowed, Allowed] = {}
        """Of hosts that are ends: equal halves are one value."""
        self._local: dict[str, int] = {}
        self._hosts = {node: 1 << number for number, node in self._population.hosts.items()}

    def half(self, direction: Direction, number: int) -> Allowed:
        """What a workload class, or a host, lets through in one direction."""
        context = self._population.context_of(number)
        if number in self._population.hosts:
            found = self._of_host(direction, number, context)
        else:
            found = self._egress(number, context) if direction is EGRESS else self._ingress(number, context)
            if direction is EGRESS and number in self._population.held:
                found = allowed.within(found, space.complement(self._population.held[number].dropped))
        return self._known.setdefault(found, found) if context.is_end else found

    # --- workloads ----------------------------------------------------------------------------------------------------------

    def _egress(self, number: int, context: HostContext) -> Allowed:
        """What workload class *number* gets out of its host, to whom."""
        outcome = self._book.outcome(number, EGRESS)
        found = self._without(outcome, context.unsent)
        if not context.has_endpoints and not context.is_end:
            return found
        side, policy = Side(number, is_source=True), self._host_policy
        arrived = policy.before_dnat(context, (context.wildcard,), side).opened
        to_host = allowed.both(
            self._to_host(context, found), allowed.within(arrived, space.complement(context.invalid))
        )
        found = allowed.both(allowed.both(found, arrived), policy.forward(context.wildcard, INGRESS, side))
        local = self._local_to(context)
        remote = allowed.among(found, self._everybody & ~local & ~self._hosts.get(context.node, 0))
        leaving = [
            allowed.within(
                allowed.both(remote, policy.forward(context.own(family) or context.wildcard, EGRESS, side)),
                space.OF_FAMILY[family],
            )
            for family in Family
        ]
        return allowed.either(to_host, allowed.among(found, local), *leaving)

    def _to_host(self, context: HostContext, sent: Allowed) -> Allowed:
        """What a host takes from its own workloads of what their policy lets them send: neighbour discovery always."""
        host = self._hosts.get(context.node, 0)
        discovery = allowed.within(everything(host), space.intersection(NEIGHBOUR_DISCOVERY, self._live))
        if context.settings.to_host_action == "Drop":
            return discovery
        return allowed.either(discovery, allowed.among(sent, host))

    def _ingress(self, number: int, context: HostContext) -> Allowed:
        """What of which sources gets through its host to workload class *number*."""
        outcome = self._book.outcome(number, INGRESS)
        found = self._without(outcome, context.invalid)
        if not context.has_endpoints and not context.is_end:
            return found
        host = self._hosts.get(context.node, 0)
        from_host = allowed.within(everything(host), self._live)
        if not context.has_endpoints:
            return allowed.either(from_host, allowed.among(found, self._everybody & ~host))
        side, policy = Side(number, is_source=False), self._host_policy
        leaves = policy.forward(context.wildcard, EGRESS, side)
        local = self._local_to(context)
        ways = [allowed.among(found, local)]
        remote = allowed.among(outcome.allowed, self._everybody & ~local & ~host)
        valid = space.complement(context.invalid)
        for family in Family:
            tracked, untracked = self._arriving(context, family, side)
            let_in = allowed.within(remote, space.intersection(self._live, space.OF_FAMILY[family]))
            ways.append(allowed.both(allowed.within(let_in, valid), tracked))
            ways.append(allowed.both(let_in, untracked))
        return allowed.either(from_host, allowed.both(allowed.either(*ways), leaves))

    def _without(self, outcome: Outcome, stopped: Region) -> Allowed:
        key = id(outcome), stopped
        found = self._plain.get(key)
        if found is None:
            open_ = space.intersection(self._live, space.complement(stopped))
            found = self._plain[key] = allowed.within(outcome.allowed, open_)
        return found

    def _local_to(self, context: HostContext) -> int:
        """The workload classes on the same host."""
        found = self._local.get(context.node)
        if found is None:
            endpoints = self._population.endpoints.items()
            there = (n for n, endpoint in endpoints if self._population.contexts[endpoint.node].node == context.node)
            found = self._local[context.node] = of_members(there)
        return found

    def _arriving(self, context: HostContext, family: Family, side: Side) -> tuple[Allowed, Allowed]:
        """What gets in over the uplink: as connection tracking knows it, and past it."""
        own, wildcard = context.own(family), context.wildcard
        past, opened = self._host_policy.untracked(context, own, INGRESS, side)
        tracked = allowed.both(opened, self._host_policy.before_dnat(context, (own, wildcard), side).opened)
        tracked = allowed.both(tracked, self._host_policy.forward(own or wildcard, INGRESS, side))
        return allowed.without(tracked, past), past

    # --- hosts --------------------------------------------------------------------------------------------------------------

    def _of_host(self, direction: Direction, number: int, context: HostContext) -> Allowed:
        """What a host sends or receives itself. Its own workloads, and itself, no policy stops here."""
        own = self._local_to(context) | self._hosts[context.node]
        side = Side(number, is_source=direction is EGRESS)
        halves = [
            allowed.within(
                allowed.among(self._over_uplink(direction, context, family, side), self._everybody & ~own),
                space.intersection(self._live, space.OF_FAMILY[family]),
            )
            for family in Family
        ]
        found = allowed.either(allowed.within(everything(own), self._live), *halves)
        return found if direction is EGRESS else allowed.without(found, self._tunnels.of_strangers(context.settings))

    def _over_uplink(self, direction: Direction, context: HostContext, family: Family, side: Side) -> Allowed:
        policy, valid = self._host_policy, space.complement(context.invalid)
        own, wildcard = context.own_link(family), context.wildcard
        endpoint = own or wildcard
        past, opened = policy.untracked(context, own, direction, side)
        found = allowed.either(policy.own(context, endpoint, direction, side), self._tunnels.of_hosts(context.settings))
        if endpoint is not None:
            found = allowed.within(found, valid)
        if direction is INGRESS:
            spared, arrived = policy.before_dnat(context, (own, wildcard), side)
            found = allowed.both(allowed.either(spared, found), arrived)
            if endpoint is not None:
                found = allowed.within(found, valid)
        return allowed.both(opened, allowed.either(past, found))
