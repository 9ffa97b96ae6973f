"""``tortie lab run``, ``exec``, ``ui`` and ``logs``: workloads, programs inside, and what they say."""

from __future__ import annotations

import sys
import time
from collections.abc import Mapping
from typing import IO, TYPE_CHECKING

import click

from tortie.cli.datastore import open_store
from tortie.cli.errors import CommandError
from tortie.cli.lab_name import find, lab_name, name_option
from tortie.cli.lab_pods import NAMESPACE, create, pod
from tortie.cli.options import labels_of
from tortie.cli.settings import Settings
from tortie.lab.layout import FABRIC

if TYPE_CHECKING:
    from tortie.lab.client import Lab

_FOLLOW_S = 0.2


@click.command()
@click.argument("workload", metavar="WORKLOAD")
@click.option("-n", "--namespace", default=NAMESPACE, show_default=True, metavar="NS", help="Made if it is missing.")
@click.option("-l", "--label", "labels", multiple=True, metavar="NAME=VALUE", help="May be repeated.")
@click.option("--host", metavar="HOST", help="Where to run. Default: the host with the fewest workloads.")
@name_option
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
    wanted = lab_name(settings, name)
    if host and host not in (known := [item["name"] for item in find(settings, name).status()["hosts"]]):
        raise CommandError(f"there is no host {host!r} in lab {wanted}; there are {', '.join(known)}")
    with open_store(f"lab://{wanted}") as store:
        create(store, [pod(namespace, workload, argv, labels=labels_of(labels), host=host or "")])
    click.echo(f"Workload {namespace}/{workload} created; its output: tortie lab logs {namespace}/{workload}")


@click.command(name="exec")
@click.argument("target", metavar="HOST|NAMESPACE/WORKLOAD")
@name_option
@click.argument("argv", metavar="-- PROGRAM [ARGUMENT]...", nargs=-1, required=True, type=click.UNPROCESSED)
@click.pass_obj
def exec_(settings: Settings, target: str, name: str | None, argv: tuple[str, ...]) -> None:
    """Run a program in a host, a workload, or `fabric`, the router between the hosts. Exits as the program does."""
    from tortie.lab.enter import enter  # noqa: PLC0415 - with asyncio, which few commands of the group need

    sys.exit(enter(find(settings, name), target, argv))


@click.command()
@click.argument("workload", metavar="[NAMESPACE/WORKLOAD]", default="")
@click.option(
    "--listen",
    default="",
    metavar="ADDRESS:PORT",
    help="Where to serve it. Default: 127.0.0.1:30002, or any free port there.",
)
@name_option
@click.pass_obj
def ui(settings: Settings, workload: str, listen: str, name: str | None) -> None:
    """Open a page of a lab to a browser on this machine, until Ctrl-C: who reaches whom, live, beside the policies in force.

    A cell for each workload and each port that another one listens at, measured as `tortie lab probe` does for as long as somebody
    looks; a click on one tells the rule behind it. With the name of a workload that serves a page itself, as the management UI
    of the Stars demo does, it opens that one, for as long as the workload runs.

    \b
    Examples:
      tortie lab ui
      tortie lab ui --listen 0.0.0.0:8080    for other machines too
      tortie lab ui management-ui/management-ui
    """
    from tortie.lab import ui as page  # noqa: PLC0415 - with asyncio, which few commands of the group need
    from tortie.lab.enter import enter  # noqa: PLC0415 - with asyncio, which few commands of the group need

    found = find(settings, name)
    listener = page.listen(listen)
    said = f"Watch it at {page.url(listener)}"
    if workload:
        page.hand_in(found, workload, listener)
        click.echo(said)
    else:
        click.echo(said)
        listener.set_inheritable(True)
        sys.exit(enter(found, FABRIC, page.lab_page_program(listener)))


# --- logs ------------------------------------------------------------------------------------------------------------------


@click.command()
@click.argument("target", metavar="[HOST|NAMESPACE/WORKLOAD]", default="")
@click.option("-f", "--follow", is_flag=True, help="Go on as the logs grow.")
@name_option
@click.pass_obj
def logs(settings: Settings, target: str, follow: bool, name: str | None) -> None:
    """Print the logs of a host (its agent, its BIRD, its workloads), of a workload, or all of them."""
    found = find(settings, name)
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
    from tortie.lab import client  # noqa: PLC0415 - with asyncio, which few commands of the group need

    return found.name in client.names()
