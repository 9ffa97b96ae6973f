"""A demo's manifests as the resources that agents see, without a lab: addresses are given in the order of the pods."""

from __future__ import annotations

from collections.abc import Iterator

from tortie.conversion import interface_name, meaning, workload_endpoint
from tortie.lab.demo import Demo, Manifest
from tortie.model.document import read
from tortie.model.kubernetes import Pod
from tortie.model.meta import HostName, Resource
from tortie.net import Network


def demo_resources(demo: Demo, steps: int) -> tuple[Resource, ...]:
    """The Calico objects that exist after the first *steps* steps of *demo*, its workloads' endpoints among them."""
    manifests = [*demo.workloads, *(manifest for step in demo.steps[:steps] for manifest in step.apply)]
    objects = [resource for manifest in manifests for resource in _read(demo, manifest)]
    pods = [resource for resource in objects if isinstance(resource, Pod)]
    converted = [calico for resource in objects for calico in meaning(resource).values()]
    return (*converted, *(_endpoint(pod, number) for number, pod in enumerate(pods, start=1)))


def _read(demo: Demo, manifest: Manifest) -> Iterator[Resource]:
    text = (demo.folder / manifest.file).read_text()
    result = read(text, source=manifest.file, default_namespace=manifest.namespace or "default")
    assert not result.errors, result.errors
    return (item.resource for item in result.resources)


def _endpoint(pod: Pod, number: int) -> Resource:
    namespace, name = pod.metadata.namespace, pod.metadata.name
    return workload_endpoint(
        pod,
        node=HostName(pod.spec.node_name),
        ifname=interface_name(namespace, name),
        mac=None,
        networks=(Network.parse(f"10.65.0.{number}/32"), Network.parse(f"fd00:65::{number}/128")),
    )
