"""``tortie lab``: hosts and workloads out of network namespaces, on this machine."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import click

from tortie.cli.datastore import open_store
from tortie.cli.lab_capture import capture
from tortie.cli.lab_faults import fail, heal
from tortie.cli.lab_graph import graph
from tortie.cli.lab_name import find, lab_name, name_option
from tortie.cli.lab_pods import create, wait_until_running, web_servers
from tortie.cli.lab_probe import probe
from tortie.cli.lab_workloads import exec_, logs, run, ui
from tortie.cli.output import print_table
from tortie.cli.progress import progress
from tortie.cli.settings import Settings
from tortie.lab import layout


@click.group()
def lab() -> None:
    """Build hosts and workloads out of network namespaces on this machine.

    Each host runs an agent and BIRD, as a real one would; a routed fabric joins them. No root is needed. Whatever ends the lab's
    first process leaves nothing behind.

    \b
    Examples:
      tortie lab up --hosts 2
      export TORTIE_DATASTORE=lab://default
      tortie lab run web -l app=web -- python3 -m http.server 80
      tortie lab exec host1 -- nft list ruleset
      tortie lab down
    """


for _command in (run, exec_, ui, logs, graph, probe, capture, fail, heal):
    lab.add_command(_command)


# --- up, down, list, status ------------------------------------------------------------------------------------------------


@lab.command()
@click.option("--hosts", type=click.IntRange(min=1, max=100), default=3, show_default=True, metavar="N")
@click.option("--workloads", type=click.IntRange(min=0, max=60), default=0, metavar="N",
              help="Web servers to start on each host, host1-w1 and so on.")  # fmt: skip
@name_option
@click.option(
    "--no-supervise", type=click.Choice(["bird"]), multiple=True, help="Leave this program dead when it has died."
)
@click.pass_obj
def up(settings: Settings, hosts: int, workloads: int, name: str | None, no_supervise: tuple[str, ...]) -> None:
    """Start a lab, and leave it running.

    Returns when every host has an agent and has learnt the others' routes by BGP, and names resolve. Its hosts are called host1, host2, …
    """
    from tortie.lab.client import Lab  # noqa: PLC0415 - only who uses a lab loads it

    wanted = lab_name(settings, name)
    with progress(f"starting lab {wanted}") as tell:
        started = Lab.launch(wanted, hosts=hosts, supervise_bird="bird" not in no_supervise, progress=tell)
    with started:
        if workloads:
            _fill(wanted, hosts, workloads)
        started.detach()
    click.echo(f"Lab {wanted} is up. To use its datastore:\n\n  export TORTIE_DATASTORE=lab://{wanted}\n")
    click.echo(f"`tortie lab down --name {wanted}` removes it.")


def _fill(name: str, hosts: int, workloads: int) -> None:
    servers = web_servers([host.name for host in layout.hosts(hosts)], workloads)
    with open_store(f"lab://{name}") as store:
        create(store, servers)
        with progress("starting workloads") as tell:
            wait_until_running(store, len(servers), tell)


@lab.command()
@name_option
@click.pass_obj
def down(settings: Settings, name: str | None) -> None:
    """End a lab and everything in it."""
    found = find(settings, name)
    found.down()
    click.echo(f"Lab {found.name} is gone.")


@lab.command(name="list")
def list_labs() -> None:
    """List your labs."""
    from tortie.lab import client  # noqa: PLC0415 - with asyncio, which few commands of the group need

    for name in client.names():
        click.echo(name)


@lab.command()
@name_option
@click.option("-o", "--output", "form", type=click.Choice(["text", "json"]), default="text", help="How to print it.")
@click.pass_obj
def status(settings: Settings, name: str | None, form: str) -> None:
    """Show the hosts and workloads of a lab, and whether their agents and BIRDs run."""
    found = find(settings, name).status()
    if form == "json":
        click.echo(json.dumps(found, indent=2))
        return
    _print_status(found)


def _print_status(status: Mapping[str, Any]) -> None:
    hosts = [
        (
            host["name"], host["ipv4"], host["ipv6"], host["agent"], host["bird"],
            f"{host['bgp']['established']} of {host['bgp']['sessions']}",
        )
        for host in status["hosts"]
    ]  # fmt: skip
    print_table(("HOST", "IPV4", "IPV6", "AGENT", "BIRD", "BGP SESSIONS"), hosts)
    workloads = [
        (f"{item['namespace']}/{item['name']}", *(item[key] for key in ("host", "ipv4", "ipv6", "phase", "message")))
        for item in status["workloads"]
    ]
    if workloads:
        click.echo()
        print_table(("WORKLOAD", "HOST", "IPV4", "IPV6", "PHASE", "MESSAGE"), workloads)
    if status["faults"]:
        click.echo()
        print_table(("FAILED", "NAME"), [(fault["kind"], fault["name"]) for fault in status["faults"]])
