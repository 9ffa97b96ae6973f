"""The collector of the Stars demo, its management UI: fetches every probe's status again and again, and serves them to the page.

    GET /resources            {"resources": [{"id": "F", "url": "http://frontend.stars:80/status"}, ...]}
    POST /resources           adds one
    GET /responses            {"responses": {"F": {"url": ..., "statusCode": 200, "json": {...}}, "B": null},
                               "fetches": {"F": {"url": ..., "reachable": true, "ipv4": true, "ipv6": true, "checked": {...}}, ...}}
    GET /responses/example    sample data
    GET /events               for the page: ``server``, ``responses`` and ``policies`` as they change (Server-sent events)
    GET /explain?from=F&to=B  why that connection is allowed or denied
    GET /                     the page

A resource is fetched once per family and period, and shown as answered over either; it is null when the last fetch failed in both, or
was not JSON. ``fetches`` tells the families apart and when each last fetch began, in the form of a probe's targets.
In a lab it also answers at listening sockets that are handed in (``handover``), and reads the policies from the lab's datastore.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
from argparse import ArgumentParser, Namespace
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

from tortie.datastore.store import Store
from tortie.datastore.urls import open_store
from tortie.lab import http, layout
from tortie.lab.assets import asset
from tortie.lab.families import FAMILIES
from tortie.lab.handover import taking_listeners
from tortie.lab.program import add_common_options, run
from tortie.lab.stars import STARS
from tortie.lab.target import Prober, Target
from tortie.lab.ui_explain import explain
from tortie.lab.ui_feed import Feed
from tortie.lab.ui_policies import follow_policies

DEFAULT_RESOURCES = {probe.id: probe.url for probe in STARS.probes}


class ResourceError(ValueError):
    """A resource's description that cannot be one."""


class Collector:
    """The resources, by id in the order in which they came, and the answers to requests about them."""

    def __init__(self, resources: Mapping[str, str], prober: Prober, store: Store | None = None) -> None:
        """*store* is where reasons are looked up; without one they are not told."""
        self._prober = prober
        self._store = store
        self._targets: dict[str, Target] = {}
        self.feed = Feed()
        prober.recorded = self.tell
        for name, url in resources.items():
            self.add(name, url)

    def add(self, name: str, url: str) -> None:
        """Fetch one more resource from now on, or another one under a known id."""
        if name in self._targets:
            self._prober.forget(self._targets[name])
        self._targets[name] = Target(url)
        self._prober.watch(self._targets[name])
        self.tell()

    def tell(self) -> None:
        """Let the followers know what has changed."""
        self.feed.publish("responses", {name: _essence(target) for name, target in self._targets.items()})

    def handle(self, request: http.Request) -> http.Response | http.Stream:
        path, _, query = request.path.partition("?")
        match request.method, path:
            case "GET", "/resources":
                return http.json_response(self.resources())
            case "POST", "/resources":
                return self._post(request)
            case "GET", "/responses":
                return http.json_response(self.responses())
            case "GET", "/responses/example":
                return http.json_response(EXAMPLE)
            case "GET", "/events":
                return self.feed.stream()
            case "GET", "/explain":
                return self._explain(query)
            case "GET", _:
                return asset(path, page="stars.html")
            case _:
                return http.NOT_FOUND

    def resources(self) -> dict[str, Any]:
        return {"resources": [{"id": name, "url": target.url} for name, target in self._targets.items()]}

    def responses(self) -> dict[str, Any]:
        return {
            "responses": {name: _response(target) for name, target in self._targets.items()},
            "fetches": {name: target.as_json() for name, target in self._targets.items()},
        }

    def _explain(self, query: str) -> http.Response:
        asked = {name: values[0] for name, values in parse_qs(query).items()}
        if self._store is None:
            return http.Response(404, b"there is no datastore to look up reasons in\n", "text/plain")
        try:
            return http.json_response(explain(self._store, STARS, asked.get("from", ""), asked.get("to", "")))
        except LookupError as error:
            return http.Response(404, f"{error.args[0]}\n".encode(), "text/plain")

    def _post(self, request: http.Request) -> http.Response:
        if _is_of_another_site(request):
            return http.Response(403, b"only this page may add resources\n", "text/plain")
        try:
            name, url = _resource(json.loads(request.body))
        except ValueError as error:
            return http.Response(400, f"{error}\n".encode(), "text/plain")
        self.add(name, url)
        return http.json_response({"id": name, "url": url}, status=201)


