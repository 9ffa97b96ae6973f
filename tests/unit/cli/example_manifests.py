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

SHOP_POD = """
apiVersion: v1
kind: Pod
metadata: {{name: {name}, namespace: shop, labels: {{app: {name}}}}}
spec: {{containers: [{{name: main}}]}}
status: {{podIP: 10.0.0.{number}}}
---"""
SHOP_PODS = "".join(SHOP_POD.format(name=name, number=number) for number, name in enumerate(("web", "db", "backup"), 1))
"""``shop/web``, ``shop/db`` and ``shop/backup``, each followed by another document."""
WEB_ENDPOINT = """
apiVersion: projectcalico.org/v3
kind: WorkloadEndpoint
metadata: {name: host1-k8s-web-eth0, namespace: shop, labels: {app: web}}
spec:
  {orchestrator: k8s, node: host1, pod: web, endpoint: eth0, interfaceName: cali1, ipNetworks: [10.0.0.1/32], profiles: [kns.shop]}
"""
"""Where a host has connected ``shop/web``."""
SHOP_TEST = """
apiVersion: tortie.dev/v1
kind: PolicyTest
metadata: {name: shop, namespace: shop}
spec:
  tests:
  - allow: {from: web, to: db, ports: tcp/5432}
  - deny: {from: backup, to: db}
"""
"""What ``DATABASE_POLICY`` is for."""

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
