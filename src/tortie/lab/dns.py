"""The DNS server of a lab: the workload ``kube-system/kube-dns``, which follows the datastore as a cluster's own follows its API.

Answers A and AAAA over UDP and TCP (RFC 7766) for the names in ``zone``. It is a pod like any other: policies select it by
``k8s-app: kube-dns``, and who may not send to it cannot resolve names.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import sys
from argparse import ArgumentParser
from collections.abc import Callable, Sequence
from typing import TypeAlias, cast

from tortie.datastore.sqlite import SQLiteStore
from tortie.lab import http, layout
from tortie.lab.catalog import Catalog
from tortie.lab.dnsmessage import UDP_SIZE, MessageError, Query, Rcode, format_answer, parse_query
from tortie.lab.zone import Zone, look_up, zone

_TCP_SIZE = 0xFFFF
_IDLE_S = 10.0
"""A client of TCP that asks nothing for so long is not waited for."""

Answer: TypeAlias = Callable[[bytes, int], bytes]
"""From a message and the room for its answer to that answer; MessageError for what is best left without one."""


def answer(names: Zone, message: bytes, limit: int = UDP_SIZE) -> bytes:
    """What the server of *names* says to *message*, in at most *limit* bytes; MessageError."""
    query = parse_query(message)
    if query.error:
        return format_answer(query, query.error, limit=limit)
    return _answer(names, query, limit)


def _answer(names: Zone, query: Query, limit: int) -> bytes:
    found = look_up(names, query.name)
    if found is None:
        return format_answer(query, Rcode.NXDOMAIN, limit=limit)
    addresses = [address for address in found if address.family in query.families]
    return format_answer(query, Rcode.NOERROR, addresses, limit=limit)


class _UDPServer(asyncio.DatagramProtocol):
    def __init__(self, reply: Answer) -> None:
        self._reply = reply

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # no isinstance: the selector loop's is none of that class before Python 3.12
        self._transport = cast(asyncio.DatagramTransport, transport)

    def datagram_received(self, data: bytes, source: tuple[str | object, int]) -> None:
        with contextlib.suppress(MessageError):
            self._transport.sendto(self._reply(data, UDP_SIZE), source)


async def _serve_stream(reply: Answer, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Answer what comes over one TCP connection, each message behind its length (RFC 1035 §4.2.2), until it ends."""
    with contextlib.closing(writer), contextlib.suppress(OSError, asyncio.IncompleteReadError, MessageError):
        while True:
            async with asyncio.timeout(_IDLE_S):
                length = int.from_bytes(await reader.readexactly(2))
                message = await reader.readexactly(length)
            answered = reply(message, _TCP_SIZE)
            writer.write(len(answered).to_bytes(2) + answered)
            await writer.drain()


async def _serve(datastore: str) -> None:
    with SQLiteStore.open(datastore) as store:
        catalog = Catalog(store)
        names: Zone = {}

        def reply(message: bytes, limit: int) -> bytes:
            return answer(names, message, limit)

        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(catalog.follow())
            await catalog.changed.wait()
            names = zone(catalog.services.values(), catalog.pods.values())
            await _listen(reply)
            while True:
                await catalog.changed.wait()
                catalog.changed.clear()
                names = zone(catalog.services.values(), catalog.pods.values())


async def _listen(reply: Answer) -> None:
    """Answer at every address of both families. OSError."""
    loop = asyncio.get_running_loop()
    datagrams = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
    datagrams.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
    datagrams.bind(("::", layout.DNS_PORT))
    await loop.create_datagram_endpoint(lambda: _UDPServer(reply), sock=datagrams)
    await asyncio.start_server(lambda *streams: _serve_stream(reply, *streams), sock=http.listen("::", layout.DNS_PORT))


def main(argv: Sequence[str] | None = None) -> None:
    """Run until ended by a signal."""
    parser = ArgumentParser(prog="dns", description="Answers the names of a cluster's services.")
    parser.add_argument("--datastore", default=str(layout.DATASTORE), help="the SQLite file that holds the cluster")
    try:
        asyncio.run(_serve(parser.parse_args(argv).datastore))
    except KeyboardInterrupt:
        sys.exit(130)


if __name__ == "__main__":
    main()
