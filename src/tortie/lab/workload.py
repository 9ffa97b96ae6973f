"""One workload: a Pod as a process in namespaces of its own, from its addresses to its end.

    addresses → namespaces → link → WorkloadEndpoint in the datastore → [start gate: its policy is in the kernel] → process

The link exists before the endpoint is written, and the process starts only when the host's agent says that the endpoint's policy
is in the kernel: nothing is open because we are late. Undoing goes the other way round.
"""

from __future__ import annotations

import asyncio
import contextlib
import shutil

from tortie.conversion import interface_name, workload_endpoint
from tortie.datastore.store import NotFoundError, Store
from tortie.ipam import BlockFullError
from tortie.lab import layout, mounts, namespaces, wiring
from tortie.lab.addresses import assign_addresses, handle_id, release_addresses
from tortie.lab.host import Host
from tortie.lab.podstatus import PodKey, report
from tortie.lab.processes import Process, kill_all
from tortie.lab.zone import resolv_conf
from tortie.model.codec import encode_document, to_document
from tortie.model.kinds import WORKLOAD_ENDPOINT, ResourceKey
from tortie.model.kubernetes import Container, Pod
from tortie.net import Address

GATE_PATIENCE_S = 10.0
"""After so long without the agent's word, the pod's status says what it waits for."""

CLOSING_PATIENCE_S = 1.0
"""How long an agent may take to close the gate of an endpoint that is gone before it is taken to be dead."""

STOP_PATIENCE_S = 2.0
"""Between SIGTERM and SIGKILL."""

_POLL_S = 0.01


class Workload:
    """A pod on a host of the lab. ``run`` is its whole life; cancelling it undoes everything."""

    def __init__(self, store: Store, pod: Pod, host: Host, turn: asyncio.Lock) -> None:
        """*turn* is held while the workload is set up."""
        self.pod = pod
        self.host = host
        self.key = PodKey(pod.metadata.namespace, pod.metadata.name)
        self.addresses: tuple[Address, ...] = ()
        self.space: namespaces.Space | None = None
        self.ifname = interface_name(*self.key)
        """The host's end of its link."""
        self._network = f"{self.key.namespace}.{self.key.name}"
        self._folder = layout.MEMBERS / self._network
        self._handle = handle_id(*self.key)
        self._store = store
        self._turn = turn
        self._process: Process | None = None
        self._stored_endpoint = b""
        self._endpoint_path = ""

    @property
    def log(self) -> str:
        """Its log's name on its host."""
        return self._network

    async def run(self) -> None:
        """Set up, run until the process ends, stay (its interface lives as long as the pod); undo when cancelled."""
        try:
            try:
                async with self._turn:
                    self._attach()
                report(self._store, self.key, phase="Pending", addresses=self.addresses)
                await self._pass_gate()
                status = await self._run_process()
                phase = "Failed" if status else "Succeeded"
                report(self._store, self.key, phase=phase, message=f"exit status {status}")
            except (wiring.WiringError, BlockFullError, OSError, ValueError) as error:
                report(self._store, self.key, phase="Failed", message=str(error))
            await asyncio.Event().wait()
        finally:
            await self._detach()

    def update(self, pod: Pod) -> None:
        """The pod was changed: its labels are its endpoint's."""
        self.pod = pod
        if self._stored_endpoint:
            self._write_endpoint()

    # --- setting up --------------------------------------------------------------------------------------------------------

    def _attach(self) -> None:
        attributes = {"namespace": self.key.namespace, "pod": self.key.name, "node": str(self.host.name)}
        self.addresses = assign_addresses(self._store, self.host.layout.blocks, self._handle, attributes)
        self._folder.mkdir()
        self.host.log(self._network).unlink(missing_ok=True)  # an earlier pod's of that name
        mounts.write_own_files(self._folder, resolv_conf(self.key.namespace))
        self.space = namespaces.Space.create(self.key.name[:64], self._arrange)
        mounts.name_network(self._network, self.space.net)
        self.host.add_link(self.ifname, self._network, wiring.workload_mac(self.ifname), self.addresses)
        self._write_endpoint()

    def _arrange(self) -> None:
        mounts.arrange_member(self._folder, is_host=False)
        wiring.set_sysctls(forwards=False)

    def _write_endpoint(self) -> None:
        endpoint = workload_endpoint(
            self.pod,
            node=self.host.name,
            ifname=self.ifname,
            mac=wiring.workload_mac(self.ifname),
            networks=tuple(address.network() for address in self.addresses),
        )
        value = encode_document(to_document(endpoint))
        if value != self._stored_endpoint:
            self._endpoint_path = ResourceKey(WORKLOAD_ENDPOINT, self.key.namespace, endpoint.metadata.name).path
            self._store.apply(self._endpoint_path, value)
            self._stored_endpoint = value

    async def _pass_gate(self) -> None:
        """Wait until the endpoint's policy is in the kernel, however long that takes."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(GATE_PATIENCE_S):
                return await self._gate_opens()
        waits = f"the agent of {self.host.name} has not put this endpoint's policy into the kernel; is it running?"
        report(self._store, self.key, phase="Pending", message=waits)
        return await self._gate_opens()

    async def _gate_opens(self) -> None:
        while not self.host.is_gated_open(self.ifname):
            await asyncio.sleep(_POLL_S)

    async def _run_process(self) -> int:
        """Start the first container's command and wait for its end; its exit status. ValueError if it has no command."""
        assert self.space is not None
        container = self.pod.spec.containers[0] if self.pod.spec.containers else Container(name="")
        argv = [*container.command, *container.args]
        if not container.command:
            raise ValueError("the pod has no command; the lab runs programs of this machine, not images")
        environment = {"HOME": "/root"} | {variable.name: variable.value for variable in container.env}
        self._process = Process.start(self.space, argv, self.host.log(self._network), environment)
        report(self._store, self.key, phase="Running")
        return await self._process.wait()

    async def _gate_closes(self) -> None:
        """Wait until the agent has taken its word back: the next pod of this name must not take it for its own."""
        # counted here: asyncio.timeout does not tell its own cancellation from ours in a cancelled task before Python 3.11.4
        loop = asyncio.get_running_loop()
        deadline = loop.time() + CLOSING_PATIENCE_S
        while self.host.is_gated_open(self.ifname) and loop.time() < deadline:
            await asyncio.sleep(_POLL_S)
        self.host.close_gate(self.ifname)  # for an agent that does not run

    # --- undoing -----------------------------------------------------------------------------------------------------------

    async def _detach(self) -> None:
        if self._process is not None and self._process.exit_status is None:
            await self._process.stop(STOP_PATIENCE_S)
        if self.space is not None:
            kill_all(self.space)  # what was started there from outside
        if self._stored_endpoint:
            with contextlib.suppress(NotFoundError):
                self._store.delete(self._endpoint_path)
            await self._gate_closes()
        if self.space is not None:
            with contextlib.suppress(wiring.WiringError):  # it may not have come to a link
                wiring.run(self.host.name, [f"link delete {self.ifname}"])
            mounts.forget_network(self._network)
            self.space.close()
        shutil.rmtree(self._folder, ignore_errors=True)
        release_addresses(self._store, self.host.layout.blocks, self._handle)
