"""The last node: compares what the graph now says with what was sent, and orders the difference.

One pending value per object, whatever happened to it since the last flush; dependencies before dependents, removals the
other way round.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Hashable, Iterable, Iterator, Mapping
from typing import Any, Generic, Protocol, TypeVar

import msgspec

from tortie.calc.hoststate import (
    ConfigUpdate,
    EndpointId,
    HostEndpointRemove,
    HostEndpointUpdate,
    HostHostEndpoint,
    HostPolicy,
    HostProfile,
    HostStateDelta,
    HostWorkloadEndpoint,
    IPSetDelta,
    IPSetRemove,
    IPSetUpdate,
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


class _Ordered(Hashable, Protocol):
    def __lt__(self, other: Any, /) -> bool: ...


Id = TypeVar("Id", bound=_Ordered)
Content = TypeVar("Content")


class Outbox(Generic[Id, Content]):
    """Objects of one kind: as they were sent, and as they are now if that may differ."""

    def __init__(self) -> None:
        self._sent: dict[Id, Content] = {}
        self._staged: dict[Id, Content | None] = {}

    def stage(self, object_id: Id, content: Content | None) -> None:
        """What the object is now; None: there is none."""
        self._staged[object_id] = content

    def flush(self) -> tuple[list[tuple[Id, Content]], list[Id]]:
        """What is new or different, and what is gone, by id."""
        updates, removals = [], []
        for object_id, content in sorted(self._staged.items(), key=lambda entry: entry[0]):
            if content == self._sent.get(object_id):
                continue
            if content is None:
                removals.append(object_id)
                del self._sent[object_id]
            else:
                updates.append((object_id, content))
                self._sent[object_id] = content
        self._staged.clear()
        return updates, removals


Tiers = tuple[TierPolicies, ...]


class WorkloadOutbox:
    """Workload endpoints: those that differ in their tiers only are told of together, by the tiers that they share."""

    def __init__(self) -> None:
        self._endpoints: Outbox[EndpointId, HostWorkloadEndpoint] = Outbox()
        self._sent: dict[EndpointId, Tiers] = {}
        self._staged: dict[EndpointId, Tiers] = {}

    def stage(self, endpoint_id: EndpointId, endpoint: HostWorkloadEndpoint | None) -> None:
        """What the endpoint is now, its tiers apart; None: there is none."""
        self._endpoints.stage(endpoint_id, endpoint)

    def stage_tiers(self, endpoint_id: EndpointId, tiers: Tiers) -> None:
        """The tiers of an endpoint that there is."""
        self._staged[endpoint_id] = tiers

    def flush(self) -> tuple[list[WorkloadEndpointUpdate | TiersUpdate], list[EndpointId]]:
        """What is new or different, by id and with whole endpoints first, and what is gone."""
        changed, gone = self._endpoints.flush()
        updates: list[WorkloadEndpointUpdate | TiersUpdate] = []
        for endpoint_id in gone:
            del self._sent[endpoint_id]
        for endpoint_id, endpoint in changed:
            tiers = self._staged.pop(endpoint_id, None)
            self._sent[endpoint_id] = self._sent[endpoint_id] if tiers is None else tiers
            whole = msgspec.structs.replace(endpoint, tiers=self._sent[endpoint_id])
            updates.append(WorkloadEndpointUpdate(id=endpoint_id, endpoint=whole))
        return [*updates, *self._tiers_updates()], gone

    def _tiers_updates(self) -> list[TiersUpdate]:
        # A list may hold ten thousand policies and be shared by hundreds of endpoints: compared once, not for each of them.
        is_equal: dict[tuple[int, int], bool] = {}
        sharing: defaultdict[int, list[EndpointId]] = defaultdict(list)
        for endpoint_id, tiers in self._staged.items():
            sent = self._sent[endpoint_id]
            pair = (id(sent), id(tiers))
            if pair not in is_equal:
                is_equal[pair] = sent is tiers or sent == tiers
            if not is_equal[pair]:
                sharing[id(tiers)].append(endpoint_id)
        updates = [TiersUpdate(endpoints=tuple(sorted(ids)), tiers=self._staged[ids[0]]) for ids in sharing.values()]
        self._sent |= self._staged
        self._staged.clear()
        return sorted(updates, key=lambda update: update.endpoints)


class Sequencer:
    """What is known by id passes here; sets, settings and routes come with their own differences."""

    def __init__(self) -> None:
        self.policies: Outbox[PolicyId, HostPolicy] = Outbox()
        self.profiles: Outbox[str, HostProfile] = Outbox()
        self.workload_endpoints = WorkloadOutbox()
        self.host_endpoints: Outbox[EndpointId, HostHostEndpoint] = Outbox()

    def flush(
        self,
        settings: Mapping[str, object] | None,
        set_updates: Iterable[IPSetUpdate | IPSetDelta],
        set_removals: Iterable[IPSetRemove],
    ) -> Iterator[HostStateDelta]:
        """What was staged since the last call, with the settings before it and the sets' changes around it."""
        policies, gone_policies = self.policies.flush()
        profiles, gone_profiles = self.profiles.flush()
        endpoints, gone_endpoints = self.workload_endpoints.flush()
        host_endpoints, gone_host_endpoints = self.host_endpoints.flush()
        if settings is not None:
            yield ConfigUpdate(values=settings)
        yield from set_updates
        yield from (PolicyUpdate(id=i, policy=policy) for i, policy in policies)
        yield from (ProfileUpdate(name=name, profile=profile) for name, profile in profiles)
        yield from endpoints
        yield from (HostEndpointUpdate(id=i, endpoint=endpoint) for i, endpoint in host_endpoints)
        yield from (HostEndpointRemove(id=i) for i in gone_host_endpoints)
        yield from (WorkloadEndpointRemove(id=i) for i in gone_endpoints)
        yield from (ProfileRemove(name=name) for name in gone_profiles)
        yield from (PolicyRemove(id=i) for i in gone_policies)
        yield from set_removals
