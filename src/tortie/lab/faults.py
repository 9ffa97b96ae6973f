"""What is broken in a lab on purpose, and how it is mended.

    link NAME    a host's link to the fabric, or a workload's to its host: the other side's end goes down, so that it loses carrier
    host NAME    it falls silent: its link is down, and its agent, its BIRD and its workloads' programs stand still
    bird NAME    it is killed, and so is the agent's every attempt at another
    agent NAME   it is killed; what it has put into the kernel stays

Nothing is simulated: interfaces are set down and processes get signals, and whoever notices does so as on a real host. A fault
that is there twice, such as the link of a silent host, is mended when both are.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import time
from typing import NamedTuple

from tortie.lab import layout, wiring
from tortie.lab.errors import LabError
from tortie.lab.host import Host
from tortie.lab.processes import process_state, processes_in
from tortie.lab.running import RunningLab
from tortie.lab.workload import Workload

KINDS = ("link", "host", "bird", "agent")
"""In the order in which they are mended: what stands on others comes after them."""

_BIRD_PATIENCE_S = 5.0
"""How long an agent may take to start its BIRD again: it looks after it every second."""

_POLL_S = 0.05


class Fault(NamedTuple):
    kind: str
    name: str
    """Of a host; a link may also be that of a workload, ``namespace/pod``."""

    def __str__(self) -> str:
        return f"{self.kind} {self.name}"


class Faults:
    """Those of one lab."""

    def __init__(self, lab: RunningLab) -> None:
        self._lab = lab
        self._made: dict[Fault, Host | Workload] = {}
        """What each was done to."""

    @property
    def active(self) -> tuple[Fault, ...]:
        """In the order in which they were made. Of a workload that is gone nothing is broken, nor of a later one of its name."""
        for fault, target in tuple(self._made.items()):
            if isinstance(target, Workload) and target not in self._lab.kubelet.workloads.values():
                del self._made[fault]
        return tuple(self._made)

    async def fail(self, fault: Fault) -> None:
        """Break something; LabError if there is no such thing, or it is broken already."""
        target = self._target(fault)
        if fault in self.active:
            raise LabError(f"{fault} has failed already; `tortie lab heal {fault}` mends it")
        match fault.kind, target:
            case "link", _:
                self._cut(target)
            case "host", Host():
                self._cut(target)
                self._signal_all(target, signal.SIGSTOP)
            case "bird", Host():
                target.forbid_bird()
                await _killed(target.bird_pid)
            case "agent", Host():
                await _killed(target.agent_pid)
        self._made[fault] = target

    async def heal(self, fault: Fault) -> None:
        """Mend something; LabError if it is not broken."""
        if fault not in self.active:
            broken = ", ".join(str(other) for other in self.active)
            raise LabError(f"{fault} has not failed; what has: {broken or 'nothing'}")
        target = self._made.pop(fault)
        match fault.kind, target:
            case "link", _:
                self._join(target)
            case "host", Host():
                self._signal_all(target, signal.SIGCONT)
                self._join(target)
            case "bird", Host():
                await self._start_bird(target)
            case "agent", Host():
                self._lab.start_agent(target)

    async def heal_all(self) -> tuple[Fault, ...]:
        """Mend everything; what was broken, in the order in which it was mended."""
        broken = sorted(self.active, key=lambda fault: KINDS.index(fault.kind))
        for fault in broken:
            await self.heal(fault)
        return tuple(broken)

    def _target(self, fault: Fault) -> Host | Workload:
        if fault.kind not in KINDS:
            raise LabError(f"what can fail is a {', a '.join(KINDS[:-1])} or an {KINDS[-1]}, not {fault.kind!r}")
        if fault.kind == "link" and "/" in fault.name:
            return self._lab.workload(fault.name)
        return self._lab.host(fault.name)

    # --- links ---------------------------------------------------------------------------------------------------------------

    def _cut(self, target: Host | Workload) -> None:
        network, ifname = _far_end(target)
        wiring.run(network, [f"link set {ifname} down"])

    def _join(self, target: Host | Workload) -> None:
        """Nothing while another fault needs the link to be down."""
        if any(other is target and fault.kind in ("link", "host") for fault, other in self._made.items()):
            return
        network, ifname = _far_end(target)
        lines = wiring.fabric_end_lines(target.layout) if isinstance(target, Host) else (f"link set {ifname} up",)
        wiring.run(network, lines)

    # --- processes -----------------------------------------------------------------------------------------------------------

    def _signal_all(self, host: Host, number: int) -> None:
        """To every process of the host and its workloads, and to those that they start meanwhile."""
        spaces = [host.space]
        spaces += [w.space for w in self._lab.kubelet.workloads.values() if w.host is host and w.space is not None]
        done: set[int] = set()
        while new := {pid for space in spaces for pid in processes_in(space)} - done:
            for pid in new:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, number)
            done |= new

    async def _start_bird(self, host: Host) -> None:
        """By its agent, or, where that does not run or leaves a dead BIRD dead, as an operator would."""
        host.allow_bird()
        if self._lab.supervise_bird and host.agent_state == "running":
            deadline = time.monotonic() + _BIRD_PATIENCE_S
            while host.bird_pid is None:
                if time.monotonic() > deadline:
                    raise LabError(
                        f"the agent of {host.name} does not start BIRD again; `tortie lab logs {host.name}` may say why"
                    )
                await asyncio.sleep(_POLL_S)
        elif host.bird_pid is None:
            host.start_bird()


def _far_end(target: Host | Workload) -> tuple[str, str]:
    """The network namespace and the name of the interface at the other end of its link."""
    if isinstance(target, Host):
        return layout.FABRIC, target.name
    return target.host.name, target.ifname


async def _killed(pid: int | None) -> None:
    """Kill a process, and wait until it has ended; nothing for None."""
    if pid is None:
        return
    os.kill(pid, signal.SIGKILL)
    while process_state(pid) != "gone":
        await asyncio.sleep(_POLL_S)
