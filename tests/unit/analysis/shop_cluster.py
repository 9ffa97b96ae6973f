"""A small shop, for tests of tests: a web, its database, a service, and a job in another namespace, on a node each."""

from __future__ import annotations

from tortie.analysis.assertions import Located
from tortie.analysis.cluster import KnownCluster, filled_in
from tortie.analysis.templates import of_a_cluster
from tortie.model.document import read
from tortie.model.policytest import Connections, PolicyAssertion

NODES = """
{apiVersion: projectcalico.org/v3, kind: Node, metadata: {name: one}, spec: {addresses: [{address: 192.0.2.1}]}}
---
{apiVersion: projectcalico.org/v3, kind: Node, metadata: {name: two}, spec: {addresses: [{address: 192.0.2.2}]}}
"""
PODS = """
{apiVersion: v1, kind: Pod, metadata: {name: web, namespace: shop, labels: {role: web}}, spec: {nodeName: one, containers: []}, status: {podIP: 10.0.0.1}}
---
{apiVersion: v1, kind: Pod, metadata: {name: db, namespace: shop, labels: {role: db}}, spec: {nodeName: two, containers: []}, status: {podIP: 10.0.0.2}}
---
{apiVersion: v1, kind: Pod, metadata: {name: job, namespace: ops, labels: {role: job}}, spec: {nodeName: two, containers: []}, status: {podIP: 10.0.0.3}}
---
{apiVersion: v1, kind: Service, metadata: {name: data, namespace: shop}, spec: {selector: {role: db}, ports: [{port: 80, targetPort: 5432}]}}
"""
POLICY = """
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: db, namespace: shop}
spec:
  podSelector: {matchLabels: {role: db}}
  ingress:
  - from: [{podSelector: {matchLabels: {role: web}}}, {ipBlock: {cidr: 203.0.113.0/25}}]
    ports: [{port: 5432}]
"""


def cluster(*texts: str) -> KnownCluster:
    """What *texts* say, beside the shop's nodes and pods."""
    found = read("\n---\n".join((NODES, PODS, *texts)), prepare=of_a_cluster)
    assert found.errors == ()
    return filled_in({item.key: item.resource for item in found.resources})


def allow(source: str | tuple[str, ...], to: str | tuple[str, ...], *ports: str, within: str = "shop") -> Located:
    return Located(PolicyAssertion(allow=Connections(from_=source, to=to, ports=ports)), within, "test", 1)


def deny(source: str | tuple[str, ...], to: str | tuple[str, ...], *ports: str, within: str = "shop") -> Located:
    return Located(PolicyAssertion(deny=Connections(from_=source, to=to, ports=ports)), within, "test", 1)
