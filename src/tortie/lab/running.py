"""A running lab, as its daemon holds it: the hosts, the fabric, the kubelet, and how they are brought up."""

from __future__ import annotations

import asyncio
import datetime as dt
import os
import time
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import TypeAlias

from tortie.datastore.sqlite import SQLiteStore
from tortie.datastore.store import Put
from tortie.lab import bgp, bootstrap, layout, loopback
from tortie.lab.errors import LabError
from tortie.lab.fabric import Fabric
from tortie.lab.host import Host
from tortie.lab.kubelet import Kubelet
from tortie.lab.namespaces import Space
from tortie.lab.podstatus import PodKey
from tortie.lab.proxy import Proxy
from tortie.lab.settings import Settings
from tortie.lab.workload import Workload

READY_PATIENCE_S = 30.0
_POLL_S = 0.05

Say: TypeAlias = Callable[[str], None]
"""Called with each step of the start that is done."""


class RunningLab:
    """Owns everything in the lab but its first process."""

    STEPS = 5
    """How many steps ``start`` tells of."""

    def __init__(self, settings: Settings) -> None:
        self.supervise_bird = settings.supervise_bird
        self.store = SQLiteStore.open(layout.DATASTORE)
        self._layouts = layout.hosts(settings.hosts)
        self.fabric = Fabric(self._layouts)
        self.hosts = {str(host.name): Host(host) for host in self._layouts}
        self.kubelet = Kubelet(self.store, self.hosts)
        self.proxy = Proxy(self.store, self.hosts)
        self.tasks: set[asyncio.Task[None]] = set()
        """What runs as long as the lab does, once it is started."""

    async def start(self, say: Say) -> None:
        """Bring everything up, and wait until agents run, BGP has converged and names resolve. LabError, WiringError, BirdError."""
        now = dt.datetime.now(dt.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        entries = bootstrap.entries(self._layouts, uid=lambda: str(uuid.uuid4()), creation_timestamp=now)
        self.store.transact([], [Put(key, value) for key, value in entries])
        say("the datastore describes the cluster")
        # the agents take longest to start, and find the links whenever they come
        for host in self.hosts.values():
            self.start_agent(host)
        say("an agent starts on every host")
        self.fabric.wire()
        for host in self.hosts.values():
            host.wire()
        say("the hosts are joined to the fabric")
        self.tasks = {asyncio.create_task(part.run()) for part in (self.kubelet, self.proxy)}
        await self.fabric.start_bird()
        say("BIRD runs in the fabric")
        await self._converge()
        say("every host has learnt the others' routes, and names resolve")

    def start_agent(self, host: Host) -> None:
        """Start a host's agent, the first time or again; it finds what another has left."""
        host.start_agent(supervise_bird=self.supervise_bird)

    async def _converge(self) -> None:
        deadline = time.monotonic() + READY_PATIENCE_S
        while missing := await self._missing():
            if time.monotonic() > deadline:
                raise LabError(f"after {READY_PATIENCE_S:.0f} s {missing}")
            await asyncio.sleep(_POLL_S)

    async def _missing(self) -> str:
        """What the lab still waits for, a clause; empty if it is up. LabError, or what ended a task, if it waits in vain."""
        for task in self.tasks:
            if task.done():
                task.result()
        for host in self.hosts.values():
            if host.agent is not None and host.agent.exit_status is not None:
                raise LabError(f"the agent of {host.name} ended at once:\n{_last_lines(host.log('agent'))}")
        count = len(self.hosts)
        controls = {name: (host.control, bgp.expected_on_host(count)) for name, host in self.hosts.items()}
        controls[layout.FABRIC] = (self.fabric.control, bgp.expected_on_fabric(count))
        for name, (control, expected) in controls.items():
            found = (await bgp.read_sessions(control)).counts
            if found != expected:
                return f"BIRD on {name} has {found}, not {expected}"
        return await self._missing_of_dns()

    async def _missing_of_dns(self) -> str:
        try:
            os.close(await loopback.connect(self.space(layout.DNS_WORKLOAD), layout.DNS_PORT))
        except LabError as error:
            return str(error)
        served = layout.DNS_WORKLOAD in self.proxy.served
        return "" if served else f"no host has rules for the service {layout.DNS_WORKLOAD}"

    # --- finding things ------------------------------------------------------------------------------------------------------

    def host(self, name: str) -> Host:
        """LabError if there is none of that name."""
        if name not in self.hosts:
            raise LabError(f"there is no host {name!r}; the lab has {', '.join(self.hosts)}")
        return self.hosts[name]

    def workload(self, name: str) -> Workload:
        """The workload called ``namespace/pod``; LabError if it is not set up."""
        namespace, _, pod = name.partition("/")
        workload = self.kubelet.workloads.get(PodKey(namespace, pod))
        if workload is None or workload.space is None:
            known = ", ".join(str(key) for key in self.kubelet.workloads) or "none"
            raise LabError(f"there is no workload {name!r}; running: {known}")
        return workload

    def space(self, target: str) -> Space:
        """The namespaces of a host, of the fabric, or of a workload; LabError."""
        if target == layout.FABRIC:
            return self.fabric.space
        if "/" not in target:
            return self.host(target).space
        space = self.workload(target).space
        assert space is not None
        return space

    def logs(self, target: str) -> dict[str, Path]:
        """The logs of a host or a workload, or all; the name of each is its path below the folder of logs. LabError."""
        if "/" in target:
            workload = self.workload(target)
            files = [workload.host.log(workload.log)]
        elif target:
            folder = layout.LOGS / (target if target == layout.FABRIC else self.host(target).name)
            files = sorted(folder.glob("*.log"))
        else:
            files = sorted([*layout.LOGS.glob("*.log"), *layout.LOGS.glob("*/*.log")])
        return {str(file.relative_to(layout.LOGS)): file for file in files if file.exists()}


def _last_lines(log: Path) -> str:
    try:
        return "\n".join(log.read_text(errors="replace").splitlines()[-10:])
    except OSError:
        return "it left no log"
