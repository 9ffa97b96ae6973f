"""Answers what commands ask of a running lab (``protocol``)."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import os
import signal
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple, assert_never

from tortie.lab import bgp, loopback, protocol
from tortie.lab.collect import collect_logs, collect_space
from tortie.lab.errors import LabError
from tortie.lab.faults import Fault, Faults
from tortie.lab.host import Host
from tortie.lab.links import UPLINK, link_state
from tortie.lab.protocol import Reply
from tortie.lab.running import RunningLab
from tortie.lab.workload import Workload

log = logging.getLogger(__name__)


class Answer(NamedTuple):
    """A reply's data, and the descriptors to send with it, which are closed afterwards."""

    data: Any = None
    descriptors: tuple[int, ...] = ()


class Service:
    """Serves one lab on a listening socket."""

    def __init__(self, name: str, lab: RunningLab, *, has_user_namespace: bool, end: Callable[[], None]) -> None:
        self._name = name
        self._lab = lab
        self._has_user_namespace = has_user_namespace
        self._end = end
        self._faults = Faults(lab)
        self._connections: set[asyncio.Task[None]] = set()

    async def run(self, listener: socket.socket) -> None:
        """Accept connections until cancelled."""
        listener.setblocking(False)
        while True:
            connection, _ = await asyncio.get_running_loop().sock_accept(listener)
            task = asyncio.create_task(self._serve(connection))
            self._connections.add(task)
            task.add_done_callback(self._connections.discard)

    async def _serve(self, connection: socket.socket) -> None:
        with connection, contextlib.suppress(OSError):  # whoever asked may be gone
            if protocol.peer_uid(connection) != os.getuid():
                return  # an abstract socket has no permissions: everybody may connect
            request = await protocol.read_request(connection)
            reply, descriptors = await self._reply(request)
            try:
                await protocol.write_reply(connection, reply, descriptors)
            finally:
                for descriptor in descriptors:
                    os.close(descriptor)
                if isinstance(request, protocol.Down):  # also if nobody listens to the answer
                    self._end()

    async def _reply(self, request: protocol.Request) -> tuple[Reply, tuple[int, ...]]:
        """What to send; an error concerns only who asked."""
        try:
            answer = await self._answer(request)
        except OSError as error:  # a LabError among them
            return Reply(error=str(error)), ()
        except Exception as error:
            log.exception("%s", request)
            return Reply(error=f"the lab's daemon failed: {error!r}"), ()
        return Reply(data=answer.data), answer.descriptors

    async def _answer(self, request: protocol.Request) -> Answer:
        match request:
            case protocol.Status():
                return Answer(await self._status())
            case protocol.Down():
                # of process 1: readable once it has ended, and that is once the kernel has ended all others
                return Answer(descriptors=(os.pidfd_open(1),))
            case protocol.Join(target):
                return self._join(target)
            case protocol.Connect(workload, port):
                return Answer(descriptors=(await loopback.connect(self._lab.space(workload), port),))
            case protocol.Collect(folder):
                await self._collect(Path(folder))
                return Answer()
            case protocol.Signal(host, process, number):
                return self._signal(host, process, number)
            case protocol.Logs(target):
                return self._logs(target)
            case protocol.Fail(kind, name):
                await self._faults.fail(Fault(kind, name))
                return Answer()
            case protocol.Heal(kind, name):
                return Answer(await self._heal(kind, name))
            case _:
                assert_never(request)

    # --- each request --------------------------------------------------------------------------------------------------------

    async def _status(self) -> dict[str, Any]:
        # at once, since a BIRD that hangs takes its time
        hosts = await asyncio.gather(*(_host_status(host) for host in self._lab.hosts.values()))
        workloads = [_workload_status(workload) for _, workload in sorted(self._lab.kubelet.workloads.items())]
        faults = [fault._asdict() for fault in self._faults.active]
        return {"name": self._name, "hosts": hosts, "workloads": workloads, "faults": faults}

    async def _heal(self, kind: str, name: str) -> list[Fault]:
        if not kind:
            return list(await self._faults.heal_all())
        await self._faults.heal(Fault(kind, name))
        return [Fault(kind, name)]

    def _join(self, target: str) -> Answer:
        """The user namespace comes first, for it gives the right to join the others, and the mount namespace last."""
        space = self._lab.space(target) if target else self._lab.fabric.space
        opened: dict[str, int] = {}
        if self._has_user_namespace:
            opened["user"] = os.open("/proc/self/ns/user", os.O_RDONLY | os.O_CLOEXEC)
        if target:
            opened["pid"] = os.open("/proc/self/ns/pid", os.O_RDONLY | os.O_CLOEXEC)
            opened["net"], opened["uts"] = os.dup(space.net), os.dup(space.uts)
        opened["mnt"] = os.dup(space.mnt)
        return Answer(list(opened), tuple(opened.values()))

    async def _collect(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "status.json").write_text(json.dumps(await self._status(), indent=2))
        collect_logs(folder)
        controls = {host.space: host.control for host in self._lab.hosts.values()}
        controls[self._lab.fabric.space] = self._lab.fabric.control
        for space, control in controls.items():
            await asyncio.to_thread(collect_space, folder / space.name, space, control)

    def _logs(self, target: str) -> Answer:
        logs = self._lab.logs(target)
        if len(logs) > protocol.MAX_DESCRIPTORS:
            raise LabError(f"there are {len(logs)} logs, too many at once: name a host or a workload")
        return Answer(list(logs), tuple(os.open(path, os.O_RDONLY | os.O_CLOEXEC) for path in logs.values()))

    def _signal(self, name: str, process: str, number: int) -> Answer:
        host = self._lab.host(name)
        pids: dict[str, Callable[[], int | None]] = {
            "agent": lambda: host.agent_pid,
            "bird": lambda: host.bird_pid,
        }
        if process not in pids:
            raise LabError(f"a host has the processes {' and '.join(pids)}, not {process!r}")
        pid = pids[process]()
        if pid is None:
            raise LabError(f"{name} runs no {process}")
        os.kill(pid, signal.Signals(number))
        return Answer()


async def _host_status(host: Host) -> dict[str, Any]:
    sessions = await bgp.read_sessions(host.control)
    return {
        "name": host.name,
        "ipv4": str(host.layout.ipv4),
        "ipv6": str(host.layout.ipv6),
        "agent": host.agent_state,
        "bird": host.bird_state,
        "link": link_state(host.space, UPLINK),
        "bgp": {"established": sessions.established, "sessions": sessions.total},
        "peers": [peer._asdict() for peer in sessions.peers],
    }


def _workload_status(workload: Workload) -> dict[str, Any]:
    addresses = {f"ipv{int(address.family)}": str(address) for address in workload.addresses}
    status = workload.pod.status
    return {
        "namespace": workload.key.namespace,
        "name": workload.key.name,
        "host": workload.host.name,
        "phase": status.phase or "Pending",
        "link": "down" if workload.space is None else link_state(workload.space, UPLINK),
        "ipv4": addresses.get("ipv4", ""),
        "ipv6": addresses.get("ipv6", ""),
        "message": status.message,
    }
