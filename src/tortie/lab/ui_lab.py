"""The page of a lab: who reaches whom at every port that somebody listens at, measured again and again for whoever looks.

    python -m tortie.lab.ui_lab DESCRIPTOR             in the fabric, with a listening socket of the user's network namespace

    GET /                              the page
    GET /events                        for it: ``server``, ``reachability`` and ``policies`` as they change (Server-sent events)
    GET /explain?from=shop/friend&to=shop/web&protocol=TCP&port=80    why that is allowed or denied

    {"workloads": [{"name": "shop/web", "host": "host1"}, ...], "ports": [{"workload": "shop/web", "protocol": "TCP", "port": 80}, ...],
     "rows": {"shop/friend": "yn", ...}}

A row has two letters for each port, of IPv4 and IPv6: ``y`` reachable, ``n`` dropped, ``r`` refused, ``x`` no route, ``?`` not yet
measured, and ``.`` where a workload would ask itself. Workloads stand by host. Nothing is measured while nobody looks. Where the lab
shows a demo, its steps are told too.
"""

from __future__ import annotations

import asyncio
import re
import socket
import sys
import time
from collections.abc import Iterable, Mapping, Sequence
from typing import Any
from urllib.parse import parse_qs

from tortie.analysis.connectivity import Probe
from tortie.datastore.store import Store
from tortie.datastore.urls import open_store
from tortie.lab import http, layout
from tortie.lab.assets import asset
from tortie.lab.attempt import Outcome
from tortie.lab.catalog import Catalog
from tortie.lab.every_demo import demo_in
from tortie.lab.families import FAMILIES
from tortie.lab.listening import Port
from tortie.lab.meter import Round, measure, raise_descriptor_limit
from tortie.lab.reachability import RUNNING, Flow
from tortie.lab.ui_explain import explain_connection
from tortie.lab.ui_feed import Feed
from tortie.lab.ui_policies import follow_policies
from tortie.lab.ui_rounds import Rounds
from tortie.model.kubernetes import Pod
from tortie.net import Address, Protocol

_TIMEOUT_S = 0.3
_PERIOD_S = 0.5
"""Between the beginnings of two rounds of all pairs."""
_REST = 0.1
"""Of the time that a round took, at the least, between it and the next."""
_PAIRS = 400
"""Of one round: as many as are measured in some tenths of a second."""

_LETTERS = {Outcome.REACHABLE: "y", Outcome.DROPPED: "n", Outcome.REFUSED: "r", Outcome.NO_ROUTE: "x", None: "?"}
_ITSELF = ".."


