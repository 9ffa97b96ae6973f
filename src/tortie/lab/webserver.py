"""The web server of the demos: one page, which says which pod it comes from."""

from __future__ import annotations

import socket
from argparse import ArgumentParser, Namespace
from collections.abc import Sequence

from tortie.lab import http
from tortie.lab.program import add_common_options, run


def handler(name: str) -> http.Handler:
    """Answers ``GET /`` with the page of the pod *name*, and 404 to everything else."""
    page = http.Response(200, f"Welcome to {name}\n".encode(), "text/plain; charset=utf-8")

    def handle(request: http.Request) -> http.Response:
        return page if request.method == "GET" and request.path.partition("?")[0] == "/" else http.NOT_FOUND

    return handle


async def _serve(options: Namespace) -> None:
    server = await http.serve(handler(socket.gethostname()), options.http_address, options.http_port)
    await server.serve_forever()


def main(argv: Sequence[str] | None = None) -> None:
    """Run until ended by a signal."""
    parser = ArgumentParser(prog="webserver", description="Serves a page that says which pod it comes from.")
    add_common_options(parser, port=80)
    options = parser.parse_args(argv)
    run(options, lambda: _serve(options))


if __name__ == "__main__":
    main()
