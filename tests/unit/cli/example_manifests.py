"""Files that more than one test gives to the command."""

DATABASE_POLICY = """
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: db, namespace: shop}
spec:
  podSelector: {matchLabels: {app: db}}
  ingress:
  - from: [{podSelector: {matchLabels: {app: web}}}]
    ports: [{port: 5432}]
"""
"""Only ``shop/web`` may reach ``shop/db``, at one port."""

PODS_AND_POLICY = """
{apiVersion: v1, kind: Pod, metadata: {name: web, namespace: a, labels: {role: front, tier: x}}, spec: {nodeName: h1, containers: []}}
---
{apiVersion: v1, kind: Pod, metadata: {name: db, namespace: b, labels: {role: back}}, spec: {containers: []}}
---
{apiVersion: projectcalico.org/v3, kind: GlobalNetworkPolicy, metadata: {name: g}, spec: {order: 10, selector: has(role)}}
"""

GOOD = "apiVersion: v1\nkind: Namespace\nmetadata: {name: shop}\n"
WRONG = "apiVersion: v1\nkind: Namespace\nmetadata: {name: shop, labls: {}}\n"
REGRETTED = (
    "apiVersion: projectcalico.org/v3\nkind: GlobalNetworkPolicy\nmetadata: {name: x}\n"
    "spec:\n  types: [Egress]\n  ingress: [{action: Allow}]\n"
)
"""Accepted with a warning."""
