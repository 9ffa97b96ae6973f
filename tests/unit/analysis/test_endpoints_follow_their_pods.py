"""A pod that is changed takes its endpoint along, as the cluster would; what else changes an endpoint counts as it is written."""

from __future__ import annotations

import msgspec
from cluster_documents import pod

from tortie.analysis.cluster import cluster_of
from tortie.analysis.documents import read_documents
from tortie.analysis.followers import followed
from tortie.model import kinds
from tortie.model.endpoint import WorkloadEndpoint
from tortie.model.kinds import ResourceKey
from tortie.model.meta import Resource

Resources = dict[ResourceKey, Resource]
WEB = pod("shop/web", "10.0.0.1", node="one")
CHANGED = pod("shop/web", node="one", labels={"app": "new"}, serviceAccountName="robot", containers=[
    {"name": "main", "ports": [{"name": "http", "containerPort": 8080}]},
])  # fmt: skip


def stored(document: dict[str, object]) -> Resources:
    """The pod, and the endpoint that its host made of it as it is in ``WEB``."""
    pods = {key: read.resource for key, read in read_documents([document]).items()}
    endpoints = {key: r for key, r in cluster_of([WEB]).resources.items() if isinstance(r, WorkloadEndpoint)}
    return {**pods, **endpoints}


def endpoint(resources: Resources) -> WorkloadEndpoint:
    (found,) = (resource for resource in resources.values() if isinstance(resource, WorkloadEndpoint))
    return found


def test_an_endpoint_gets_its_pods_labels_ports_and_account_and_keeps_its_place() -> None:
    before, after = endpoint(stored(WEB)), endpoint(followed(stored(WEB), stored(CHANGED)))
    assert after.metadata.labels["app"] == "new"
    assert after.spec.service_account_name == "robot"
    assert after.spec.profiles == ("kns.shop", "ksa.shop.robot")
    assert [(port.name, port.port) for port in after.spec.ports] == [("http", 8080)]
    for field in ("node", "interface_name", "ip_networks", "pod"):
        assert getattr(after.spec, field) == getattr(before.spec, field)


def test_an_endpoint_goes_with_its_pod() -> None:
    after = {key: resource for key, resource in stored(WEB).items() if key.kind is not kinds.POD}
    assert followed(stored(WEB), after) == {}


def test_an_endpoint_that_is_changed_itself_is_as_it_is_written() -> None:
    after = stored(CHANGED)
    written = endpoint(after)
    written = msgspec.structs.replace(written, spec=msgspec.structs.replace(written.spec, node="two"))
    after = {key: written if isinstance(resource, WorkloadEndpoint) else resource for key, resource in after.items()}
    assert followed(stored(WEB), after) == after


def test_where_no_pod_changes_everything_stays() -> None:
    before = stored(WEB)
    after = {key: resource for key, resource in before.items() if key.kind is kinds.POD}
    assert followed(before, before) == before
    assert followed(before, after) == after