class LabPage:
    """Answers requests; ``run`` measures."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._catalog = Catalog(store)
        self._rounds = Rounds(_PAIRS)
        self._outcomes: dict[Flow, Outcome] = {}
        """The latest of each."""
        self.feed = Feed()

    def handle(self, request: http.Request) -> http.Response | http.Stream:
        path, _, query = request.path.partition("?")
        match request.method, path:
            case "GET", "/events":
                return self.feed.stream()
            case "GET", "/explain":
                return self._explain({name: values[0] for name, values in parse_qs(query).items()})
            case "GET", _:
                return asset(path, page="lab.html")
            case _:
                return http.NOT_FOUND

    async def run(self) -> None:
        """Measure for as long as anybody looks, until cancelled."""
        self.feed.introduce()
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._catalog.follow())
            tasks.create_task(follow_policies(self._store, demo_in(self._store), self.feed))
            tasks.create_task(self._measure_again())

    async def _measure_again(self) -> None:
        await self._catalog.changed.wait()
        while True:
            if not self.feed.followed.is_set():
                self._outcomes.clear()  # nobody knows what will have become of them
                self.feed.forget("reachability")
                await self.feed.followed.wait()
            began = time.monotonic()
            running = placed(self._catalog.pods.values())
            workloads = [workload for workload, _ in running]
            pairs = self._rounds.next([workload["name"] for workload in workloads])
            found = await asyncio.to_thread(measure, workloads, _TIMEOUT_S, pairs)
            self._learn(found)
            hosts = {workload["name"]: host for workload, host in running}
            self.feed.publish("reachability", as_json(found.ports, self._outcomes, hosts))
            took = time.monotonic() - began
            is_whole = len(pairs) == len(workloads) * (len(workloads) - 1)
            await asyncio.sleep(max(_PERIOD_S - took if is_whole else 0.0, _REST * took))

    def _learn(self, found: Round) -> None:
        """Note the outcomes of a round, and forget those of workloads and ports that are gone."""
        latest = {Flow(a.source, a.target, a.port, a.family): outcome for a, outcome in found.outcomes.items()}
        known = ((flow, self._outcomes[flow]) for flow in latest if flow in self._outcomes)
        self._rounds.changed((flow.source, flow.target) for flow, before in known if before is not latest[flow])
        self._outcomes = still_there(self._outcomes, found.ports) | latest

    def _explain(self, asked: Mapping[str, str]) -> http.Response:
        try:
            source, target = _ends(asked)
        except ValueError as error:
            return http.Response(400, f"{error}\n".encode(), "text/plain")
        try:
            return http.json_response(explain_connection(self._store, source, target))
        except LookupError as error:
            return http.Response(404, f"{error.args[0]}\n".encode(), "text/plain")


def _ends(asked: Mapping[str, str]) -> tuple[Probe, Probe]:
    """Of the connection that a question is about; ValueError."""
    protocol, port = Protocol.parse(asked.get("protocol", "TCP")), int(asked.get("port", ""))
    if not 0 < port < 1 << 16:
        raise ValueError(f"{port} is not a port: 1 to 65535")
    source, target = asked.get("from", ""), asked.get("to", "")
    return Probe(source, source, port, protocol), Probe(target, target, port, protocol)


def placed(pods: Iterable[Pod]) -> list[tuple[dict[str, str], str]]:
    """The workloads that run, as ``meter`` is told them, each with its host; by host and name, ``host2`` before ``host10``."""
    found = []
    for pod in pods:
        addresses = {f"ipv{Address.parse(each.ip).family}": each.ip for each in pod.status.pod_ips}
        if pod.status.phase == RUNNING and addresses.keys() == FAMILIES.keys():
            found.append(({"name": f"{pod.metadata.namespace}/{pod.metadata.name}", **addresses}, pod.spec.node_name))
    return sorted(found, key=lambda each: (_numbered(each[1]), _numbered(each[0]["name"])))


def _numbered(name: str) -> list[tuple[str, int]]:
    """What sorts names with numbers in them."""
    return [(text, int(number or 0)) for text, number in re.findall(r"(\D+)(\d*)", name)]


def still_there(outcomes: Mapping[Flow, Outcome], ports_of: Mapping[str, Sequence[Port]]) -> dict[Flow, Outcome]:
    """Those of *outcomes* whose source still runs and whose target still listens: what comes back is not what was measured."""
    return {
        flow: outcome
        for flow, outcome in outcomes.items()
        if flow.source in ports_of and flow.port in ports_of.get(flow.target, ())
    }


def as_json(
    ports_of: Mapping[str, Sequence[Port]], outcomes: Mapping[Flow, Outcome], hosts: Mapping[str, str]
) -> dict[str, Any]:
    """What the page draws."""
    ports = [(name, port) for name, own in ports_of.items() for port in own]
    return {
        "workloads": [{"name": name, "host": hosts[name]} for name in ports_of],
        "ports": [{"workload": name, "protocol": port.protocol, "port": port.number} for name, port in ports],
        "rows": {
            source: "".join(
                _ITSELF
                if source == target
                else "".join(_LETTERS[outcomes.get(Flow(source, target, port, family))] for family in FAMILIES)
                for target, port in ports
            )
            for source in ports_of
        },
    }


# --- the program -----------------------------------------------------------------------------------------------------------


async def _serve(listener: socket.socket) -> None:
    with open_store(layout.DATASTORE_URL, create=False) as store:
        page = LabPage(store)
        async with await http.serve_on(page.handle, listener):
            await page.run()


def main() -> None:
    """Serve until ended by a signal."""
    raise_descriptor_limit()
    try:
        asyncio.run(_serve(socket.socket(fileno=int(sys.argv[1]))))
    except KeyboardInterrupt:
        sys.exit(130)


if __name__ == "__main__":
    main()
