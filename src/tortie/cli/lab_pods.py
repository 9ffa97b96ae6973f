"""Pods that the lab's own commands make: a single workload of ``tortie lab run``, and those of ``tortie lab up --workloads``."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from tortie.cli.errors import CommandError

if TYPE_CHECKING:
    from tortie.datastore.store import Store

NAMESPACE = "default"
"""Of workloads whose namespace nobody named."""

_PATIENCE_S = 120.0
_POLL_S = 0.25


def pod(namespace: str, name: str, argv: Sequence[str], *, labels: Mapping[str, str], host: str) -> dict[str, Any]:
    """A Pod that runs *argv*; *host* may be empty."""
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "namespace": namespace, "labels": dict(labels)},
        "spec": {"containers": [{"name": name, "command": list(argv)}]} | ({"nodeName": host} if host else {}),
    }


def web_servers(hosts: Sequence[str], per_host: int) -> list[dict[str, Any]]:
    """Workloads to begin with: ``host1-w1`` with the labels ``host=host1`` and ``app=w1``, and so on, which listen at port 80."""
    return [
        pod(NAMESPACE, f"{host}-{app}", ["webserver"], labels={"app": app, "host": host}, host=host)
        for host in hosts
        for app in (f"w{number}" for number in range(1, per_host + 1))
    ]


def create(store: Store, pods: Sequence[Mapping[str, Any]]) -> None:
    """Write *pods*, all of one namespace, and that too if it is missing; CommandError if one is there already."""
    from tortie.cli.carrying_out import new_stamp  # noqa: PLC0415 - takes time to load, and only who writes pods needs it
    from tortie.cli.writing import perform, plan_apply  # noqa: PLC0415 - takes time to load, and only who writes pods needs it
    from tortie.model.document import read  # noqa: PLC0415 - takes time to load, and only who writes pods needs it
    from tortie.model.kinds import NAMESPACE as NAMESPACE_KIND  # noqa: PLC0415 - takes time to load, and only who writes pods needs it
    from tortie.model.kinds import POD  # noqa: PLC0415 - takes time to load, and only who writes pods needs it

    namespace = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": pods[0]["metadata"]["namespace"]}}
    results = [read(json.dumps(document), source="the command line") for document in (namespace, *pods)]
    for result in results:
        if result.errors:
            raise CommandError(str(result.errors[0]))
    resources = [resource for result in results for resource in result.resources]
    stamp = new_stamp()
    there = {item.key for item in resources if store.list(item.key.path, limit=1).entries}
    if taken := sorted(f"{key.namespace}/{key.name}" for key in there if key.kind is POD):
        raise CommandError(f"there is a workload {taken[0]} already")
    wanted = [item for item in resources if not (item.key.kind is NAMESPACE_KIND and item.key in there)]
    perform(store, lambda: plan_apply(store, wanted, stamp), time.monotonic_ns, is_repeatable=True)


def wait_until_running(store: Store, wanted: int, tell: Callable[[str], None]) -> None:
    """Wait for *wanted* pods of ``NAMESPACE``, and *tell* how many run; CommandError if one does not come to it.

    The datastore is asked, not the lab, whose answers come late while it is busy starting them.
    """
    from tortie.model.codec import decode  # noqa: PLC0415 - takes time to load, and only who waits for pods needs it
    from tortie.model.kinds import POD  # noqa: PLC0415 - takes time to load, and only who waits for pods needs it
    from tortie.model.kubernetes import Pod  # noqa: PLC0415 - takes time to load, and only who waits for pods needs it

    deadline = time.monotonic() + _PATIENCE_S
    running = -1
    while running < wanted:
        pods = [decode(entry.value, Pod) for entry in store.list(f"{POD.prefix}{NAMESPACE}/").entries]
        before, running = running, sum(pod.status.phase == "Running" for pod in pods)
        if running != before:
            tell(f"[{running}/{wanted}] workloads run")
        for pod in pods:
            phase = pod.status.phase or "Pending"
            is_late = phase != "Running" and time.monotonic() > deadline
            if is_late or phase in ("Failed", "Succeeded"):
                what = pod.status.message or f"it is {phase}"
                raise CommandError(f"workload {NAMESPACE}/{pod.metadata.name} does not run: {what}")
        time.sleep(_POLL_S)
