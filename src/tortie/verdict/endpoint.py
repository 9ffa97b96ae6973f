"""A workload endpoint as policy sees it: its addresses, its ports, and all the labels that it has from anywhere."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from tortie.model.endpoint import WorkloadEndpoint, WorkloadEndpointPort
from tortie.model.policy import Profile
from tortie.net import Address, Family, Protocol
from tortie.verdict.flow import EndpointRef

NAMESPACE = "projectcalico.org/namespace"
ORCHESTRATOR = "projectcalico.org/orchestrator"
SERVICE_ACCOUNT = "projectcalico.org/serviceaccount"


class Endpoint(msgspec.Struct, frozen=True, kw_only=True):
    """A workload endpoint."""

    namespace: str
    name: str
    workload: str
    """The pod's or other workload's name: ``namespace/workload`` is how people call it."""
    addresses: tuple[Address, ...]
    labels: Mapping[str, str]
    profiles: tuple[str, ...]
    ports: tuple[WorkloadEndpointPort, ...]

    def at(self, family: Family) -> EndpointRef:
        """This endpoint by its first address of *family*; LookupError if it has none."""
        for address in self.addresses:
            if address.family is family:
                return EndpointRef(self.namespace, self.name, address)
        raise LookupError(f"{self.namespace}/{self.workload} has no IPv{family} address")

    def has_port(self, name: str, protocol: Protocol, number: int | None) -> bool:
        """Whether *number* of *protocol* is its port called *name*."""
        return any(port.name == name and port.protocol == protocol and port.port == number for port in self.ports)


def endpoint_of(resource: WorkloadEndpoint, profiles: Mapping[str, Profile]) -> Endpoint:
    """The endpoint that *resource* describes, with the labels that its profiles give it."""
    spec = resource.spec
    return Endpoint(
        namespace=resource.metadata.namespace,
        name=resource.metadata.name,
        workload=spec.pod or spec.workload or spec.container_id,
        addresses=tuple(network.address for network in spec.ip_networks),
        labels=_labels(resource, profiles),
        profiles=spec.profiles,
        ports=spec.ports,
    )


def _labels(resource: WorkloadEndpoint, profiles: Mapping[str, Profile]) -> Mapping[str, str]:
    """Where several sources have a label: what the endpoint is, then its own labels, then its profiles in order."""
    spec = resource.spec
    # pcns. and pcsa. labels come from profiles only; else a workload could claim another namespace's.
    own = {key: value for key, value in resource.metadata.labels.items() if not key.startswith(("pcns.", "pcsa."))}
    identity = {NAMESPACE: resource.metadata.namespace}
    if spec.orchestrator:
        identity[ORCHESTRATOR] = spec.orchestrator
    if spec.service_account_name:
        identity[SERVICE_ACCOUNT] = spec.service_account_name
    labels: dict[str, str] = {}
    for name in reversed(spec.profiles):
        if name in profiles:
            labels |= profiles[name].spec.labels_to_apply
    return labels | own | identity
