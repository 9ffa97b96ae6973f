"""The V form of the vectors (namespaces, pods, policies, queries) as documents and questions of ``tortie policy query``."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

from tortie.model.codec import Document

FILES = ("k8s_verdicts.json", "calico_verdicts.json", "cnp.json", "demos.json")
"""The files whose cases have this form."""


class State(NamedTuple):
    """One state of a case, and what is asked of it."""

    documents: tuple[Document, ...]
    queries: tuple[dict[str, Any], ...]
    allowed: tuple[bool, ...]
    """The expected answers."""


def states(case: dict[str, Any]) -> Iterator[State]:
    """The states of a case, in order: one, or its steps; a demo's steps add policies to those before."""
    if "flows" in case:
        yield from _demo_states(case)
        return
    for state in case.get("steps", [case]):
        yield State(
            documents=tuple(documents(state)),
            queries=tuple(map(_query, state["queries"])),
            allowed=tuple(query["allowed"] for query in state["queries"]),
        )


def documents(state: dict[str, Any]) -> Iterator[Document]:
    """Namespaces, Pods and policies, as their API servers would print them."""
    for name, labels in state["namespaces"].items():
        yield {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": labels}}
    yield from map(_pod, state["pods"])
    yield from state["policies"]


def _demo_states(case: dict[str, Any]) -> Iterator[State]:
    policies: list[Document] = []
    for step in case["steps"]:
        policies += step["policies_added"]
        asked = {label: flow for label, flow in case["flows"].items() if label in step["allowed"]}
        yield State(
            documents=tuple(documents({**case, "policies": policies})),
            queries=tuple(map(_query, asked.values())),
            allowed=tuple(step["allowed"][label] for label in asked),
        )


def _pod(pod: dict[str, Any]) -> Document:
    ports = [
        {"name": name, "containerPort": number, "protocol": protocol}
        for name, (number, protocol) in pod["ports"].items()
    ]
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": pod["name"], "namespace": pod["namespace"], "labels": pod["labels"]},
        "spec": {"containers": [{"name": "main", "ports": ports}]},
        "status": {"phase": "Running", "podIP": pod["ip"]},
    }


def _query(query: dict[str, Any]) -> dict[str, Any]:
    return {field: query[field] for field in ("src", "dst", "protocol", "port")}
