"""What an update looks at is what it changes: the same in a cluster of a thousand endpoints and of a hundred thousand."""

import pytest
from calc_resources import HOST

from tortie.calc import Calculation
from tortie.model import kinds
from tortie.model.codec import encode_document
from tortie.model.kinds import Kind, ResourceKey

MEMBERS = 20
"""Endpoints of each set and of each namespace, however large the cluster."""


def take(
    calculation: Calculation, kind: Kind, namespace: str, name: str, labels: dict[str, str], spec: dict[str, object]
) -> None:
    metadata = {"name": name, **({"namespace": namespace} if namespace else {}), "labels": labels}
    document = {"kind": kind.name, "apiVersion": kind.api_version, "metadata": metadata, "spec": spec}
    assert calculation.update_raw(ResourceKey(kind, namespace, name).path, encode_document(document)) is None


def take_endpoint(calculation: Calculation, number: int, node: str = "there", peer: int | None = None) -> None:
    namespace, peer = f"ns-{number // MEMBERS}", number // MEMBERS if peer is None else peer
    spec = {
        "orchestrator": "k8s", "node": node, "pod": f"p{number}", "endpoint": "eth0", "interfaceName": f"cali{number}",
        "ipNetworks": [f"10.{number >> 16}.{number >> 8 & 255}.{number & 255}/32"], "profiles": [f"kns.{namespace}"],
    }  # fmt: skip
    labels = {"peer": f"g{peer}", "app": "x" if node == HOST else "y"}
    take(calculation, kinds.WORKLOAD_ENDPOINT, namespace, f"{node}-k8s-p{number}-eth0", labels, spec)


def take_policy(calculation: Calculation, number: int, peer: int, order: float = 1) -> None:
    rule = {"action": "Allow", "source": {"selector": f"peer == 'g{peer}'"}}
    spec = {"selector": "app == 'x'", "order": order, "types": ["Ingress"], "ingress": [rule]}
    take(calculation, kinds.GLOBAL_NETWORK_POLICY, "", f"q{number}", {}, spec)


def take_namespace(calculation: Calculation, number: int, team: str) -> None:
    take(calculation, kinds.PROFILE, "", f"kns.ns-{number}", {}, {"labelsToApply": {"pcns.team": team}})


def cluster(endpoints: int) -> Calculation:
    calculation = Calculation(HOST)
    for number in range(40):
        take_policy(calculation, number, peer=number)
    for number in range(3):
        take_endpoint(calculation, number, node=HOST)
    for number in range(MEMBERS, endpoints):
        take_endpoint(calculation, number)
    calculation.in_sync()
    calculation.flush()
    return calculation


def visits(calculation: Calculation, name: str) -> int:
    before = calculation.visited
    CHANGES[name](calculation)
    assert calculation.flush()
    return calculation.visited - before


CHANGES = {
    "a remote endpoint joins a set": lambda c: take_endpoint(c, 500, peer=7),
    "a remote endpoint comes": lambda c: take_endpoint(c, 150_000, peer=8),
    "a local endpoint's labels change": lambda c: take_endpoint(c, 1, node=HOST, peer=9),
    "a local endpoint comes": lambda c: take_endpoint(c, 3, node=HOST),
    "a policy's rule needs another set": lambda c: take_policy(c, 11, peer=41),
    "a policy's order changes": lambda c: take_policy(c, 12, peer=12, order=2),
    "a policy comes": lambda c: take_policy(c, 99, peer=42),
    "a namespace's labels change": lambda c: (take_namespace(c, 5, "blue"), take_endpoint(c, 501, peer=7)),
}


@pytest.fixture(scope="module")
def looked_at() -> dict[int, dict[str, int]]:
    clusters = {size: cluster(size) for size in (1_000, 10_000, 100_000)}
    return {size: {name: visits(c, name) for name in CHANGES} for size, c in clusters.items()}


@pytest.mark.parametrize("name", CHANGES)
def test_an_update_looks_at_as_much_in_any_cluster(looked_at, name):
    counts = {looked_at[size][name] for size in looked_at}
    assert len(counts) == 1
    assert 0 < counts.pop() <= 6 * MEMBERS
