"""The router that joins the hosts, and plays what is outside: the lab's own network namespace, and a BIRD that learns the blocks."""

from __future__ import annotations

from collections.abc import Sequence

from tortie.bird import BirdDaemon, BirdPaths
from tortie.lab import layout, mounts, namespaces, wiring
from tortie.lab.layout import HostLayout
from tortie.routing import fabric_intent, render

FOLDER = layout.RUN / "fabric"


class Fabric:
    """Made in the namespaces that the daemon itself lives in."""

    def __init__(self, hosts: Sequence[HostLayout]) -> None:
        self._hosts = hosts
        self.space = namespaces.Space.current(layout.FABRIC)
        wiring.set_sysctls(forwards=True)
        mounts.name_network(layout.FABRIC, self.space.net)
        self.log = layout.LOGS / layout.FABRIC / "bird.log"
        self.control = FOLDER / "bird.ctl"
        self._bird = BirdDaemon(BirdPaths(config=FOLDER / "bird.conf", control=self.control, log=self.log))

    def wire(self) -> None:
        """Make every host's link, whose other end moves into that host."""
        wiring.run(layout.FABRIC, wiring.fabric_lines(self._hosts))

    async def start_bird(self) -> None:
        """Start BIRD; BirdError if it will not."""
        addresses = [address for host in self._hosts for address in (host.ipv4, host.ipv6)]
        intent = fabric_intent(
            addresses,
            ipv4_address=layout.FABRIC_V4,
            ipv6_address=layout.FABRIC_V6,
            local_as=layout.AS_NUMBER,
            restart_time_s=layout.RESTART_TIME_S,
        )
        await self._bird.apply(render(intent))