def parse_resources(text: str) -> dict[str, str]:
    """Read a resources file: a JSON array of ``{"id", "url"}``. ResourceError."""
    try:
        described = json.loads(text)
    except ValueError as error:
        raise ResourceError(f"not JSON: {error}") from error
    if not isinstance(described, list):
        raise ResourceError('expected an array of {"id": ..., "url": ...}')
    return dict(_resource(item) for item in described)


def _resource(described: Any) -> tuple[str, str]:
    if not isinstance(described, dict) or not all(isinstance(described.get(key), str) for key in ("id", "url")):
        raise ResourceError(f'expected {{"id": ..., "url": ...}} with text in both, got {described!r}')
    return described["id"], described["url"]


def _is_of_another_site(request: http.Request) -> bool:
    """Whether a browser sent it for a page that is not ours: any page may post to an address on loopback (RFC 6454 §7)."""
    origin = request.fields.get("origin")
    return origin is not None and urlsplit(origin).netloc != request.fields.get("host")


def _response(target: Target) -> dict[str, Any] | None:
    """What the last fetch brought; IPv4's, where both families brought something."""
    for family in FAMILIES:
        outcome = target.outcomes.get(family)
        if outcome is not None and (decoded := _decode(outcome)) is not None:
            return {"url": target.url, "statusCode": outcome.status, "json": decoded}
    return None


def _essence(target: Target) -> dict[str, Any] | None:
    """What the page draws of a response: nothing in it changes but with what is drawn."""
    response = _response(target)
    if response is None:
        return None
    try:
        targets = [
            {key: found.get(key) for key in ("url", "reachable", *FAMILIES)}
            for found in response["json"]["status"]["targets"]
        ]
    except (LookupError, TypeError, AttributeError):  # it is not a probe's
        targets = []
    return {"url": target.url, "statusCode": response["statusCode"], "json": {"status": {"targets": targets}}}


def _decode(response: http.Response) -> Any:
    """Its JSON; None if that is none."""
    try:
        return json.loads(response.body)
    except ValueError:
        return None


def _example() -> dict[str, Any]:
    """Everybody is up; F reaches B, C reaches F."""

    def status(reached: str) -> dict[str, Any]:
        targets = [{"url": url, "reachable": name in reached} for name, url in DEFAULT_RESOURCES.items()]
        return {"status": {"targets": targets}}

    reached = {"F": "FB", "B": "B", "C": "FC"}
    return {
        "responses": {
            name: {"url": url, "statusCode": 200, "json": status(reached[name])}
            for name, url in DEFAULT_RESOURCES.items()
        }
    }


EXAMPLE = _example()


# --- the program -----------------------------------------------------------------------------------------------------------


def _parse(argv: Sequence[str] | None) -> Namespace:
    parser = ArgumentParser(prog="collector", description="Fetches what probes tell and serves it to the page.")
    add_common_options(parser, port=9001)
    parser.add_argument("--http-request-seconds", type=float, default=5, help="how often to fetch (default: 5)")
    parser.add_argument("--resources-file", type=Path, help='JSON array of {"id": ..., "url": ...}')
    return parser.parse_args(argv)


async def _collect(options: Namespace) -> None:
    resources = parse_resources(options.resources_file.read_text()) if options.resources_file else DEFAULT_RESOURCES
    store = open_store(layout.DATASTORE_URL, create=False) if layout.DATASTORE.exists() else None
    prober = Prober(options.http_request_seconds, options.http_connect_seconds, changed=options.say)
    collector = Collector(resources, prober, store)
    collector.feed.introduce()
    with contextlib.ExitStack() as stack:
        async with asyncio.TaskGroup() as tasks:
            if store is not None:
                stack.enter_context(taking_listeners(layout.LISTENERS, _answering(collector, tasks)))
                tasks.create_task(follow_policies(store, STARS, collector.feed))
            server = await http.serve(collector.handle, options.http_address, options.http_port)
            await server.serve_forever()


def _answering(collector: Collector, tasks: asyncio.TaskGroup) -> Callable[[socket.socket], None]:
    """Serves the page at a listening socket, too."""

    async def answer(listener: socket.socket) -> None:
        server = await http.serve_on(collector.handle, listener)
        await server.serve_forever()

    def start(listener: socket.socket) -> None:
        tasks.create_task(answer(listener))

    return start


def main(argv: Sequence[str] | None = None) -> None:
    """Run until ended by a signal."""
    options = _parse(argv)
    run(options, lambda: _collect(options))


if __name__ == "__main__":
    main()
