"""``tortie policy hoststate``: what a host is told, of files and of the datastore."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml
from click.testing import Result

from tortie.datastore.sqlite import SQLiteStore

Tortie = Callable[..., Result]

FILES = """
apiVersion: projectcalico.org/v3
kind: Node
metadata: {name: one}
spec: {bgp: {ipv4Address: 192.0.2.1/24}}
---
apiVersion: projectcalico.org/v3
kind: WorkloadEndpoint
metadata: {name: one-cni-c1-eth0, namespace: shop, labels: {app: api}}
spec: {node: one, orchestrator: cni, containerID: c1, workload: api, endpoint: eth0, interfaceName: cali1, ipNetworks: [10.0.0.3/32], profiles: [kns.shop]}
---
apiVersion: projectcalico.org/v3
kind: NetworkPolicy
metadata: {name: api, namespace: shop}
spec: {selector: app == 'api', types: [Ingress], ingress: [{action: Allow, source: {selector: app == 'web'}}]}
---
apiVersion: projectcalico.org/v3
kind: Tier
metadata: {name: default}
spec: {order: 1000000}
"""


@pytest.mark.parametrize("form", ["json", "yaml"])
def test_of_files_it_is_the_cluster_that_they_would_make(tortie: Tortie, tmp_path: Path, form: str) -> None:
    (tmp_path / "all.yaml").write_text(FILES)
    printed = tortie("policy", "hoststate", "--host", "one", "-f", str(tmp_path / "all.yaml"), "-o", form).stdout
    state = json.loads(printed) if form == "json" else yaml.safe_load(printed)
    assert state["host"] == "one"
    assert [policy["name"] for policy in state["policies"]] == ["api"]
    assert [(profile["name"], profile["ingress"]) for profile in state["profiles"]] == [
        ("kns.shop", [{"action": "Allow"}])
    ]
    assert [found["members"] for found in state["ipSets"]] == [[]]


def test_of_the_datastore_it_is_what_stands_there(tortie: Tortie) -> None:
    tortie("apply", "-f", "-", stdin=FILES)
    state = json.loads(tortie("policy", "hoststate", "--host", "one", "-o", "json").stdout)
    assert [(profile["name"], profile["ingress"]) for profile in state["profiles"]] == [
        ("kns.shop", [{"action": "Deny"}])
    ]
    assert [endpoint["ifname"] for endpoint in state["workloadEndpoints"]] == ["cali1"]
    assert state["hosts"][0]["ipv4"] == {"address": "192.0.2.1", "prefixLen": 24}


def test_a_stored_value_that_cannot_be_read_counts_as_absent_and_is_told(tortie: Tortie, store: SQLiteStore) -> None:
    tortie("apply", "-f", "-", stdin=FILES)
    key = "/calico/resources/v3/projectcalico.org/networkpolicies/shop/api"
    store.apply(key, b"{}")
    result = tortie("policy", "hoststate", "--host", "one", "-o", "json")
    assert f"Warning: {key} counts as absent" in result.stderr
    assert json.loads(result.stdout)["policies"] == []


def test_a_host_that_nothing_names_is_refused(tortie: Tortie) -> None:
    tortie("apply", "-f", "-", stdin=FILES)
    assert "there is no node 'two'; known: one" in tortie("policy", "hoststate", "--host", "two", status=1).stderr
