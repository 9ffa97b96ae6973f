"""``tortie lab``: hosts and workloads out of network namespaces, on this machine."""

from __future__ import annotations

import contextlib
import datetime as dt
import json
import sys
import time
import uuid
from collections.abc import Callable, Mapping
from typing import IO, TYPE_CHECKING, Any, TypeVar

import click

from tortie.cli.errors import CommandError
from tortie.cli.progress import progress
from tortie.cli.settings import Settings

if TYPE_CHECKING:
    from tortie.lab.client import Lab

F = TypeVar("F", bound=Callable[..., Any])

DEFAULT_NAME = "default"

_FOLLOW_S = 0.2


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


def _name_option(command: F) -> F:
    return click.option(
        "--name", metavar="NAME", help="The lab. Default: the one that --lab or TORTIE_DATASTORE names, else `default`."
    )(command)


def _name(settings: Settings, name: str | None) -> str:
    """The lab that a command means."""
    if name:
        return name
    with contextlib.suppress(click.ClickException):
        return settings.lab_name() or DEFAULT_NAME
    return DEFAULT_NAME


def _find(settings: Settings, name: str | None) -> Lab:
    from tortie.lab.client import Lab  # noqa: PLC0415 - as everywhere here: only who uses a lab loads it

    return Lab.find(_name(settings, name))


# --- up, down, list, status ------------------------------------------------------------------------------------------------


@lab.command()
@click.option("--hosts", type=click.IntRange(min=1, max=100), default=3, show_default=True, metavar="N")
@_name_option
@click.option(
    "--no-supervise", type=click.Choice(["bird"]), multiple=True, help="Leave this program dead when it has died."
)
@click.pass_obj
def up(settings: Settings, hosts: int, name: str | None, no_supervise: tuple[str, ...]) -> None:
    """Start a lab, and leave it running.

    Returns when every host has an agent and has learnt the others' routes by BGP. Its hosts are called host1, host2, …
    """
    from tortie.lab.client import Lab  # noqa: PLC0415

    wanted = _name(settings, name)
    with progress(f"starting lab {wanted}") as tell:
        started = Lab.launch(wanted, hosts=hosts, supervise_bird="bird" not in no_supervise, progress=tell)
    started.detach()
    click.echo(f"Lab {wanted} is up. To use its datastore:\n\n  export TORTIE_DATASTORE=lab://{wanted}\n")
    click.echo(f"`tortie lab down --name {wanted}` removes it.")


@lab.command()
@_name_option
@click.pass_obj
def down(settings: Settings, name: str | None) -> None:
    """End a lab and everything in it."""
    found = _find(settings, name)
    found.down()
    click.echo(f"Lab {found.name} is gone.")


@lab.command(name="list")
def list_labs() -> None:
    """List your labs."""
    from tortie.lab import client  # noqa: PLC0415

    for name in client.names():
        click.echo(name)


@lab.command()
@_name_option
@click.option("-o", "--output", "form", type=click.Choice(["text", "json"]), default="text", help="How to print it.")
@click.pass_obj
def status(settings: Settings, name: str | None, form: str) -> None:
    """Show the hosts and workloads of a lab, and whether their agents and BIRDs run."""
    found = _find(settings, name).status()
    if form == "json":
        click.echo(json.dumps(found, indent=2))
        return
    _print_status(found)


def _print_status(status: Mapping[str, Any]) -> None:
    from tortie.cli.output import print_table  # noqa: PLC0415

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


# --- workloads and programs ------------------------------------------------------------------------------------------------


