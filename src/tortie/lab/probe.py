"""The probe of the Stars demo: asks its URLs again and again, and tells at ``/status`` which of them answer.

    {"status": {"targets": [{"url": "http://frontend.stars:80/status", "reachable": true, "ipv4": true, "ipv6": false,
                             "checked": {"ipv4": 1234.5, "ipv6": 1234.5}}, ...]}}

Every URL is asked once per family and period; any HTTP answer makes it reachable, in that family and so at all. ``checked`` is
when the attempt behind an answer began, in seconds of CLOCK_MONOTONIC, which all processes of a machine share.
"""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from collections.abc import Sequence

from tortie.lab import http
from tortie.lab.program import add_common_options, run
from tortie.lab.target import Prober, Target


def status(targets: Sequence[Target]) -> dict[str, object]:
    """The answer to ``GET /status``, targets in the order of ``--urls``."""
    return {"status": {"targets": [target.as_json() for target in targets]}}


def handler(targets: Sequence[Target]) -> http.Handler:
    """Answers ``GET /status``, and 404 to everything else."""

    def handle(request: http.Request) -> http.Response:
        if request.method == "GET" and request.path.partition("?")[0] == "/status":
            return http.json_response(status(targets))
        return http.NOT_FOUND

    return handle


def _parse(argv: Sequence[str] | None) -> Namespace:
    parser = ArgumentParser(prog="probe", description="Asks URLs again and again and tells at /status which answer.")
    parser.add_argument("--urls", required=True, help="what to ask, separated by commas")
    add_common_options(parser, port=9000)
    parser.add_argument("--http-probe-seconds", type=float, default=5, help="how often to ask (default: 5)")
    return parser.parse_args(argv)


async def _probe(options: Namespace) -> None:
    targets = [Target(url) for url in options.urls.split(",") if url]
    server = await http.serve(handler(targets), options.http_address, options.http_port)
    prober = Prober(options.http_probe_seconds, options.http_connect_seconds, changed=options.say)
    for target in targets:
        prober.watch(target)
    await server.serve_forever()


def main(argv: Sequence[str] | None = None) -> None:
    """Run until ended by a signal."""
    options = _parse(argv)
    run(options, lambda: _probe(options))


if __name__ == "__main__":
    main()
