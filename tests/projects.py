"""Projects with policies and tests of their own, for pytest to run inside of the tests of ``tortie.pytest_plugin``."""

from __future__ import annotations

import pytest

import tortie.pytest_plugin.clusters  # noqa: F401 - what was loaded before is not thrown away after the inner pytest

SHOP = """\
apiVersion: v1
kind: Pod
metadata: {name: web, namespace: shop, labels: {role: web}}
spec: {nodeName: host1, containers: [{name: main}]}
status: {podIPs: [{ip: 10.65.0.1}, {ip: "fd00::1"}]}
---
apiVersion: v1
kind: Pod
metadata: {name: db, namespace: shop, labels: {role: db}}
spec: {nodeName: host2, containers: [{name: main}]}
status: {podIPs: [{ip: 10.65.0.2}, {ip: "fd00::2"}]}
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: db, namespace: shop}
spec:
  podSelector: {matchLabels: {role: db}}
  ingress:
  - from: [{podSelector: {matchLabels: {role: web}}}]
    ports: [{port: 5432}]
"""
"""``web`` reaches ``db`` at TCP port 5432 and nowhere else."""

DENIED = "shop/web", "shop/db", "tcp/80"
ALLOWED = "shop/web", "shop/db", "tcp/5432"


def project(pytester: pytest.Pytester, body: str, folder: str = "policies") -> pytest.Pytester:
    """A project with the shop's policies, a pytest configuration and one test file: *body*."""
    pytester.makeini("[pytest]\n")
    pytester.mkdir(folder).joinpath("shop.yaml").write_text(SHOP)
    pytester.makepyfile(body)
    return pytester


def run(pytester: pytest.Pytester, *arguments: str) -> pytest.RunResult:
    """pytest as users have it: with the plugin, however this environment was installed."""
    return pytester.runpytest("-p", "no:tortie", "-p", "tortie.pytest_plugin", *arguments)
