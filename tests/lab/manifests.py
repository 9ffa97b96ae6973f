"""Kubernetes objects for tests, and how they come into a lab."""

from __future__ import annotations

import json
from typing import Any

from tortie.lab.client import Lab


def namespace(name: str) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}


def pod(name: str, *command: str, host: str = "", **labels: str) -> dict[str, Any]:
    """A pod of one container; without a *host* the lab chooses."""
    spec = {"containers": [{"name": name, "command": list(command)}]} | ({"nodeName": host} if host else {})
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name, "labels": labels}, "spec": spec}


def service(name: str, *, port: int = 80, **spec: Any) -> dict[str, Any]:
    """A service in front of the pods with label ``app: NAME``, at TCP *port*, unless *spec* says otherwise."""
    whole = {"selector": {"app": name}, "ports": [{"port": port}]} | spec
    return {"apiVersion": "v1", "kind": "Service", "metadata": {"name": name}, "spec": whole}


def network_policy(name: str, **spec: Any) -> dict[str, Any]:
    return {"apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy", "metadata": {"name": name}, "spec": spec}


def apply(lab: Lab, tortie, *objects: dict[str, Any]) -> None:
    """Write *objects*, those that name no namespace into ``t``."""
    text = "\n---\n".join(json.dumps(item) for item in (namespace("t"), *objects))
    done = tortie("--lab", lab.name, "apply", "-n", "t", "-f", "-", text=text)
    assert done.returncode == 0, done.stderr
