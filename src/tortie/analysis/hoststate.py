"""What calc sends to one host, as plain values for people and programs: every object by name, every set by what it is of."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from tortie.calc import Calculation, HostState, apply
from tortie.calc.hoststate import EndpointId, IPSetId, Member, PolicyId
from tortie.calc.rules import SelectorSet, SetDefinition
from tortie.model.kinds import ResourceKey
from tortie.model.meta import HostName, Resource
from tortie.model.updates import OwnersUpdate, ResourceUpdate

Plain = dict[str, Any]


def host_state(host: HostName, resources: Mapping[ResourceKey, Resource], blocks: Iterable[OwnersUpdate] = ()) -> Plain:
    """Everything that the host enforces and knows when the cluster is *resources* and its IPAM *blocks*."""
    calculation = Calculation(host)
    for key, resource in resources.items():
        calculation.update(ResourceUpdate(key, resource, revision=1))
    for block in blocks:
        calculation.update(block)
    calculation.in_sync()
    state = apply(HostState(), calculation.flush())
    return {"host": host, **_document(state, calculation.sets)}


def _document(state: HostState, sets: Mapping[IPSetId, SetDefinition]) -> Plain:
    return {
        "ipSets": [
            {"id": i, **_definition(sets[i]), "members": _members(members)}
            for i, members in sorted(state.ip_sets.items())
        ],
        "policies": [{**_named(i), **plain(policy)} for i, policy in sorted(state.policies.items())],
        "profiles": [{"name": name, **plain(profile)} for name, profile in sorted(state.profiles.items())],
        "workloadEndpoints": [
            {**_named(i), **plain(endpoint)} for i, endpoint in sorted(state.workload_endpoints.items())
        ],
        "hostEndpoints": [{**_named(i), **plain(endpoint)} for i, endpoint in sorted(state.host_endpoints.items())],
        "routes": [plain(route) for _, route in sorted(state.routes.items())],
        "pools": [plain(pool) for _, pool in sorted(state.pools.items())],
        "tunnelEndpoints": [plain(vtep) for _, vtep in sorted(state.vteps.items())],
        "wireguardPeers": [plain(peer) for _, peer in sorted(state.wireguard_peers.items())],
        "hosts": [plain(known) for _, known in sorted(state.hosts.items())],
        "encapsulation": sorted(state.encapsulation),
        "config": plain(state.config),
    }


def _definition(definition: SetDefinition) -> Plain:
    """What a set is of."""
    if isinstance(definition, SelectorSet):
        return {"selector": definition.selector.text, **({"port": plain(definition.port)} if definition.port else {})}
    return {"service": plain(definition.service), "ports": definition.has_ports}


def _members(members: frozenset[Member]) -> list[str]:
    """``10.0.0.1/32``; or, of ports, ``10.0.0.1,TCP:80``; by their text."""
    return sorted(f"{m.address},{m.protocol}:{m.port}" if isinstance(m, tuple) else str(m) for m in members)


def _named(identity: PolicyId | EndpointId) -> Plain:
    return {field: value for field, value in identity._asdict().items() if value}


def plain(value: object) -> Any:
    """*value* of the host's state as JSON has it: fields in camel case, those at their default left out."""
    match value:
        case PolicyId():
            return _named(value)
        case msgspec.Struct():
            fields = {info.name: (getattr(value, info.name), info.default) for info in msgspec.structs.fields(value)}
            return {_camel(name): plain(found) for name, (found, default) in fields.items() if found != default}
        case tuple() if hasattr(value, "_asdict"):
            return {_camel(name): plain(found) for name, found in value._asdict().items() if found is not None}
        case Mapping():
            return {str(key): plain(found) for key, found in value.items()}
        case frozenset():
            return sorted((plain(found) for found in value), key=str)
        case tuple() | list():
            return [plain(found) for found in value]
        case bool() | int() | float() | None:
            return value
        case _:
            return str(value)


def _camel(name: str) -> str:
    first, *others = name.split("_")
    return first + "".join("IPs" if word == "ips" else word.title() for word in others)
