"""A Kubernetes Pod on a node as the Calico workload endpoint of its interface."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping

import msgspec

from tortie.conversion.errors import ConversionError
from tortie.conversion.qos import qos_controls
from tortie.conversion.uid import derived_uid
from tortie.model.endpoint import WorkloadEndpoint, WorkloadEndpointPort, WorkloadEndpointSpec, endpoint_name
from tortie.model.kubernetes import ContainerPort, Pod
from tortie.model.meta import NAMESPACE_LABEL, ORCHESTRATOR_LABEL, HostName, ObjectMeta
from tortie.net import MAC, Address, Network, Protocol

ORCHESTRATOR = "k8s"
INTERFACE = "eth0"
"""The interface's name inside the pod."""

_RESERVED_PREFIXES = ("pcns.", "pcsa.")
"""Labels that come only from a namespace or service account: a pod that could set them would choose its own policy."""

_MAX_LABEL_VALUE = 63

ADDRESS_ANNOTATIONS = ("cni.projectcalico.org/podIPs", "cni.projectcalico.org/podIP")
"""Written by Calico's CNI plugin before the pod's status has its addresses."""

_FINISHED = ("Succeeded", "Failed")


def interface_name(namespace: str, pod: str) -> str:
    """The host's end of a pod's link: ``cali`` and 11 hexadecimal digits of the SHA-1 of ``<namespace>.<pod>``."""
    return "cali" + hashlib.sha1(f"{namespace}.{pod}".encode(), usedforsecurity=False).hexdigest()[:11]


def pod_labels(pod: Pod) -> Mapping[str, str]:
    """The labels of a pod's endpoint: its own, and those that tell namespace, orchestrator and service account."""
    labels = {
        key: value for key, value in sorted(pod.metadata.labels.items()) if not key.startswith(_RESERVED_PREFIXES)
    }
    labels[NAMESPACE_LABEL] = pod.metadata.namespace
    labels[ORCHESTRATOR_LABEL] = ORCHESTRATOR
    account = pod.spec.service_account_name
    # Longer names are no label values; the account of those is known from the spec only.
    if 0 < len(account) < _MAX_LABEL_VALUE:
        labels["projectcalico.org/serviceaccount"] = account
    return labels


def workload_endpoint(
    pod: Pod, *, node: HostName, ifname: str, mac: MAC | None, networks: tuple[Network, ...]
) -> WorkloadEndpoint:
    """The endpoint of a pod that *node* connects with link *ifname* and addresses *networks* (each a /32 or /128).

    ValueError for a node or pod name that cannot be part of an endpoint's name.
    """
    namespace, name = pod.metadata.namespace, pod.metadata.name
    return WorkloadEndpoint(
        metadata=ObjectMeta(
            name=endpoint_name(node, ORCHESTRATOR, name, INTERFACE),
            namespace=namespace,
            labels=pod_labels(pod),
            uid=derived_uid(pod.metadata.uid),
            creation_timestamp=pod.metadata.creation_timestamp,
        ),
        spec=WorkloadEndpointSpec(
            orchestrator=ORCHESTRATOR,
            node=node,
            pod=name,
            endpoint=INTERFACE,
            service_account_name=pod.spec.service_account_name,
            ip_networks=networks,
            profiles=_profiles(namespace, pod.spec.service_account_name),
            interface_name=ifname,
            mac=mac,
            ports=tuple(_ports(pod)),
            qos_controls=qos_controls(pod.metadata.annotations),
        ),
    )


def endpoint_of_pod(pod: Pod) -> WorkloadEndpoint | None:
    """The endpoint that a pod has by what it says of itself; None for one without a node, or with the host's network.

    With the pod's revision; without addresses until it has some, and again once it is finished. ConversionError for an address that is none, and for
    a name that cannot be part of an endpoint's.
    """
    if not pod.spec.node_name or pod.spec.host_network:
        return None
    try:
        endpoint = workload_endpoint(
            pod,
            node=HostName(pod.spec.node_name),
            ifname=interface_name(pod.metadata.namespace, pod.metadata.name),
            mac=None,
            networks=tuple(_addresses(pod)),
        )
    except ValueError as error:
        raise ConversionError(str(error)) from error
    metadata = msgspec.structs.replace(endpoint.metadata, resource_version=pod.metadata.resource_version)
    return msgspec.structs.replace(endpoint, metadata=metadata)


def _addresses(pod: Pod) -> Iterator[Network]:
    """Of the status, else of the annotations: addresses, or networks of one."""
    annotations = pod.metadata.annotations
    if pod.status.phase in _FINISHED:
        return
    texts = [entry.ip for entry in pod.status.pod_ips] or [pod.status.pod_ip]
    if not any(texts):
        listed = next((annotations[name] for name in ADDRESS_ANNOTATIONS if annotations.get(name)), "")
        texts = listed.split(",")
    for text in filter(None, texts):
        yield Network.parse(text, strict=False) if "/" in text else Address.parse(text).network()


def _profiles(namespace: str, service_account: str) -> tuple[str, ...]:
    of_namespace = f"kns.{namespace}"
    return (of_namespace, f"ksa.{namespace}.{service_account}") if service_account else (of_namespace,)


def _ports(pod: Pod) -> Iterator[WorkloadEndpointPort]:
    """The ports that rules may name or that the host publishes; a port that is neither means nothing to policy."""
    containers = (*pod.spec.containers, *pod.spec.init_containers)
    return _usable(port for container in containers for port in container.ports if port.name or port.host_port)


def _usable(ports: Iterable[ContainerPort]) -> Iterator[WorkloadEndpointPort]:
    for port in ports:
        try:
            protocol = Protocol.parse(port.protocol)
        except ValueError:
            continue
        if protocol.has_ports:
            yield WorkloadEndpointPort(
                name=port.name,
                protocol=protocol,
                port=port.container_port,
                host_port=port.host_port,
                host_ip=port.host_ip,
            )