@lab.command()
@click.argument("workload", metavar="WORKLOAD")
@click.option("-n", "--namespace", default="default", show_default=True, metavar="NS", help="Made if it is missing.")
@click.option("-l", "--label", "labels", multiple=True, metavar="NAME=VALUE", help="May be repeated.")
@click.option("--host", metavar="HOST", help="Where to run. Default: the host with the fewest workloads.")
@_name_option
@click.argument("argv", metavar="-- PROGRAM [ARGUMENT]...", nargs=-1, required=True, type=click.UNPROCESSED)
@click.pass_obj
def run(
    settings: Settings, workload: str, namespace: str, labels: tuple[str, ...], host: str | None, name: str | None,
    argv: tuple[str, ...],
) -> None:  # fmt: skip
    """Run a program of this machine as a workload: a labelled Pod with an interface and addresses of its own.

    The same as applying such a Pod; `tortie delete pod NAME` ends it. The program starts when the policy that governs it is
    in the kernel.

    \b
    Example:
      tortie lab run web -n shop -l app=web --host host2 -- python3 -m http.server 80
    """
    wanted = _name(settings, name)
    pod: dict[str, Any] = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": workload, "namespace": namespace, "labels": _labels(labels)},
        "spec": {"containers": [{"name": workload, "command": list(argv)}]} | ({"nodeName": host} if host else {}),
    }
    if host and host not in (known := [item["name"] for item in _find(settings, name).status()["hosts"]]):
        raise CommandError(f"there is no host {host!r} in lab {wanted}; there are {', '.join(known)}")
    _create(wanted, pod)
    click.echo(f"Workload {namespace}/{workload} created; its output: tortie lab logs {namespace}/{workload}")


def _labels(texts: tuple[str, ...]) -> dict[str, str]:
    labels = {}
    for text in texts:
        name, equals, value = text.partition("=")
        if not equals:
            raise click.UsageError(f"{text!r} is not a label such as app=web")
        labels[name] = value
    return labels


def _create(name: str, pod: Mapping[str, Any]) -> None:
    """Write *pod*, and its namespace if that is missing; CommandError if the pod is there already."""
    from tortie.cli.datastore import open_store  # noqa: PLC0415
    from tortie.cli.writing import Stamp, perform, plan_apply  # noqa: PLC0415
    from tortie.model.document import read  # noqa: PLC0415
    from tortie.model.kinds import NAMESPACE, POD  # noqa: PLC0415

    namespace = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": pod["metadata"]["namespace"]}}
    results = [read(json.dumps(document), source="the command line") for document in (namespace, pod)]
    for result in results:
        if result.errors:
            raise CommandError(str(result.errors[0]))
    resources = [resource for result in results for resource in result.resources]
    stamp = Stamp(lambda: str(uuid.uuid4()), dt.datetime.now(dt.UTC).strftime("%Y-%m-%dT%H:%M:%SZ"))
    with open_store(f"lab://{name}") as store:
        there = {item.key for item in resources if store.list(item.key.path, limit=1).entries}
        if any(key.kind is POD for key in there):
            raise CommandError(f"there is a workload {pod['metadata']['namespace']}/{pod['metadata']['name']} already")
        wanted = [item for item in resources if not (item.key.kind is NAMESPACE and item.key in there)]
        perform(store, lambda: plan_apply(store, wanted, stamp), time.monotonic_ns, is_repeatable=True)


@lab.command(name="exec")
@click.argument("target", metavar="HOST|NAMESPACE/WORKLOAD")
@_name_option
@click.argument("argv", metavar="-- PROGRAM [ARGUMENT]...", nargs=-1, required=True, type=click.UNPROCESSED)
@click.pass_obj
def exec_(settings: Settings, target: str, name: str | None, argv: tuple[str, ...]) -> None:
    """Run a program in a host, a workload, or `fabric`, the router between the hosts. Exits as the program does."""
    from tortie.lab.enter import enter  # noqa: PLC0415

    sys.exit(enter(_find(settings, name), target, argv))


# --- logs ------------------------------------------------------------------------------------------------------------------


@lab.command()
@click.argument("target", metavar="[HOST|NAMESPACE/WORKLOAD]", default="")
@click.option("-f", "--follow", is_flag=True, help="Go on as the logs grow.")
@_name_option
@click.pass_obj
def logs(settings: Settings, target: str, follow: bool, name: str | None) -> None:
    """Print the logs of a host (its agent, its BIRD, its workloads), of a workload, or all of them."""
    found = _find(settings, name)
    with found.logs(target) as files:
        _copy(files)
        while follow and _is_up(found):
            time.sleep(_FOLLOW_S)
            _copy(files)


def _copy(files: Mapping[str, IO[bytes]]) -> None:
    """Print what has come since the last time; with several files, each line names its own."""
    for name, file in files.items():
        prefix = f"{name}: " if len(files) > 1 else ""
        for line in file:
            click.echo(prefix + line.decode(errors="replace").rstrip("\n"))


def _is_up(found: Lab) -> bool:
    from tortie.lab import client  # noqa: PLC0415

    return found.name in client.names()
