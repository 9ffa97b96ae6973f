"""HostState deltas → ruleset deltas, in the three steps of a flush.

    ip sets ──► SetTable ───────────────────────┐ names, members
    policies ─────────► GroupTable: groups ◄────┤
                            ▲ lists of policies │
    contents ─────────► PlaceClasses: classes ◄─┘
        ▲                   │ map entries
    endpoints, profiles     ▼
        └── limits ──► stages: base chains, for what is present

An update only marks what it touches. A flush costs what was touched: a set member is one ``SetDelta``, a policy's new rules
are its own chains, an endpoint of a known class one map entry per direction. There is one table of classes for each place where
policy is asked, and one of groups for each direction and kind of place.

What packets meet in each step: after *create* the old verdicts, for nothing that they meet has changed; after *switch* the
new ones; *delete* takes away what nothing reaches any more.

- Members of sets that rules already refer to come and go in *switch*, with the chains. Added early or removed late, they
  would meet rules that they were never meant for: an address that joins a set whose Allow becomes a Deny would be let in, and a
  connection let in stays. But one batch holds only so much, so beyond ``flushing.SWITCH_ELEMENTS`` members are added in *create* and
  removed in *delete*: members that only move from set to set then never find both without them.
- Chains are replaced whole in one batch, so a packet walks the old rules or the new ones.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import filterfalse

from tortie.calc.hoststate import (
    Encapsulation,
    HostEndpointRemove,
    HostEndpointUpdate,
    HostPolicy,
    HostRemove,
    HostStateDelta,
    HostUpdate,
    HostWorkloadEndpoint,
    IPSetDelta,
    IPSetRemove,
    IPSetUpdate,
    PolicyId,
    PolicyRemove,
    PolicyUpdate,
    ProfileRemove,
    ProfileUpdate,
    TiersUpdate,
    WorkloadEndpointRemove,
    WorkloadEndpointUpdate,
)
from tortie.net import Address, Network
from tortie.ruleset.contents import Contents
from tortie.ruleset.dispatch import Dispatcher, HostDispatcher
from tortie.ruleset.flushing import FlushBuilder, split_members
from tortie.ruleset.group import Group, GroupStage, TupleOwners
from tortie.ruleset.grouptable import GroupTable
from tortie.ruleset.kept import Kept
from tortie.ruleset.limits import NO_LIMITS, PACKET_RATES, LimitTable
from tortie.ruleset.options import Options
from tortie.ruleset.placeclasses import PlaceClasses
from tortie.ruleset.places import WORKLOAD_PLACES, places_of
from tortie.ruleset.runs.keysets import Key
from tortie.ruleset.runs.shapes import Space
from tortie.ruleset.sets import SetTable
from tortie.ruleset.spoofing import SPOOFERS, SpoofTable
from tortie.ruleset.stages import WORKLOADS, Presence, stages
from tortie.ruleset.tunnels import TunnelTable
from tortie.ruleset.values import ChainDelete, Flush, SetDelta


class Compiler:
    """The policy of one host. What it makes stands on ``stages.initial`` of the same options."""

    def __init__(self, options: Options | None = None) -> None:
        self._options = options if options is not None else Options()
        self._sets = SetTable()
        self._policies: dict[PolicyId, HostPolicy] = {}
        self._dirty_policies: set[PolicyId] = set()
        self._contents = Contents(self._options)
        self._workloads = Dispatcher()
        places = places_of(self._options)
        self._hosts = HostDispatcher(places, self._is_host)
        self._groups = {
            stage: GroupTable(GroupStage(*stage, self._sets, self._options))
            for stage in dict.fromkeys((place.direction, place.kind) for place in places)
        }
        self._places = {p: PlaceClasses(p, self._groups[p.direction, p.kind]) for p in places}
        self._stirred: list[Group] = []
        """Groups that were told of members of sets."""
        self._limits = LimitTable()
        self._spoofing = SpoofTable(self._sets)
        self._tunnels = TunnelTable()
        self._links: set[str] = set()
        """The workloads' links."""
        self._unlike: frozenset[str] = frozenset()
        """Those of them that are not called like workloads' links: the members of the set ``wl``."""
        self._present = Presence()
        self._stages = stages(self._options, self._present)

    def keep(self, kept: Kept) -> None:
        """Before the first flush: call things as an earlier run has called them."""
        for table in self._groups.values():
            table.keep(kept.groups)
        for place, classes in self._places.items():
            classes.keep(kept.classes.get(place, {}))

    # --- what is told -------------------------------------------------------------------------------------------------------

    def update(self, delta: HostStateDelta) -> None:
        """Take in a change; those that are not about policy are left to others."""
        match delta:
            case IPSetUpdate() | IPSetDelta() | IPSetRemove():
                self._change_set(delta)
            case PolicyUpdate(id=policy_id, policy=policy):
                self._set_policy(policy_id, policy)
            case PolicyRemove(id=policy_id):
                self._set_policy(policy_id, None)
            case ProfileUpdate(name=name, profile=profile):
                self._contents.profiles[name] = profile
                self._workloads.touch_profile(name)
                self._hosts.touch_profile(name)
            case ProfileRemove(name=name):
                del self._contents.profiles[name]
            case WorkloadEndpointUpdate(id=endpoint_id, endpoint=workload):
                self._workloads.set_endpoint(endpoint_id, workload)
            case WorkloadEndpointRemove(id=endpoint_id):
                self._workloads.set_endpoint(endpoint_id, None)
            case TiersUpdate(endpoints=endpoint_ids, tiers=tiers):
                self._workloads.set_tiers(endpoint_ids, tiers)
            case HostEndpointUpdate(id=endpoint_id, endpoint=host):
                self._hosts.set_endpoint(endpoint_id, host)
            case HostEndpointRemove(id=endpoint_id):
                self._hosts.set_endpoint(endpoint_id, None)
            case HostUpdate() | HostRemove() | Encapsulation():
                self._tunnels.update(delta)
            case _:
                pass

    def owners(self, key: Key, space: Space) -> Iterator[TupleOwners]:
        """The sets of tuples in which a key stands as of the last flush, with the rules whose it is."""
        for table in self._groups.values():
            yield from table.owners(key, space)

    def state(self) -> Iterator[HostStateDelta]:
        """What has been taken in, as deltas in order: what another compiler needs to be told to be where this one is."""
        yield from self._sets.state()
        yield from (PolicyUpdate(id=policy_id, policy=policy) for policy_id, policy in self._policies.items())
        yield from (ProfileUpdate(name=name, profile=profile) for name, profile in self._contents.profiles.items())
        yield from self._workloads.state()
        yield from self._hosts.state()
        yield from self._tunnels.state()

    def interfaces_changed(self, interfaces: Mapping[str, frozenset[Address]]) -> None:
        """The host's interfaces, all of them, with their addresses: host endpoints are found by them."""
        self._hosts.set_interfaces(interfaces)

    def _change_set(self, delta: IPSetUpdate | IPSetDelta | IPSetRemove) -> None:
        change = self._sets.update(delta)
        for group in self._sets.listeners(delta.id):
            group.members_changed(change)
            self._stirred.append(group)

    def _set_policy(self, policy_id: PolicyId, policy: HostPolicy | None) -> None:
        self._policies.pop(policy_id, None)
        was_staged = policy_id in self._contents.staged
        self._contents.staged.discard(policy_id)
        if policy is not None:
            self._policies[policy_id] = policy
            if policy.staged:
                self._contents.staged.add(policy_id)
            if policy.staged is not was_staged:
                # Enforced or not is part of what an endpoint's class is.
                self._workloads.touch_all()
                self._hosts.touch_all()
        self._dirty_policies.add(policy_id)

    def _is_host(self, ifname: str) -> bool:
        """Whether host endpoints may stand on an interface of this name."""
        is_workload = ifname in self._workloads or self._looks_like_workload(ifname)
        return not is_workload and not self._options.excludes(ifname)

    # --- what is done -------------------------------------------------------------------------------------------------------

    def flush(self) -> Flush:
        """The steps from what was flushed last to what has been taken in since."""
        flush = FlushBuilder()
        workloads, links = self._workloads.take_dirty()
        if any((endpoint is not None) != (ifname in self._links) for ifname, endpoint in links.items()):
            self._hosts.touch_all()  # what was the host's interface may have become a workload's
        self._assign(workloads)
        outdated = self._sets.referring(self._sets.outdated())
        groups = self._flush_groups(outdated)
        classes = [place.flush() for place in self._places.values()]
        spoofing_chains, spoofing_map = self._spoofing.flush(self._spoofed(links))
        self._flush_sets(flush)
        self._flush_links(flush, links)
        for group in groups:
            flush.add(*group)
        for chains, _ in classes:
            flush.add(*chains)
        flush.add(*spoofing_chains)
        for maps in (*(maps for _, maps in classes), spoofing_map):
            flush.add(*maps)
        flush.add(*self._tunnels.flush())
        self._flush_stages(flush, self._presence())
        self._contents.forget()
        return flush.flush()

    def _assign(self, workloads: Mapping[str, HostWorkloadEndpoint | None]) -> None:
        """Find what the endpoints behind changed interfaces enforce at each place."""
        for place in WORKLOAD_PLACES:
            self._places[place].assign(
                {
                    ifname: self._contents.of_workload(place, endpoint) if endpoint is not None else None
                    for ifname, endpoint in workloads.items()
                }
            )
        for place, wanted in self._hosts.take_dirty(self._contents).items():
            self._places[place].assign(wanted)

    def _flush_groups(self, outdated: set[str]) -> list[Flush]:
        flushes = []
        for stage, table in self._groups.items():
            for group in self._stirred:
                table.stir(group)
            changes = table.flush(self._policies, self._dirty_policies, outdated)
            flushes.append(changes.flush)
            for place, classes in self._places.items():
                if (place.direction, place.kind) == stage:
                    classes.regrouped((name for name, _ in changes.lists), changes.passing, outdated)
        self._stirred.clear()
        self._dirty_policies.clear()
        return flushes

    def _flush_sets(self, flush: FlushBuilder) -> None:
        sets = self._sets.flush()
        early, within, late = split_members(sets.hashes)
        flush.add((*sets.created, *early), (*within, *sets.intervals), (*late, *sets.deleted))

    def _flush_links(self, flush: FlushBuilder, links: Mapping[str, HostWorkloadEndpoint | None]) -> None:
        """Whose links are workloads', and what they may carry."""
        limits = {ifname: endpoint.limits if endpoint else NO_LIMITS for ifname, endpoint in links.items()}
        flush.add(*self._limits.flush(limits))
        there = {ifname for ifname, endpoint in links.items() if endpoint is not None}
        added, removed = there - self._links, (links.keys() - there) & self._links
        self._links -= removed
        self._links |= added
        unlike = [frozenset(filterfalse(self._looks_like_workload, names)) for names in (added, removed)]
        self._unlike = (self._unlike | unlike[0]) - unlike[1]
        if any(unlike):
            flush.add(switch=(SetDelta(WORKLOADS, *unlike),))

    def _looks_like_workload(self, ifname: str) -> bool:
        return ifname.startswith(self._options.interface_prefixes)

    def _spoofed(self, links: Mapping[str, HostWorkloadEndpoint | None]) -> dict[str, tuple[Network, ...]]:
        may = self._options.may_spoof
        return {ifname: endpoint.spoofable if endpoint and may else () for ifname, endpoint in links.items()}

    def _flush_stages(self, flush: FlushBuilder, presence: Presence) -> None:
        """The base chains, once all that they refer to is there."""
        if presence == self._present:
            return
        self._present = presence
        before, self._stages = self._stages, stages(self._options, presence)
        changed = [chain for name, chain in self._stages.items() if before.get(name) != chain]
        gone = [ChainDelete(name) for name in before if name not in self._stages]
        flush.add(switch=(*changed, *gone))

    def _presence(self) -> Presence:
        names = {place.map_name for place, classes in self._places.items() if classes.has_map}
        names |= {name for name in PACKET_RATES.values() if name in self._limits}
        if not self._spoofing.is_empty:
            names.add(SPOOFERS)
        if self._unlike:
            names.add(WORKLOADS)
        return Presence(
            judged=frozenset(place for place, classes in self._places.items() if not classes.is_empty),
            names=names,
            wildcards={p: classes.wildcard for p, classes in self._places.items() if classes.wildcard is not None},
            tunnels=self._tunnels.encapsulation,
        )
