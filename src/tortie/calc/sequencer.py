"""The last node: compares what the graph now says with what was sent, and orders the difference.

One pending value per object, whatever happened to it since the last flush; dependencies before dependents, removals the
other way round.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Iterator
from typing import Any, Generic, Protocol, TypeVar

from tortie.calc.hoststate import (
    EndpointId,
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


class Sequencer:
    """Everything that leaves the graph passes here."""

    def __init__(self) -> None:
        self.policies: Outbox[PolicyId, HostPolicy] = Outbox()
        self.profiles: Outbox[str, HostProfile] = Outbox()
        self.workload_endpoints: Outbox[EndpointId, HostWorkloadEndpoint] = Outbox()

    def flush(
        self, set_updates: Iterable[IPSetUpdate | IPSetDelta], set_removals: Iterable[IPSetRemove]
    ) -> tuple[HostStateDelta, ...]:
        """What was staged since the last call, with the sets' changes around it."""
        return tuple(self._ordered(set_updates, set_removals))

    def _ordered(
        self, set_updates: Iterable[IPSetUpdate | IPSetDelta], set_removals: Iterable[IPSetRemove]
    ) -> Iterator[HostStateDelta]:
        policies, gone_policies = self.policies.flush()
        profiles, gone_profiles = self.profiles.flush()
        endpoints, gone_endpoints = self.workload_endpoints.flush()
        yield from set_updates
        yield from (PolicyUpdate(id=i, policy=policy) for i, policy in policies)
        yield from (ProfileUpdate(name=name, profile=profile) for name, profile in profiles)
        yield from (WorkloadEndpointUpdate(id=i, endpoint=endpoint) for i, endpoint in endpoints)
        yield from (WorkloadEndpointRemove(id=i) for i in gone_endpoints)
        yield from (ProfileRemove(name=name) for name in gone_profiles)
        yield from (PolicyRemove(id=i) for i in gone_policies)
        yield from set_removals
