"""Which flows a change of a host's state may have taken their permission: those from or to some addresses.

    a policy's or profile's rules ──► addresses of the workloads that it governs
    an endpoint, its tiers ─────────► its addresses
    what governs a host endpoint ───► everybody
    members of a set ───────────────► themselves, if a rule lets fewer through now
    a host, by which tunnels come ──► its addresses of before
    settings, tunnels in use ───────► everybody

An address that joins a set from which is allowed, as when a pod comes, casts no doubt. It is only a question of what to look
at: each flow in doubt is judged by itself.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from collections.abc import Set as AbstractSet
from typing import NamedTuple

import msgspec

from tortie.calc.hoststate import (
    ConfigUpdate,
    Encapsulation,
    EndpointId,
    HostEndpointRemove,
    HostEndpointUpdate,
    HostHostEndpoint,
    HostPolicy,
    HostProfile,
    HostRemove,
    HostRule,
    HostStateDelta,
    HostUpdate,
    HostWorkloadEndpoint,
    IPSetDelta,
    IPSetId,
    IPSetUpdate,
    Member,
    PolicyId,
    PolicyRemove,
    PolicyUpdate,
    ProfileRemove,
    ProfileUpdate,
    TierPolicies,
    TiersUpdate,
    WorkloadEndpointRemove,
    WorkloadEndpointUpdate,
)
from tortie.model.policy import Action
from tortie.net import Address, Network
from tortie.ruleset.counts import count

_SetRole = tuple[IPSetId, bool]
"""A set, and whether a flow may lose by members that come (true) or by such that go."""


class Doubt(NamedTuple):
    """Whose flows are to be judged."""

    is_about_all: bool = False
    networks: frozenset[Network] = frozenset()
    """An address is its /32 or /128."""

    def __bool__(self) -> bool:
        return self.is_about_all or bool(self.networks)


class Doubts:
    """Collects what changes; ``take`` tells whom it is about. Only ``take`` looks at what endpoints have in common."""

    def __init__(self) -> None:
        self._endpoints: dict[EndpointId, HostWorkloadEndpoint] = {}
        self._hosts: dict[EndpointId, HostHostEndpoint] = {}
        self._nodes: dict[str, frozenset[Network]] = {}
        """The addresses of the cluster's hosts, which may send tunnelled packets."""
        self._owners: dict[Address, int] = {}
        """How many endpoints have each address."""
        self._rules: dict[PolicyId | str, HostPolicy | HostProfile] = {}
        """Of policies by id, of profiles by name."""
        self._roles: dict[_SetRole, int] = {}
        """How many policies and profiles have a set in a role."""
        self._is_about_all = False
        self._changed: set[PolicyId | str] = set()
        self._networks: set[Network] = set()

    def update(self, delta: HostStateDelta) -> None:
        """Take note of a change."""
        match delta:
            case ConfigUpdate() | Encapsulation():
                self._is_about_all = True
            case HostUpdate(node=node):
                self._set_node(node, delta)
            case HostRemove(node=node):
                self._set_node(node, None)
            case PolicyUpdate(id=owner, policy=rules) | ProfileUpdate(name=owner, profile=rules):
                self._set_rules(owner, rules)
            case PolicyRemove(id=owner) | ProfileRemove(name=owner):
                self._set_rules(owner, None)
            case WorkloadEndpointUpdate(id=endpoint_id, endpoint=endpoint):
                self._set_endpoint(endpoint_id, endpoint)
            case WorkloadEndpointRemove(id=endpoint_id):
                self._forget(endpoint_id)
            case HostEndpointUpdate(id=endpoint_id, endpoint=host):
                self._set_host(endpoint_id, host)
            case HostEndpointRemove(id=endpoint_id):
                self._set_host(endpoint_id, None)
            case TiersUpdate(endpoints=ids, tiers=tiers):
                for endpoint_id in ids:
                    self._set_endpoint(endpoint_id, msgspec.structs.replace(self._endpoints[endpoint_id], tiers=tiers))
            case IPSetDelta(id=set_id, added=added, removed=removed):
                self._change_members(set_id, added, removed)
            case IPSetUpdate(id=set_id):  # one that a rule has already comes whole: what went is not known here
                self._is_about_all = self._is_about_all or not self._roles.keys().isdisjoint(
                    {(set_id, True), (set_id, False)}
                )
            case _:
                pass

    def add(self, doubt: Doubt) -> None:
        """Doubt that has not been settled."""
        self._is_about_all = self._is_about_all or doubt.is_about_all
        self._networks |= doubt.networks

    def take(self) -> Doubt:
        """All doubt since the last call."""
        governed = self._governed(self._changed) if self._changed else ()
        is_about_all = self._is_about_all or any(_governs(self._changed, host) for host in self._hosts.values())
        doubt = Doubt(is_about_all, frozenset((*self._networks, *governed)))
        self._is_about_all = False
        self._changed.clear()
        self._networks.clear()
        return doubt

    def _set_rules(self, owner: PolicyId | str, rules: HostPolicy | HostProfile | None) -> None:
        before = self._rules.pop(owner, None)
        if before is not None:
            self._changed.add(owner)
            self._count(before, -1)
        if rules is not None:
            self._rules[owner] = rules
            self._count(rules, +1)

    def _count(self, rules: HostPolicy | HostProfile, step: int) -> None:
        for role in _roles((*rules.ingress, *rules.egress)):
            count(self._roles, role, step)

    def _set_endpoint(self, endpoint_id: EndpointId, endpoint: HostWorkloadEndpoint) -> None:
        """A new endpoint was closed until now, and casts no doubt, unless another has its address."""
        before = self._forget(endpoint_id)
        self._endpoints[endpoint_id] = endpoint
        for address in endpoint.addresses:
            count(self._owners, address, +1)
        taken = any(self._owners[address] > 1 for address in endpoint.addresses)
        if before is not None or taken:
            self._networks.update(address.network() for address in endpoint.addresses)

    def _set_host(self, endpoint_id: EndpointId, endpoint: HostHostEndpoint | None) -> None:
        """Whose traffic goes over an interface of the host is not known: so all may be concerned."""
        self._hosts.pop(endpoint_id, None)
        if endpoint is not None:
            self._hosts[endpoint_id] = endpoint
        self._is_about_all = True

    def _set_node(self, node: str, told: HostUpdate | None) -> None:
        before = self._nodes.pop(node, frozenset[Network]())
        if told is not None:
            found = (told.ipv4, told.ipv6)
            self._nodes[node] = frozenset(i.address.network() for i in found if i is not None)
        self._networks |= before - self._nodes.get(node, frozenset())

    def _forget(self, endpoint_id: EndpointId) -> HostWorkloadEndpoint | None:
        before = self._endpoints.pop(endpoint_id, None)
        for address in before.addresses if before is not None else ():
            count(self._owners, address, -1)
        return before

    def _change_members(self, set_id: IPSetId, added: Iterable[Member], removed: Iterable[Member]) -> None:
        for is_added, members in ((True, added), (False, removed)):
            if (set_id, is_added) in self._roles:
                self._networks.update(m if isinstance(m, Network) else m.address.network() for m in members)

    def _governed(self, changed: set[PolicyId | str]) -> Iterator[Network]:
        """The addresses of the endpoints that any of these policies and profiles govern."""
        is_governed: dict[int, bool] = {}
        for endpoint in self._endpoints.values():
            tiers = endpoint.tiers  # shared by those that the same policies govern, so looked through once
            if id(tiers) not in is_governed:
                is_governed[id(tiers)] = _have(tiers, changed)
            if is_governed[id(tiers)] or not changed.isdisjoint(endpoint.profiles):
                yield from (address.network() for address in endpoint.addresses)


