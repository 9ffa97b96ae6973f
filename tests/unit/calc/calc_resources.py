"""Short ways to write the resources of a test, and a host to feed them to."""

from collections.abc import Iterable, Mapping
from typing import Any

from tortie.calc import Calculation, HostState, apply
from tortie.calc.hoststate import HostStateDelta
from tortie.model import codec, kinds
from tortie.model.endpoint import HostEndpoint, WorkloadEndpoint, WorkloadEndpointPort, WorkloadEndpointSpec
from tortie.model.kinds import Kind, ResourceKey, kind_of
from tortie.model.meta import HostName, ObjectMeta, Resource
from tortie.model.policy import GlobalNetworkPolicy, NetworkPolicy, Profile, ProfileSpec, Tier, TierSpec
from tortie.model.updates import ResourceUpdate
from tortie.net import Network, Protocol

HOST = HostName("here")


def key_of(resource: Resource) -> ResourceKey:
    return ResourceKey(kind_of(resource), resource.metadata.namespace, resource.metadata.name)


def endpoint(
    name: str,
    *addresses: str,
    namespace: str = "ns",
    node: str = HOST,
    labels: Mapping[str, str] = {},
    profiles: Iterable[str] = (),
    ports: Iterable[tuple[str, str, int]] = (),
    account: str = "",
) -> WorkloadEndpoint:
    spec = WorkloadEndpointSpec(
        orchestrator="k8s",
        node=node,
        interface_name=f"cali{name}",
        ip_networks=tuple(Network.parse(address) for address in addresses),
        profiles=tuple(profiles),
        service_account_name=account,
        ports=tuple(WorkloadEndpointPort(name=n, protocol=Protocol.parse(p), port=number) for n, p, number in ports),
    )
    return WorkloadEndpoint(metadata=ObjectMeta(name=name, namespace=namespace, labels=labels), spec=spec)


def policy(name: str, namespace: str = "ns", **spec: object) -> NetworkPolicy:
    """A NetworkPolicy; *spec* in the spelling of YAML."""
    return codec.from_document(
        {
            "apiVersion": "projectcalico.org/v3",
            "kind": "NetworkPolicy",
            "metadata": {"name": name, "namespace": namespace},
            "spec": spec,
        },
        NetworkPolicy,
    )


def global_policy(name: str, **spec: object) -> GlobalNetworkPolicy:
    return codec.from_document(
        {
            "apiVersion": "projectcalico.org/v3",
            "kind": "GlobalNetworkPolicy",
            "metadata": {"name": name},
            "spec": spec,
        },
        GlobalNetworkPolicy,
    )


def tier(name: str, order: float | None = None, default_action: str = "Deny") -> Tier:
    return Tier(
        metadata=ObjectMeta(name=name),
        spec=TierSpec(order=order, default_action="Pass" if default_action == "Pass" else "Deny"),
    )


def profile(name: str, labels: Mapping[str, str] = {}, **spec: object) -> Profile:
    rules = codec.from_document(
        {"apiVersion": "projectcalico.org/v3", "kind": "Profile", "metadata": {"name": name}, "spec": spec}, Profile
    ).spec
    return Profile(
        metadata=ObjectMeta(name=name),
        spec=ProfileSpec(ingress=rules.ingress, egress=rules.egress, labels_to_apply=labels),
    )


def resource(kind: Kind, name: str, namespace: str = "", labels: Mapping[str, str] = {}, **content: object) -> Any:
    """One of any kind; *content* beside its metadata, in the spelling of YAML."""
    metadata = {"name": name, "namespace": namespace, "labels": dict(labels)}
    return codec.from_document(
        {"apiVersion": kind.api_version, "kind": kind.name, "metadata": metadata, **content}, kind.struct
    )


def host_endpoint(
    name: str,
    *addresses: str,
    node: str = HOST,
    interface: str = "eth0",
    labels: Mapping[str, str] = {},
    **spec: object,
) -> HostEndpoint:
    spec = {"node": node, "interfaceName": interface, "expectedIPs": list(addresses), **spec}
    found: HostEndpoint = resource(kinds.HOST_ENDPOINT, name, labels=labels, spec=spec)
    return found


class Host:
    """A calculation in sync, and the state that its deltas add up to; impossible deltas fail the test."""

    def __init__(self, *resources: Resource) -> None:
        self.calculation = Calculation(HOST)
        self.calculation.in_sync()
        self.state = HostState()
        self.put(*resources)

    def put(self, *resources: Resource) -> tuple[HostStateDelta, ...]:
        """Store *resources* and flush."""
        return self.take((key_of(resource), resource) for resource in resources)

    def remove(self, *resources: Resource) -> tuple[HostStateDelta, ...]:
        return self.take((key_of(resource), None) for resource in resources)

    def take(self, updates: Iterable[tuple[ResourceKey, Resource | None]]) -> tuple[HostStateDelta, ...]:
        for key, value in updates:
            self.calculation.update(ResourceUpdate(key, value, revision=1))
        deltas = self.calculation.flush()
        self.state = apply(self.state, deltas)
        return deltas
