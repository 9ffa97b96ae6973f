"""What comes from the datastore reaches the calculation, be it read raw or typed; what is invalid is told once."""

from __future__ import annotations

import itertools
import json
import logging

import pytest

from tortie.agent.intake import PREFIXES, Intake
from tortie.calc.graph import Calculation
from tortie.calc.hoststate import (
    HostStateDelta,
    PolicyUpdate,
    RouteUpdate,
    WorkloadEndpointRemove,
    WorkloadEndpointUpdate,
)
from tortie.datastore.validation import BlockUpdate
from tortie.model.kinds import (
    IP_POOL,
    NODE,
    STAGED_KUBERNETES_NETWORK_POLICY,
    WORKLOAD_ENDPOINT,
    Kind,
    ResourceKey,
)
from tortie.model.meta import HostName
from tortie.model.updates import InSync, ResourceUpdate, Update

HOST = HostName("host1")
ENDPOINT = "host1-k8s-a-eth0"
BLOCK = "/calico/ipam/v2/assignment/ipv4/block/10.65.1.0-26"
CLAIM = "/calico/ipam/v2/host/host2/ipv4/block/10.65.1.0-26"


class Host:
    """An intake, and what came of it."""

    def __init__(self) -> None:
        self.routed: list[ResourceUpdate | BlockUpdate] = []
        self.calculation = Calculation(HOST)
        self.intake = Intake(self.calculation, self.routed.append)
        self._revisions = itertools.count(1)

    def put(self, key: str, value: bytes | None) -> None:
        self.intake.take([Update(key, value, next(self._revisions))])

    def put_resource(self, kind: Kind, namespace: str, name: str, **spec: object) -> None:
        metadata = {"name": name} | ({"namespace": namespace} if namespace else {})
        document = {"apiVersion": kind.api_version, "kind": kind.name, "metadata": metadata, "spec": spec}
        self.put(ResourceKey(kind, namespace, name).path, json.dumps(document).encode())

    def put_endpoint(self, **changes: object) -> None:
        spec = {"node": "host1", "orchestrator": "k8s", "pod": "a", "endpoint": "eth0", "interfaceName": "cali1"}
        self.put_resource(WORKLOAD_ENDPOINT, "ns", ENDPOINT, **(spec | {"ipNetworks": ["10.65.0.1/32"]} | changes))

    def sync(self) -> tuple[HostStateDelta, ...]:
        self.intake.take([InSync(next(self._revisions))])
        return self.calculation.flush()


def of_type(deltas: tuple[HostStateDelta, ...], *types: type) -> list[HostStateDelta]:
    return [delta for delta in deltas if isinstance(delta, types)]


@pytest.mark.parametrize("key", [BLOCK, CLAIM, ResourceKey(NODE, "", "host1").path], ids=["block", "claim", "node"])
def test_an_agent_follows_what_it_can_read(key: str) -> None:
    assert key.startswith(PREFIXES)


def test_an_endpoint_reaches_the_calculation_and_nobody_else() -> None:
    host = Host()
    host.put_endpoint()
    (update,) = of_type(host.sync(), WorkloadEndpointUpdate)
    assert isinstance(update, WorkloadEndpointUpdate)
    assert update.endpoint.ifname == "cali1"
    assert host.routed == []


def test_an_endpoint_that_becomes_invalid_is_gone_and_told_of_once(caplog: pytest.LogCaptureFixture) -> None:
    host = Host()
    host.put_endpoint()
    host.sync()
    with caplog.at_level(logging.WARNING):
        host.intake.take([Update(ResourceKey(WORKLOAD_ENDPOINT, "ns", ENDPOINT).path, b"{", 7)] * 3)
    assert len(caplog.records) == 1
    assert ENDPOINT in caplog.text
    assert of_type(host.calculation.flush(), WorkloadEndpointRemove)
    assert len(host.intake.invalid) == 1
    host.put_endpoint()
    assert of_type(host.calculation.flush(), WorkloadEndpointUpdate)
    assert not host.intake.invalid


def block(node: str) -> bytes:
    return json.dumps(
        {
            "cidr": "10.65.1.0/26",
            "affinity": f"host:{node}",
            "allocations": [None] * 64,
            "unallocated": list(range(64)),
            "attributes": [],
        }
    ).encode()


def test_whose_a_block_is_reaches_the_routes() -> None:
    host = Host()
    for number in (1, 2):
        host.put_resource(NODE, "", f"host{number}", bgp={"ipv4Address": f"192.0.2.{number}/24"})
    host.put_resource(IP_POOL, "", "pool", cidr="10.65.0.0/16")
    host.put(BLOCK, block("host2"))
    found = [delta for delta in of_type(host.sync(), RouteUpdate) if "10.65.1.0/26" in str(delta)]
    assert [getattr(delta, "node", "") for delta in found] == ["host2"]
    host.put(BLOCK, None)
    assert "10.65.1.0/26" in str(host.calculation.flush())


def test_an_invalid_block_is_told_of(caplog: pytest.LogCaptureFixture) -> None:
    host = Host()
    with caplog.at_level(logging.WARNING):
        host.put(BLOCK, b"[]")
    assert BLOCK in caplog.text


def test_a_claim_reaches_routing() -> None:
    host = Host()
    host.put(CLAIM, b'{"state": "confirmed"}')
    assert [type(update) for update in host.routed] == [BlockUpdate]


def test_a_staged_policy_of_kubernetes_is_known_and_not_enforced() -> None:
    host = Host()
    host.put_endpoint()
    host.put_resource(STAGED_KUBERNETES_NETWORK_POLICY, "ns", "trial", podSelector={}, policyTypes=["Ingress"])
    (update,) = of_type(host.sync(), PolicyUpdate)
    assert isinstance(update, PolicyUpdate)
    assert (update.id.kind, update.id.name) == ("StagedNetworkPolicy", "knp.default.trial")
    assert update.policy.staged


def test_nothing_is_flushed_before_the_datastore_was_read_whole() -> None:
    host = Host()
    host.put_endpoint()
    assert host.calculation.flush() == ()
    assert host.intake.revision is None
    host.sync()
    first = host.intake.revision
    host.sync()
    assert host.intake.revision == first is not None
