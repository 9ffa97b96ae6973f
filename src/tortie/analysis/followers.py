"""What a cluster does by itself when somebody changes a pod: its endpoint follows the pod, and goes with it.

In a datastore both stand, and only the pod is what people write; its endpoint is the network plugin's.
"""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from tortie.conversion import workload_endpoint
from tortie.conversion.pod import ORCHESTRATOR
from tortie.model.endpoint import WorkloadEndpoint
from tortie.model.kinds import ResourceKey
from tortie.model.kubernetes import Pod
from tortie.model.meta import HostName, Resource


def followed(
    before: Mapping[ResourceKey, Resource], after: Mapping[ResourceKey, Resource]
) -> dict[ResourceKey, Resource]:
    """*after*, in which the endpoints of pods that are not as they were *before* are as they will be.

    An endpoint keeps its host, link and addresses; one that is itself not as it was stays as it is in *after*.
    """
    pods = {
        (key.namespace, key.name): after.get(key)
        for key in dict.fromkeys((*before, *after))
        if Pod in (type(before.get(key)), type(after.get(key))) and before.get(key) != after.get(key)
    }
    if not pods:
        return dict(after)
    found: dict[ResourceKey, Resource] = {}
    for key, resource in after.items():
        if not isinstance(resource, WorkloadEndpoint) or before.get(key) != resource:
            found[key] = resource
            continue
        whose = resource.metadata.namespace, resource.spec.pod
        if resource.spec.orchestrator != ORCHESTRATOR or whose not in pods:
            found[key] = resource
        elif isinstance(pod := pods[whose], Pod):
            found[key] = _following(resource, pod)
    return found


def _following(endpoint: WorkloadEndpoint, pod: Pod) -> WorkloadEndpoint:
    spec = endpoint.spec
    meant = workload_endpoint(
        pod, node=HostName(spec.node), ifname=spec.interface_name, mac=spec.mac, networks=spec.ip_networks
    )
    return msgspec.structs.replace(
        endpoint,
        metadata=msgspec.structs.replace(endpoint.metadata, labels=meant.metadata.labels),
        spec=msgspec.structs.replace(
            spec,
            ports=meant.spec.ports,
            profiles=meant.spec.profiles,
            service_account_name=meant.spec.service_account_name,
        ),
    )
