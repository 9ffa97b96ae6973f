"""``tortie lab capture``: the packets of a host or a workload."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from typing import Any

import click

from tortie.cli.errors import CommandError
from tortie.cli.lab_name import find, name_option
from tortie.cli.settings import Settings
from tortie.lab import layout
from tortie.net import Address


@click.command()
@click.argument("target", metavar="HOST|NAMESPACE/WORKLOAD")
@click.option("-w", "--write", "file", type=click.Path(dir_okay=False, allow_dash=True), default="-", metavar="FILE",
              help="Where to write them. Default: standard output.")  # fmt: skip
@click.option("-i", "--interface", default="", metavar="NAME", help="Only this interface. Default: all of them.")
@click.option("--host", "hosts", multiple=True, metavar="ADDRESS|NAME",
              help="Only packets from or to this address, host or workload. May be repeated.")  # fmt: skip
@click.option("--port", "ports", type=click.IntRange(0, 65535), multiple=True, metavar="PORT",
              help="Only packets from or to this port. May be repeated.")  # fmt: skip
@click.option("-c", "--count", type=click.IntRange(min=1), metavar="N", help="End after so many packets.")
@name_option
@click.pass_obj
def capture(
    settings: Settings, target: str, file: str, interface: str, hosts: tuple[str, ...], ports: tuple[int, ...],
    count: int | None, name: str | None,
) -> None:  # fmt: skip
    """Capture the packets of a host, a workload, or `fabric`, as a pcap file, until Ctrl-C.

    A packet that passes through a host is seen twice there, as it comes and as it goes. Interfaces are told by their numbers,
    which only a program inside can name: `tortie lab exec HOST -- tcpdump -nr FILE`.

    \b
    Examples:
      tortie lab capture shop/web | wireshark -k -i -
      tortie lab capture host1 -w host1.pcap --host shop/web --port 80
    """
    from tortie.lab.enter import enter  # noqa: PLC0415 - with asyncio, which few commands of the group need

    if file == "-" and sys.stdout.isatty():
        raise click.UsageError("a terminal cannot show packets: name a file with -w, or pipe into a program")
    lab = find(settings, name)
    known = _named(lab.status())
    if target not in known:
        raise CommandError(f"there is no {target!r} in lab {lab.name}; there are {', '.join(known)}")
    argv = [sys.executable, "-m", "tortie.lab.sniffer", f"--interface={interface}", f"--count={count or 0}"]
    argv += [f"--host={address}" for host in hosts for address in _addresses(host, known)]
    argv += [f"--port={port}" for port in ports]
    if file != "-":
        # opened out here: inside, the path may mean another file
        descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o666)
        os.dup2(descriptor, sys.stdout.fileno())
        os.close(descriptor)
    sys.exit(enter(lab, target, argv))


def _named(status: Mapping[str, Any]) -> dict[str, tuple[str, ...]]:
    """The addresses of everything in the lab that has packets, by name."""
    named = {host["name"]: host for host in status["hosts"]}
    named |= {f"{item['namespace']}/{item['name']}": item for item in status["workloads"]}
    addresses = {name: tuple(filter(None, (item["ipv4"], item["ipv6"]))) for name, item in named.items()}
    return addresses | {layout.FABRIC: (str(layout.FABRIC_V4), str(layout.FABRIC_V6))}


def _addresses(text: str, known: Mapping[str, tuple[str, ...]]) -> tuple[str, ...]:
    """Those of something in the lab, or the one that *text* itself is; CommandError."""
    if text in known:
        return known[text]
    try:
        return (str(Address.parse(text)),)
    except ValueError:
        raise CommandError(f"{text!r} is no address, and neither a host nor a workload of this lab") from None
