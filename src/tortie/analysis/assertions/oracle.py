"""The oracle for many flows of one large cluster: of all endpoints it is given those that can matter to the flow.

It walks everything for every packet, so what it is given is what it takes. An endpoint matters if it is an end, has an end's link, or an
end's address: rules find their peers by address, and what else there is on a host no flow between others asks.
"""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from tortie.analysis.reach.links import holders
from tortie.net import Address
from tortie.verdict import Cluster, Endpoint, Flow, Verdict
from tortie.verdict.refs import End, EndpointRef


class Oracle:
    """``Cluster.judge``, with the same answers."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self._by_name = {(endpoint.namespace, endpoint.name): endpoint for endpoint in cluster.endpoints}
        self._holders = {(each.namespace, each.name): holder for each, holder in holders(cluster.endpoints)}
        self._by_address: dict[Address, list[Endpoint]] = {}
        for endpoint in cluster.endpoints:
            for address in endpoint.addresses:
                self._by_address.setdefault(address, []).append(endpoint)

    def judge(self, flow: Flow) -> Verdict:
        """The verdict on *flow*."""
        matter = {(e.namespace, e.name): e for end in (flow.source, flow.destination) for e in self._of(end)}
        endpoints = tuple(endpoint for _, endpoint in sorted(matter.items()))
        return msgspec.structs.replace(self._cluster, endpoints=endpoints).judge(flow)

    def _of(self, end: End) -> Iterator[Endpoint]:
        if isinstance(end, EndpointRef) and end[:2] in self._by_name:
            yield self._by_name[end[:2]]
            yield from (self._holders[end[:2]],) if end[:2] in self._holders else ()
        yield from self._by_address.get(end if isinstance(end, Address) else end.address, ())
