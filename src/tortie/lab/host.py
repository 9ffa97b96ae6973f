"""One host of a lab: its namespaces, its agent, and what can be asked of it."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

from tortie.bird.control import CONTROL_PATH, BirdError, listener_pid
from tortie.bird.daemon import CONFIG_PATH
from tortie.lab import layout, mounts, namespaces, wiring
from tortie.lab.layout import HostLayout
from tortie.lab.processes import PATH, Process, process_state
from tortie.net import MAC, Address


class Host:
    """A running host. Whether its BIRD runs is the agent's business; what became of it can be seen here."""

    def __init__(self, host: HostLayout) -> None:
        self.layout = host
        self.name = host.name
        for name, _ in mounts.OWN_FOLDERS:
            (host.folder / name).mkdir(parents=True)
        (layout.LOGS / host.name).symlink_to(host.folder / "log")
        mounts.write_own_files(host.folder)
        self.space = namespaces.Space.create(host.name, self._arrange)
        mounts.name_network(host.name, self.space.net)
        self.agent: Process | None = None

    def _arrange(self) -> None:
        mounts.arrange_member(self.layout.folder, is_host=True)
        wiring.set_sysctls(forwards=True)

    def wire(self) -> None:
        """Configure its end of the link to the fabric, which the fabric has made."""
        wiring.run(self.name, wiring.host_lines(self.layout))

    def start_agent(self, *, supervise_bird: bool) -> None:
        """Start the agent, which starts BIRD."""
        argv = [sys.executable, "-m", "tortie", "agent", "run", "--node", self.name]
        argv += ["--datastore", layout.DATASTORE_URL]
        argv += ["--bgp-connect-delay", "1"]  # Calico's seconds of patience would be most of a lab's start
        argv += [] if supervise_bird else ["--no-supervise", "bird"]
        self.agent = Process.start(self.space, argv, self.log("agent"), _agent_environment())

    def start_bird(self) -> None:
        """Start BIRD with the configuration that the agent wrote, as an operator would; the agent takes it for its own."""
        argv = ["bird", "-f", "-c", str(CONFIG_PATH), "-s", str(CONTROL_PATH)]
        # killed, it has left its socket and its routes: it goes on from these (``tortie.bird.daemon``)
        argv += ["-R"] if self.control.exists() else []
        Process.start(self.space, argv, self.log("bird"), {})

    def forbid_bird(self) -> None:
        """Let no BIRD start from now on, only check configurations."""
        program = self._own_programs / "bird"
        program.parent.mkdir(exist_ok=True)
        real = shutil.which("bird", path=PATH)
        program.write_text(f'#!/bin/sh\n[ "$1" = -p ] && exec {real} "$@"\necho "the lab forbids it" >&2\nexit 1\n')
        program.chmod(0o755)

    def allow_bird(self) -> None:
        """End ``forbid_bird``."""
        (self._own_programs / "bird").unlink()

    @property
    def _own_programs(self) -> Path:
        """What the agent finds before all other programs."""
        return self.layout.folder / _BIN

    def log(self, name: str) -> Path:
        """Where *name*, the agent or a workload, writes."""
        return self.layout.logs / f"{name}.log"

    @property
    def agent_state(self) -> str:
        return "not started" if self.agent is None else self.agent.state

    @property
    def agent_pid(self) -> int | None:
        """The process id of its agent; None if none runs."""
        return None if self.agent is None or self.agent.exit_status is not None else self.agent.pid

    @property
    def bird_state(self) -> str:
        pid = self.bird_pid
        return "not running" if pid is None else process_state(pid)

    @property
    def bird_pid(self) -> int | None:
        """The process id of its BIRD; None if none runs."""
        try:
            return listener_pid(self.control)
        except BirdError:
            return None

    @property
    def control(self) -> Path:
        """BIRD's control socket."""
        return self.layout.run / "bird.ctl"

    def is_gated_open(self, ifname: str) -> bool:
        """Whether the agent says that the policy of the endpoint at *ifname* is in the kernel."""
        return self._gate(ifname).exists()

    def close_gate(self, ifname: str) -> None:
        """Take back the word of an agent that cannot do so itself."""
        self._gate(ifname).unlink(missing_ok=True)

    def _gate(self, ifname: str) -> Path:
        return self.layout.run / "endpoint-status" / ifname

    def add_link(self, ifname: str, network: str, mac: MAC, addresses: tuple[Address, ...]) -> None:
        """Join the workload in the network namespace called *network* to this host; WiringError."""
        wiring.run(self.name, wiring.workload_link_lines(ifname, network, mac))
        wiring.run(network, wiring.workload_lines(addresses))


_BIN = "bin"
"""The folder of programs in a host's own."""

_INHERITED = ("PYTHONPATH", "TORTIE_LOG_LEVEL", "TORTIE_LOG_FORMAT")


def _agent_environment() -> dict[str, str]:
    """What an agent gets of the environment: where programs are, what its interpreter needs to find it, and how to log."""
    return {"PATH": f"{layout.HERE / _BIN}:{PATH}"} | {
        name: os.environ[name] for name in _INHERITED if name in os.environ
    }
