"""What a host has to enforce, as one value: what a stream of deltas adds up to."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from tortie.calc import hoststate as hs
from tortie.net import Network


class ImpossibleDeltaError(AssertionError):
    """A delta that does not fit the state it is applied to: a bug of whoever made the stream."""


class HostState(hs.HostValue, frozen=True, kw_only=True):
    """Equal whatever the way to it."""

    ip_sets: Mapping[hs.IPSetId, frozenset[hs.Member]] = {}
    policies: Mapping[hs.PolicyId, hs.HostPolicy] = {}
    profiles: Mapping[str, hs.HostProfile] = {}
    workload_endpoints: Mapping[hs.EndpointId, hs.HostWorkloadEndpoint] = {}
    host_endpoints: Mapping[hs.EndpointId, hs.HostHostEndpoint] = {}
    routes: Mapping[Network, hs.RouteUpdate] = {}
    pools: Mapping[Network, hs.PoolUpdate] = {}
    vteps: Mapping[str, hs.VtepUpdate] = {}
    wireguard_peers: Mapping[str, hs.WireguardPeerUpdate] = {}
    hosts: Mapping[str, hs.HostUpdate] = {}
    encapsulation: Mapping[str, bool] = {}
    """Those that are needed."""
    config: Mapping[str, object] = {}

    def __str__(self) -> str:
        """One line an object, in an order that does not depend on the way here."""
        return "\n".join(
            f"{field}: {_sorted_text(key)} = {_sorted_text(value)}"
            for field in self.__struct_fields__
            for key, value in sorted(getattr(self, field).items(), key=lambda entry: entry[0])
        )


def _sorted_text(value: object) -> str:
    if isinstance(value, frozenset):
        return "{" + ", ".join(sorted(repr(member) for member in value)) + "}"
    return repr(value)


def apply(state: HostState, deltas: Iterable[hs.HostStateDelta]) -> HostState:
    """*state* after *deltas*; ImpossibleDeltaError if one names what is not there, or takes away what is referred to."""
    tables = {field: dict(getattr(state, field)) for field in state.__struct_fields__}
    for delta in deltas:
        _apply(tables, delta)
    return HostState(**tables)


_Tables = dict[str, dict[Any, Any]]

_STORED_AS_VALUE = {
    hs.PolicyUpdate: ("policies", "id", "policy"),
    hs.ProfileUpdate: ("profiles", "name", "profile"),
    hs.WorkloadEndpointUpdate: ("workload_endpoints", "id", "endpoint"),
    hs.HostEndpointUpdate: ("host_endpoints", "id", "endpoint"),
    hs.IPSetUpdate: ("ip_sets", "id", "members"),
}
_STORED_AS_DELTA = {
    hs.RouteUpdate: ("routes", "destination"),
    hs.PoolUpdate: ("pools", "cidr"),
    hs.HostUpdate: ("hosts", "node"),
    hs.VtepUpdate: ("vteps", "node"),
    hs.WireguardPeerUpdate: ("wireguard_peers", "node"),
}
_REMOVED = {
    hs.IPSetRemove: ("ip_sets", "id"),
    hs.PolicyRemove: ("policies", "id"),
    hs.ProfileRemove: ("profiles", "name"),
    hs.WorkloadEndpointRemove: ("workload_endpoints", "id"),
    hs.HostEndpointRemove: ("host_endpoints", "id"),
    hs.RouteRemove: ("routes", "destination"),
    hs.PoolRemove: ("pools", "cidr"),
    hs.HostRemove: ("hosts", "node"),
    hs.VtepRemove: ("vteps", "node"),
    hs.WireguardPeerRemove: ("wireguard_peers", "node"),
}


def _apply(tables: _Tables, delta: hs.HostStateDelta) -> None:
    if isinstance(delta, hs.ConfigUpdate):
        tables["config"] = dict(delta.values)
    elif isinstance(delta, hs.Encapsulation):
        tables["encapsulation"] = {name: True for name in delta.__struct_fields__ if getattr(delta, name)}
    elif isinstance(delta, hs.TiersUpdate):
        _apply_tiers(tables, delta)
    elif isinstance(delta, hs.IPSetDelta):
        _apply_members(tables["ip_sets"], delta)
    elif type(delta) in _REMOVED:
        table, key = _REMOVED[type(delta)]
        _remove(tables, table, getattr(delta, key))
    elif type(delta) in _STORED_AS_DELTA:
        table, key = _STORED_AS_DELTA[type(delta)]
        tables[table][getattr(delta, key)] = delta
    else:
        table, key, content = _STORED_AS_VALUE[type(delta)]
        _require_references(tables, getattr(delta, content), delta)
        tables[table][getattr(delta, key)] = getattr(delta, content)


def _apply_members(ip_sets: dict[Any, Any], delta: hs.IPSetDelta) -> None:
    members = ip_sets.get(delta.id)
    if members is None or delta.added & members or not delta.removed <= members:
        raise ImpossibleDeltaError(f"{delta} does not fit the set's members: {members}")
    ip_sets[delta.id] = (members - delta.removed) | delta.added


def _apply_tiers(tables: _Tables, delta: hs.TiersUpdate) -> None:
    _require_references(tables, hs.HostWorkloadEndpoint(ifname="", tiers=delta.tiers), delta)
    for endpoint_id in delta.endpoints:
        if endpoint_id not in tables["workload_endpoints"]:
            raise ImpossibleDeltaError(f"workload_endpoints has no {endpoint_id!r} to change")
        endpoint = tables["workload_endpoints"][endpoint_id]
        tables["workload_endpoints"][endpoint_id] = msgspec.structs.replace(endpoint, tiers=delta.tiers)


def _remove(tables: _Tables, table: str, key: object) -> None:
    if key not in tables[table]:
        raise ImpossibleDeltaError(f"{table} has no {key!r} to remove")
    for users in ("policies", "profiles", "workload_endpoints", "host_endpoints"):
        for user, content in tables[users].items():
            if (table, key) in _references(content):
                raise ImpossibleDeltaError(f"{user!r} refers to {key!r}, which is removed from {table}")
    del tables[table][key]


def _require_references(tables: _Tables, content: object, delta: hs.HostStateDelta) -> None:
    for table, key in _references(content):
        if key not in tables[table]:
            raise ImpossibleDeltaError(f"{delta} refers to {key!r}, which is not in {table}")


def _references(content: object) -> set[tuple[str, object]]:
    """The (table, key) of what a policy, profile or endpoint refers to."""
    match content:
        case hs.HostPolicy() | hs.HostProfile():
            return {("ip_sets", set_id) for set_id in referenced_sets(content)}
        case hs.HostWorkloadEndpoint():
            return _policies_and_profiles(content.tiers, content.profiles)
        case hs.HostHostEndpoint():
            tiers = (*content.tiers, *content.forward_tiers, *content.untracked_tiers, *content.pre_dnat_tiers)
            return _policies_and_profiles(tiers, content.profiles)
        case _:
            return set()


def _policies_and_profiles(tiers: Iterable[hs.TierPolicies], profiles: Iterable[str]) -> set[tuple[str, object]]:
    policies = {("policies", i) for tier in tiers for i in (*tier.ingress, *tier.egress)}
    return {*policies, *(("profiles", name) for name in profiles)}


def referenced_sets(rules: hs.HostPolicy | hs.HostProfile) -> frozenset[hs.IPSetId]:
    """The IP sets that a policy's or profile's rules refer to."""
    return frozenset(set_id for rule in (*rules.ingress, *rules.egress) for set_id in rule.set_ids)
