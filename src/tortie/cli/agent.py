"""``tortie agent``: the daemon that enforces policy on a host."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import signal

import click

from tortie.agent.cleanup import cleanup as clean_up
from tortie.agent.daemon import Agent
from tortie.agent.lock import HostLock, SecondAgentError
from tortie.agent.settings import AgentSettings
from tortie.bird.control import BirdError
from tortie.cli.datastore import open_store
from tortie.cli.errors import CommandError
from tortie.cli.settings import Settings, datastore_options
from tortie.dataplane.driver import KernelRefusedError
from tortie.dataplane.nft import NewerTableError
from tortie.model.meta import HostName
from tortie.routing import SessionTimers

_log = logging.getLogger(__name__)


@click.group()
def agent() -> None:
    """Run the agent that enforces policy on a host, or take away what it left."""


@agent.command()
@click.option("--node", metavar="NAME", required=True, help="The name of this host's Node resource.")
@datastore_options
@click.option(
    "--no-supervise", type=click.Choice(["bird"]), multiple=True, help="Leave this program dead when it has died."
)
@click.option(
    "--resync-seconds",
    type=click.FloatRange(min=1),
    default=60,
    show_default=True,
    help="How often the kernel is listed and compared with what it should hold.",
)
@click.option(
    "--bgp-connect-delay",
    type=click.IntRange(min=1),
    metavar="SECONDS",
    help="How long BIRD waits before it connects to a peer, or connects again. Default: Calico's 2, 5 and 30.",
)
@click.pass_obj
def run(
    settings: Settings, node: str, datastore: str | None, lab: str | None, no_supervise: tuple[str, ...],
    resync_seconds: float, bgp_connect_delay: int | None,
) -> None:  # fmt: skip
    """Enforce the datastore's policies on this host until stopped.

    Programs nf_tables (table tortie), the routes to this host's workloads and their links' settings, and tells BIRD about
    nodes and blocks, starting it if none runs. Needs CAP_NET_ADMIN.

    Ending the agent leaves everything in force; `tortie agent cleanup` removes it. A second agent on a host refuses to start.

    \b
    Example:
      tortie agent run --node host1 --datastore sqlite:///var/lib/tortie/tortie.db
    """
    logging.getLogger("tortie").setLevel(min(logging.INFO, logging.getLogger().level))
    delay = bgp_connect_delay
    agent_settings = AgentSettings(
        node=HostName(node),
        supervise_bird="bird" not in no_supervise,
        resync_s=resync_seconds,
        timers=SessionTimers(
            connect_delay_s=delay, connect_retry_s=delay, error_wait_min_s=delay, error_wait_max_s=delay
        ) if delay else SessionTimers(),
    )  # fmt: skip
    try:
        # the store first: opening a lab's joins that lab's network namespace, to which the lock belongs
        with open_store(settings.over(datastore, lab).connection()) as store, HostLock():
            asyncio.run(_until_stopped(Agent(agent_settings, store)))
    except (SecondAgentError, NewerTableError) as error:
        raise CommandError(str(error)) from error
    except PermissionError as error:
        raise CommandError(f"the agent needs CAP_NET_ADMIN: run it as root ({error})") from error
    _log.info("ended; rules, routes and BIRD stay in force")


async def _until_stopped(running: Agent) -> None:
    """Run *running* until SIGTERM or SIGINT."""
    task = asyncio.create_task(running.run())
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, task.cancel)
    with contextlib.suppress(asyncio.CancelledError):
        await task


@agent.command()
def cleanup() -> None:
    """Remove everything that an agent left on this host: table tortie, its routes, BIRD.

    The host then enforces nothing. Refused while an agent runs.
    """
    settings = AgentSettings(node=HostName(""))
    try:
        with HostLock():
            asyncio.run(clean_up(settings, click.echo))
    except (SecondAgentError, KernelRefusedError, BirdError) as error:
        raise CommandError(str(error)) from error
