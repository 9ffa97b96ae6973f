"""calc_states.json: what one host must make of a datastore, and of walks through such states, whatever the way."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from hostrules import member
from modelstates import NAMESPACE, State, endpoint_name, state
from vectortables import Case, Judge, NotApplicable, cases, expect

from tortie.calc import Calculation, HostState, apply
from tortie.calc.hoststate import EndpointId, Member, PolicyId, RouteType, RouteUpdate, TierPolicies
from tortie.model.blocks import BlockOwners
from tortie.model.kinds import ResourceKey
from tortie.model.meta import HostName, Resource
from tortie.model.updates import OwnersUpdate, ResourceUpdate
from tortie.net import Address, Network
from tortie.selectors import parse

_TUNNELS = ({RouteType.LOCAL_TUNNEL}, {RouteType.REMOTE_TUNNEL})


class Walk:
    """A calculation on its way through states."""

    def __init__(self, host: str) -> None:
        self._calculation = Calculation(HostName(host))
        self._calculation.in_sync()
        self._at: State = {}
        self.found = HostState()

    def to(self, wanted: State, order: Callable[[list[Any]], Iterable[Any]], *, one_by_one: bool) -> None:
        """Update what differs, in *order*; flush after each update, or once at the end."""
        keys = [key for key in self._at.keys() | wanted.keys() if self._at.get(key) != wanted.get(key)]
        for key in order(sorted(keys, key=str)):
            self._calculation.update(_update(key, wanted.get(key)))
            if one_by_one:
                self._flush()
        self._flush()
        self._at = wanted

    def _flush(self) -> None:
        self.found = apply(self.found, self._calculation.flush())


def _update(key: ResourceKey | Network, value: Resource | BlockOwners | None) -> ResourceUpdate | OwnersUpdate:
    if isinstance(key, Network):
        assert value is None or isinstance(value, BlockOwners)
        return OwnersUpdate(key, value, revision=1)
    assert value is None or isinstance(value, Resource)
    return ResourceUpdate(key, value, revision=1)


# --- what is expected ------------------------------------------------------------------------------------------------------


def check(found: HostState, case: Case) -> None:
    wanted = case["expect"]
    expect(_sets(found), {_set_id(s): _members(s["members"]) for s in wanted["ipsets"]}, "ipsets")
    names = {_expected_name(e["key"]): e["key"] for e in case["datastore"] if e["key"]["type"].endswith("EndpointKey")}
    endpoints = {endpoint_name(names[name]): value for name, value in wanted["endpoints"].items()}
    expect(_endpoints(found), {name: _endpoint(value) for name, value in endpoints.items()}, "endpoints")
    expect({_policy(i) for i in found.policies}, set(wanted["active_policies"]), "active policies")
    expect(set(found.profiles), set(wanted["active_profiles"]), "active profiles")
    for flag in ("untracked", "pre_dnat"):
        those = {_policy(i) for i, policy in found.policies.items() if getattr(policy, flag)}
        expect(those, set(wanted[f"{flag}_policies"]), f"{flag} policies")
    # A node's tunnel address is part of its Node here, and a destination of its own; the vectors have it apart.
    routes = {str(r.destination): _route(r) for r in found.routes.values() if r.types not in _TUNNELS}
    expect(routes, {_network(r["dst"]): _wanted_route(r) for r in wanted["routes"]}, "routes")
    expect(
        {node: _vtep(v) for node, v in found.vteps.items()},
        {v["Node"]: _wanted_vtep(v) for v in wanted["vteps"]},
        "vteps",
    )
    hosts = {h["Hostname"]: (_interface(h.get("Ipv4Addr")), _interface(h.get("Ipv6Addr"))) for h in wanted["hosts"]}
    # A node without an address is a host all the same, of which nothing is known.
    known = {n: (_text(h.ipv4), _text(h.ipv6)) for n, h in found.hosts.items() if h.ipv4 or h.ipv6}
    expect(known, hosts, "hosts")
    needed = wanted["encapsulation"]
    flags = {"ipip": "IpipEnabled", "vxlan": "VxlanEnabled", "vxlan_v6": "VxlanEnabledV6"}
    expect(found.encapsulation, {name: True for name, flag in flags.items() if needed[flag]}, "encapsulation")


def _expected_name(key: Case) -> str:
    if key["type"] == "HostEndpointKey":
        return str(key["EndpointID"])
    return "/".join((key["OrchestratorID"], key["WorkloadID"], key["EndpointID"]))


def _sets(found: HostState) -> Mapping[str, frozenset[Member]]:
    return {str(set_id): members for set_id, members in found.ip_sets.items()}


def _set_id(wanted: Case) -> str:
    return str(wanted["id"]) if "id" in wanted else parse(wanted["selector"]).id


def _members(texts: Iterable[str]) -> frozenset[Member]:
    return frozenset(map(member, texts))


def _endpoints(found: HostState) -> Mapping[str, object]:
    workloads = {i.name: _parts(e.tiers, (), ()) for i, e in found.workload_endpoints.items()}
    hosts = {i.name: _parts(e.tiers, e.untracked_tiers, e.pre_dnat_tiers) for i, e in found.host_endpoints.items()}
    assert all(i.namespace == NAMESPACE for i in found.workload_endpoints)
    assert all(i == EndpointId("", i.name) for i in found.host_endpoints)
    return workloads | hosts


def _parts(*lists: Iterable[TierPolicies]) -> list[list[tuple[str, list[str], list[str]]]]:
    return [[(t.name, [*map(_policy, t.ingress)], [*map(_policy, t.egress)]) for t in tiers] for tiers in lists]


def _endpoint(wanted: Case) -> list[list[tuple[str, list[str], list[str]]]]:
    lists = (wanted["tiers"], wanted["untracked"], wanted["pre_dnat"])
    return [[(t["name"], t.get("ingress", []), t.get("egress", [])) for t in tiers] for tiers in lists]


def _policy(policy_id: PolicyId) -> str:
    return "/".join(filter(None, policy_id))


def _route(route: RouteUpdate) -> Case:
    found = {
        "types": sorted(route.types), "pool": str(route.pool), "node": route.node or None,
        "node_ip": str(route.node_address) if route.node_address else None, "nat_outgoing": route.nat_outgoing,
        "local_workload": route.local_workload or None, "borrowed": route.borrowed or None, "same_subnet": route.same_subnet or None,
    }  # fmt: skip
    return {name: value for name, value in found.items() if value is not None}


def _wanted_route(wanted: Case) -> Case:
    node_ip = {"node_ip": str(Address.parse(wanted["node_ip"]))} if "node_ip" in wanted else {}
    return {n: v for n, v in wanted.items() if n != "dst"} | {"types": sorted(wanted["types"])} | node_ip


def _network(text: str) -> str:
    return str(Network.parse(text))


def _vtep(vtep: Any) -> tuple[object, ...]:
    return tuple((str(v.mac), str(v.address), str(v.parent)) if v is not None else None for v in (vtep.ipv4, vtep.ipv6))


def _wanted_vtep(wanted: Case) -> tuple[object, ...]:
    fields = (("Mac", "Ipv4Addr", "ParentDeviceIp"), ("MacV6", "Ipv6Addr", "ParentDeviceIpv6"))
    return tuple(
        (wanted[mac], str(Address.parse(wanted[address])), str(Address.parse(wanted[parent]))) if address in wanted else None
        for mac, address, parent in fields
    )  # fmt: skip


def _interface(text: str | None) -> str | None:
    if text is None:
        return None
    address, _, length = text.partition("/")
    return f"{Address.parse(address)}/{length}"


def _text(value: object) -> str | None:
    return None if value is None else str(value)


# --- the ways --------------------------------------------------------------------------------------------------------------


def _shuffled(keys: list[Any]) -> list[Any]:
    return random.Random(len(keys)).sample(keys, len(keys))


_ORDERS: tuple[Callable[[list[Any]], Iterable[Any]], ...] = (iter, reversed, _shuffled)


def _judge_walk(host: str, way: list[Case]) -> None:
    for order in _ORDERS:
        for one_by_one in (True, False):
            walk = Walk(host)
            for case in way:
                walk.to(state(case["datastore"]), order, one_by_one=one_by_one)
                check(walk.found, case)


def judge(case: Case, by_name: Mapping[str, Case]) -> None:
    if "sequence" not in case:
        _judge_walk(case["host"], [case])
        return
    missing = [name for name in case["sequence"] if name not in by_name]
    if missing:
        raise NotApplicable(f"the folder has no state {missing[0]}")
    visited = [by_name[name] for name in case["sequence"]]
    empty = {**visited[0], "datastore": [], "expect": by_name["empty"]["expect"]} if "empty" in by_name else None
    ways = [visited, visited[::-1], visited[::2], [visited[0], visited[-1]]]
    for way in ways:
        _judge_walk(way[0]["host"], [*way, *([empty] if empty else [])])


def test_host_states_are_what_the_vectors_say(folder: Path, run_table: Callable[[str, Judge], None]) -> None:
    file = "calc_states.json"
    path = folder / file
    by_name = {case["name"]: case for case in cases(path)} if path.exists() else {}
    run_table(file, lambda case: judge(case, by_name))
