"""The kubelet of a lab: turns the Pods of the datastore into workloads, as long as they are there.

It follows Pods. Each Pod of one of its hosts has a task that is its whole life (``Workload.run``) and is cancelled when
the Pod is deleted; a new Pod of the same name waits until the old one is undone. A Pod without a node gets the host with the
fewest workloads.
"""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import Mapping

import msgspec

from tortie.datastore.store import Store
from tortie.datastore.syncer import sync
from tortie.lab.host import Host
from tortie.lab.podstatus import PodKey, bind, report
from tortie.lab.workload import Workload
from tortie.model.codec import InvalidResourceError, decode
from tortie.model.kinds import POD, parse_path
from tortie.model.kubernetes import Pod
from tortie.model.updates import InSync, Update

log = logging.getLogger(__name__)


class Kubelet:
    """One for all hosts of the lab."""

    def __init__(self, store: Store, hosts: Mapping[str, Host]) -> None:
        self._store = store
        self._hosts = hosts
        self._pods: dict[PodKey, Pod] = {}
        self._tasks: dict[PodKey, asyncio.Task[None]] = {}
        self._ending: set[PodKey] = set()
        """Those of the tasks that are being undone: cancelled once, never twice."""
        self._turn = asyncio.Lock()
        """Held by a workload that is being set up: each takes the event loop for some 20 ms, and commands come in between."""
        self.workloads: dict[PodKey, Workload] = {}
        """Those that are set up or being undone."""

    async def run(self) -> None:
        """Follow the datastore until cancelled."""
        async for batch in sync(self._store, [POD.prefix]):
            for item in batch:
                match item:
                    case Update(path, value, _):
                        self._remember(path, value)
                    case InSync():
                        self._settle()

    # --- what is wanted ------------------------------------------------------------------------------------------------------

    def _remember(self, path: str, value: bytes | None) -> None:
        """Note what became of one pod; an invalid one is taken to be absent."""
        key = parse_path(path)
        if key is None:
            return
        pod = PodKey(key.namespace, key.name)
        try:
            if value is not None:
                self._change(pod, decode(value, Pod))
                return
        except InvalidResourceError as error:
            log.warning("%s is ignored: %s", key, error)
        if self._pods.pop(pod, None) is not None:
            self._end(pod)

    def _change(self, key: PodKey, pod: Pod) -> None:
        self._pods[key] = pod
        if key in self.workloads and key not in self._ending:
            self.workloads[key].update(pod)

    def _end(self, key: PodKey) -> None:
        task = self._tasks.get(key)
        if task is None:
            return
        if task.done():
            del self._tasks[key]
        elif key not in self._ending:
            self._ending.add(key)
            task.cancel()

    # --- what is --------------------------------------------------------------------------------------------------------------

    def _settle(self) -> None:
        """Start what is missing."""
        for key, pod in self._pods.items():
            if key not in self._tasks:
                self._place(key, pod)

    def _place(self, key: PodKey, pod: Pod) -> None:
        if pod.spec.host_network:
            if not pod.status.phase:
                report(self._store, key, phase="Failed", message="the lab runs no pods in a host's own network")
        elif not pod.spec.node_name:
            bound = self._schedule(key, pod)
            self._pods[key] = bound  # at once, for the next one's place depends on it
            self._start(key, bound)
        elif pod.spec.node_name in self._hosts:
            self._start(key, pod)

    def _schedule(self, key: PodKey, pod: Pod) -> Pod:
        """Give *pod* the host with the fewest workloads, the first of several."""
        loads = Counter(other.spec.node_name for other in self._pods.values())
        host = min(self._hosts, key=lambda name: (loads[name], self._hosts[name].layout.number))
        bind(self._store, key, host)
        return msgspec.structs.replace(pod, spec=msgspec.structs.replace(pod.spec, node_name=host))

    def _start(self, key: PodKey, pod: Pod) -> None:
        workload = Workload(self._store, pod, self._hosts[pod.spec.node_name], self._turn)
        self.workloads[key] = workload
        task = asyncio.create_task(workload.run(), name=f"workload {key}")
        self._tasks[key] = task
        task.add_done_callback(lambda _: self._ended(key))

    def _ended(self, key: PodKey) -> None:
        task = self._tasks[key]
        del self.workloads[key]
        self._ending.discard(key)
        if task.cancelled():
            del self._tasks[key]
            self._settle()  # the pod may have been made anew meanwhile
        elif (error := task.exception()) is not None:
            # the task stays known: a workload that cannot be set up is not tried again until its pod is made anew
            log.error("workload %s: %s", key, error, exc_info=error)
            report(self._store, key, phase="Failed", message=str(error))
