"""A flow in the words of policies: a rule that matches it and little else, as Calico's kinds and Kubernetes' say it."""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

from tortie.model.meta import NAMESPACE_LABEL
from tortie.model.policy import Direction
from tortie.net import SCTP, TCP, UDP, Address
from tortie.verdict import Cluster, Endpoint, Flow
from tortie.verdict.refs import NO_ADDRESS, End, EndpointRef

Words: TypeAlias = dict[str, Any]

_OF_REVISIONS = frozenset({
    "pod-template-hash", "controller-revision-hash", "pod-template-generation", "controller-uid", "job-name",
    "statefulset.kubernetes.io/pod-name", "apps.kubernetes.io/pod-index",
    "batch.kubernetes.io/controller-uid", "batch.kubernetes.io/job-name", "batch.kubernetes.io/job-completion-index",
})  # fmt: skip
"""Labels that a controller gives, other ones with the next revision: no policy should name them."""
_OF_NAMESPACES = "pcns."
_INHERITED = (_OF_NAMESPACES, "pcsa.", "projectcalico.org/")
_IN_CLUSTER_POLICY = {TCP: "tcp", UDP: "udp", SCTP: "sctp"}


class FlowInWords:
    """One flow, as seen from one of its ends: the other is the rules' peer."""

    def __init__(self, cluster: Cluster, flow: Flow, direction: Direction) -> None:
        self._cluster = cluster
        self._flow = flow
        self._direction = direction
        ingress = direction is Direction.INGRESS
        self.other: End = flow.source if ingress else flow.destination
        self.own: End = flow.destination if ingress else flow.source
        self._endpoint = self._find(self.other)

    def _find(self, end: End) -> Endpoint | None:
        if not isinstance(end, EndpointRef):
            return None
        return next(e for e in self._cluster.endpoints if (e.namespace, e.name) == end[:2])

    @property
    def _network(self) -> str | None:
        """The other end as a network of one address; None: nobody knows its address."""
        address = self.other if isinstance(self.other, Address) else self.other.address
        return None if address in NO_ADDRESS.values() else str(address.network())

    @functools.cached_property
    def _labels(self) -> Mapping[str, str]:
        return {} if self._endpoint is None else telling_labels(self._endpoint, self._cluster.endpoints)

    @functools.cached_property
    def own_labels(self) -> Mapping[str, str] | None:
        """What tells the own end, if it is a workload."""
        own = self._find(self.own)
        return None if own is None else telling_labels(own, self._cluster.endpoints)

    @property
    def namespace(self) -> str:
        """The other end's; empty if it is in none."""
        return "" if self._endpoint is None else self._endpoint.namespace

    @property
    def port(self) -> int | None:
        """At which the own end or the other is asked for."""
        return self._flow.destination_port

    def label(self, name: str, *, of_namespace: bool = False) -> str | None:
        """The value of one of the other end's labels, or of its namespace's."""
        labels = {} if self._endpoint is None else self._endpoint.labels
        return labels.get(f"{_OF_NAMESPACES}{name}" if of_namespace else name)

    @property
    def title(self) -> str:
        """For the name of a policy: who, and at what."""
        return "-".join(_plain(self._name(end)) for end in (self._flow.source, self._flow.destination))

    def _name(self, end: End) -> str:
        endpoint = self._find(end)
        if endpoint is not None:
            return endpoint.workload or endpoint.name
        return str(end) if isinstance(end, Address) else end[0]

    # --- Calico's ------------------------------------------------------------------------------------------------------------

    def peer(self, namespace: str) -> Words | None:
        """The other end in a policy of *namespace* (empty: of the whole cluster); None if nothing tells it."""
        if self._endpoint is None:
            return None if self._network is None else {"nets": [self._network]}
        selector = selector_of(self._labels)
        if namespace == self._endpoint.namespace:
            return {"selector": selector or "all()"}
        if namespace and self._has_namespaces_labels:
            here = {"namespaceSelector": f"projectcalico.org/name == '{self._endpoint.namespace}'"}
            return {**here, "selector": selector} if selector else here
        whose = f"{NAMESPACE_LABEL} == '{self._endpoint.namespace}'"
        anywhere = {"namespaceSelector": "all()"} if namespace else {}
        return {**anywhere, "selector": f"{whose} && {selector}" if selector else whose}

    @property
    def _has_namespaces_labels(self) -> bool:
        """Whether the other end's namespace has given it its labels: one without its profile it gives none."""
        return self._endpoint is not None and f"{_OF_NAMESPACES}projectcalico.org/name" in self._endpoint.labels

    def rule(self, action: str, namespace: str) -> Words | None:
        """The rule of Calico's."""
        peer = self.peer(namespace)
        if peer is None:
            return None
        ports = {"ports": [self._flow.destination_port]} if self._flow.destination_port is not None else {}
        ingress = self._direction is Direction.INGRESS
        ends = (
            {"source": peer, **({"destination": ports} if ports else {})} if ingress else {"destination": peer | ports}
        )
        return {"action": action, **self._protocol(), **ends}

    def _protocol(self) -> Words:
        icmp = self._flow.icmp
        kind = {"icmp": {"type": icmp[0]}} if icmp is not None and icmp[0] < 255 else {}
        return {"protocol": self._flow.protocol.to_builtin(), **kind}

    # --- Kubernetes' -----------------------------------------------------------------------------------------------------------

    def kubernetes_peer(self, namespace: str) -> Words | None:
        """The other end in a NetworkPolicy of *namespace*."""
        if self._endpoint is None:
            return None if self._network is None else {"ipBlock": {"cidr": self._network}}
        pods: Words = {"podSelector": {"matchLabels": dict(self._labels)} if self._labels else {}}
        if namespace == self._endpoint.namespace:
            return pods
        if not self._has_namespaces_labels:
            return None
        return {"namespaceSelector": _of_namespace(self._endpoint.namespace), **pods}

    def kubernetes_port(self) -> Words | None:
        """None for a protocol that a NetworkPolicy cannot name."""
        if self._flow.destination_port is None:
            return None
        protocol = {} if self._flow.protocol == TCP else {"protocol": str(self._flow.protocol)}
        return {**protocol, "port": self._flow.destination_port}

    def kubernetes_rule(self, namespace: str) -> Words | None:
        peer, port = self.kubernetes_peer(namespace), self.kubernetes_port()
        if peer is None:
            return None
        ports = {"ports": [port]} if port is not None else {}
        return {"from" if self._direction is Direction.INGRESS else "to": [peer], **ports}

    def cluster_peer(self) -> Words | None:
        """The other end in a ClusterNetworkPolicy, which knows networks as destinations only."""
        if self._endpoint is not None and not self._has_namespaces_labels:
            return None
        if self._endpoint is not None:
            pods = {"matchLabels": dict(self._labels)} if self._labels else {}
            return {"pods": {"namespaceSelector": _of_namespace(self._endpoint.namespace), "podSelector": pods}}
        if self._direction is Direction.INGRESS or self._network is None:
            return None
        return {"networks": [self._network]}

    def cluster_port(self) -> Words | None:
        name = _IN_CLUSTER_POLICY.get(self._flow.protocol)
        return {name: {"destinationPort": {"number": self._flow.destination_port}}} if name else None

    def cluster_rule(self, action: str) -> Words | None:
        peer, port = self.cluster_peer(), self.cluster_port()
        if peer is None:
            return None
        protocols = {"protocols": [port]} if port is not None else {}
        return {"action": action, "from" if self._direction is Direction.INGRESS else "to": [peer], **protocols}


def telling_labels(endpoint: Endpoint, endpoints: Sequence[Endpoint]) -> Mapping[str, str]:
    """The fewest labels that tell *endpoint* from the most others of its namespace: one, or all that it has of itself."""
    own = {k: v for k, v in endpoint.labels.items() if not k.startswith(_INHERITED) and k not in _OF_REVISIONS}
    others = [e for e in endpoints if e.namespace == endpoint.namespace and e is not endpoint]
    choices = [*({label: value} for label, value in sorted(own.items())), own]
    return min(choices, key=lambda labels: (sum(labels.items() <= e.labels.items() for e in others), len(labels)))


def selector_of(labels: Mapping[str, str]) -> str:
    """What selects by *labels*."""
    return " && ".join(f"{label} == {_quoted(value)}" for label, value in labels.items())


def _quoted(value: str) -> str:
    return f'"{value}"' if "'" in value else f"'{value}'"


def _of_namespace(name: str) -> Words:
    return {"matchLabels": {"kubernetes.io/metadata.name": name}}


def _plain(name: str) -> str:
    """*name* as a part of a policy's."""
    return "".join(c if c.isalnum() else "-" for c in name.lower()).strip("-")
