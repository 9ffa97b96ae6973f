"""Short ways to write the resources of a test, and a host to feed them to."""

from collections.abc import Iterable, Mapping
from typing import Any

from tortie.calc import Calculation, HostState, apply
from tortie.calc.hoststate import HostStateDelta, TierPolicies
from tortie.model import codec, kinds
from tortie.model.endpoint import HostEndpoint, WorkloadEndpoint, WorkloadEndpointPort, WorkloadEndpointSpec
from tortie.model.kinds import Kind, ResourceKey, kind_of
from tortie.model.meta import HostName, ObjectMeta, Resource
from tortie.model.policy import GlobalNetworkPolicy, NetworkPolicy, Profile, Tier, TierSpec
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


def resource(
    kind: Kind, name: str, namespace: str = "", labels: Mapping[str, str] = {}, created: str = "", **content: object
) -> Any:
    """One of any kind; *content* beside its metadata, in the spelling of YAML."""
    metadata = {"name": name, "namespace": namespace, "labels": dict(labels)}
    if created:
        metadata["creationTimestamp"] = created
    return codec.from_document(
        {"apiVersion": kind.api_version, "kind": kind.name, "metadata": metadata, **content}, kind.struct
    )


def policy(name: str, namespace: str = "ns", **spec: object) -> NetworkPolicy:
    """A NetworkPolicy; *spec* in the spelling of YAML."""
    found: NetworkPolicy = resource(kinds.NETWORK_POLICY, name, namespace, spec=spec)
    return found


def global_policy(name: str, **spec: object) -> GlobalNetworkPolicy:
    found: GlobalNetworkPolicy = resource(kinds.GLOBAL_NETWORK_POLICY, name, spec=spec)
    return found


def tier(name: str, order: float | None = None, default_action: str = "Deny") -> Tier:
    return Tier(
        metadata=ObjectMeta(name=name),
        spec=TierSpec(order=order, default_action="Pass" if default_action == "Pass" else "Deny"),
    )


def profile(name: str, labels: Mapping[str, str] = {}, **spec: object) -> Profile:
    found: Profile = resource(kinds.PROFILE, name, spec={"labelsToApply": dict(labels), **spec})
    return found


def network_set(name: str, *nets: str, namespace: str = "ns", labels: Mapping[str, str] = {}) -> Resource:
    found: Resource = resource(kinds.NETWORK_SET, name, namespace, labels, spec={"nets": list(nets)})
    return found


def endpoint_slice(
    name: str,
    *addresses: str,
    service: str = "db",
    namespace: str = "shop",
    ready: bool = True,
    **ports: tuple[str, int | None],
) -> Resource:
    """A slice of *service*; *ports* are protocol and number by name."""
    found: Resource = resource(
        kinds.ENDPOINT_SLICE,
        name,
        namespace,
        {"kubernetes.io/service-name": service},
        addressType="IPv4",
        endpoints=[{"addresses": [address], "conditions": {"ready": ready}} for address in addresses],
        ports=[{"name": n, "port": port, "protocol": protocol} for n, (protocol, port) in ports.items()],
    )
    return found


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


def names(tiers: Iterable[TierPolicies]) -> list[str]:
    """Of the ingress policies of *tiers*, in order."""
    return [policy_id.name for found in tiers for policy_id in found.ingress]


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
