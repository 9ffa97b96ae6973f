"""The resources that bear on verdicts, and the judge of flows among them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import msgspec

from tortie.model.endpoint import WorkloadEndpoint
from tortie.model.meta import Resource
from tortie.model.policy import Direction, GlobalNetworkPolicy, NetworkPolicy, Profile, Tier
from tortie.verdict.decide import Question, decide
from tortie.verdict.endpoint import Endpoint, endpoint_of
from tortie.verdict.flow import End, EndpointRef, Flow
from tortie.verdict.order import OrderedTier, ordered_tiers
from tortie.verdict.trace import Decision, Verdict


class Cluster(msgspec.Struct, frozen=True, kw_only=True):
    """One state of a cluster, prepared for judging."""

    tiers: tuple[OrderedTier, ...]
    profiles: Mapping[str, Profile]
    endpoints: tuple[Endpoint, ...]

    @classmethod
    def of(cls, resources: Iterable[Resource]) -> Cluster:
        """The state made of *resources*; kinds that no verdict depends on are left aside."""
        resources = list(resources)
        profiles = {p.metadata.name: p for p in resources if isinstance(p, Profile)}
        policies = [p for p in resources if isinstance(p, NetworkPolicy | GlobalNetworkPolicy)]
        endpoints = [endpoint_of(e, profiles) for e in resources if isinstance(e, WorkloadEndpoint)]
        return cls(
            tiers=ordered_tiers((t for t in resources if isinstance(t, Tier)), policies),
            profiles=profiles,
            endpoints=tuple(sorted(endpoints, key=lambda endpoint: (endpoint.namespace, endpoint.name))),
        )

    def endpoint(self, text: str) -> Endpoint:
        """The endpoint called ``namespace/workload`` or ``namespace/name``; LookupError if none or several are."""
        namespace, _, name = text.partition("/")
        found = [e for e in self.endpoints if e.namespace == namespace and name in (e.workload, e.name)]
        if len(found) != 1:
            raise LookupError(f"{len(found) or 'no'} workload endpoints are called {text!r}")
        return found[0]

    def judge(self, flow: Flow) -> Verdict:
        """Whether *flow* is allowed: by the egress policy of its source and the ingress policy of its destination.

        A workload may always reach itself. LookupError for an end that is not of this cluster.
        """
        if self._is_one_workload(flow):
            return Verdict(flow=flow, allowed=True, ingress=None, egress=None)
        egress = self._decide(flow, flow.source, Direction.EGRESS)
        ingress = self._decide(flow, flow.destination, Direction.INGRESS)
        allowed = all(decision.allowed for decision in (egress, ingress) if decision is not None)
        return Verdict(flow=flow, allowed=allowed, ingress=ingress, egress=egress)

    def _is_one_workload(self, flow: Flow) -> bool:
        source, destination = flow.source, flow.destination
        return (
            isinstance(source, EndpointRef) and isinstance(destination, EndpointRef) and source[:2] == destination[:2]
        )

    def _decide(self, flow: Flow, end: End, direction: Direction) -> Decision | None:
        if not isinstance(end, EndpointRef):
            return None
        question = Question(
            endpoint=self._find(end),
            ref=end,
            direction=direction,
            flow=flow,
            tiers=self.tiers,
            profiles=self.profiles,
            endpoints=self.endpoints,
        )
        return decide(question)

    def _find(self, ref: EndpointRef) -> Endpoint:
        for endpoint in self.endpoints:
            if (endpoint.namespace, endpoint.name) == (ref.namespace, ref.name) and ref.address in endpoint.addresses:
                return endpoint
        raise LookupError(f"{ref} is no endpoint of this cluster")
