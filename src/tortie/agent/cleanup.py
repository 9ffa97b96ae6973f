"""Taking away all that an agent leaves on a host: its table, routes, BIRD, start gate.

The host is then as if no agent had ever run: open, without routes to workloads. Settings of the kernel (forwarding) stay, since
others may need them by now.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable

from tortie.agent.settings import AgentSettings
from tortie.bird.daemon import BirdDaemon
from tortie.dataplane.nft import NftDriver
from tortie.dataplane.routes import RouteDriver


async def cleanup(settings: AgentSettings, say: Callable[[str], None]) -> None:
    """Remove everything of ours; safe to repeat. KernelRefusedError, BirdError."""
    await BirdDaemon(settings.bird).stop()
    settings.bird.config.unlink(missing_ok=True)
    say("no BIRD of ours runs, and none of its routes is left")
    routes = RouteDriver()
    count = len(routes.read_back())
    for batch in routes.plan():
        routes.apply(batch)
    routes.close()
    say(f"routes to workloads removed: {count}")
    shutil.rmtree(settings.endpoint_status, ignore_errors=True)
    with NftDriver() as driver:
        driver.cleanup()
    say("the nf_tables table tortie is gone: this host enforces nothing")
