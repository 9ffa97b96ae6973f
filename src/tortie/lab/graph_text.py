"""A lab's topology as text. No I/O."""

from __future__ import annotations

from collections.abc import Iterator

from tortie.lab import layout
from tortie.lab.topology import HostNode, Topology, WorkloadNode

_UP, _DOWN = "───", "─x─"
"""A link that carries packets, and one that does not."""


def as_text(shown: Topology) -> str:
    """A tree of hosts and workloads under the fabric, then the BGP sessions."""
    return "\n".join((*_tree(shown), "", *_sessions(shown), *(f"failed: {fault}" for fault in shown.faults)))


def _tree(shown: Topology) -> Iterator[str]:
    yield f"{layout.FABRIC}  {layout.FABRIC_V4}  {layout.FABRIC_V6}"
    for host in shown.hosts:
        is_last = host is shown.hosts[-1]
        yield f"{'└' if is_last else '├'}{_link(host)} {_host(host)}"
        width = max((len(workload.name) for workload in host.workloads), default=0)
        for workload in host.workloads:
            corner = "└" if workload is host.workloads[-1] else "├"
            yield f"{' ' if is_last else '│'}    {corner}{_link(workload)} {_workload(workload, width)}".rstrip()


def _link(node: HostNode | WorkloadNode) -> str:
    return _UP if node.is_linked else _DOWN


def _host(host: HostNode) -> str:
    wrong = [f"{what} {state}" for what, state in (("agent", host.agent), ("BIRD", host.bird)) if state != "running"]
    return "  ".join((host.name, *host.addresses, *wrong))


def _workload(workload: WorkloadNode, width: int) -> str:
    phase = () if workload.phase == "Running" else (workload.phase,)
    return "  ".join((f"{workload.name:{width}}", *workload.addresses, *phase))


def _sessions(shown: Topology) -> Iterator[str]:
    yield f"BGP sessions: {shown.established} of {shown.total} established"
    for session in shown.sessions:
        if not session.is_up:
            yield f"  {' to '.join(session.ends)}: {session.established} of {session.total}"