def _have(tiers: Iterable[TierPolicies], changed: AbstractSet[PolicyId | str]) -> bool:
    """Whether tiers have any of these policies."""
    return not all(changed.isdisjoint(tier.ingress) and changed.isdisjoint(tier.egress) for tier in tiers)


def _governs(changed: AbstractSet[PolicyId | str], host: HostHostEndpoint) -> bool:
    """Whether any of these policies and profiles is a host endpoint's. Those of untracked policy are asked for every packet."""
    tiers = (*host.tiers, *host.forward_tiers, *host.pre_dnat_tiers)
    return not changed.isdisjoint(host.profiles) or _have(tiers, changed)


def _roles(rules: Iterable[HostRule]) -> set[_SetRole]:
    """By which changes of which sets a flow may lose its permission."""
    return {
        (set_id, by_coming)
        for rule in rules
        for peer in (rule.source, rule.destination)
        for sets, is_negated in (
            ((*peer.sets, *peer.port_sets), False),
            ((*peer.not_sets, *peer.not_port_sets), True),
        )
        for set_id in sets
        for by_coming in _BY_COMING[rule.action, is_negated]
    }


_BY_COMING = {
    (Action.ALLOW, False): (False,),
    (Action.ALLOW, True): (True,),
    (Action.DENY, False): (True,),
    (Action.DENY, True): (False,),
    (Action.PASS, False): (False, True),
    (Action.PASS, True): (False, True),
    (Action.LOG, False): (),
    (Action.LOG, True): (),
}
"""By the action and whether the set is negated: whether members that come can do harm, or such that go. After Pass others decide."""
