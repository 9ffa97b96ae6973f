"""Makes the addresses of services lead to their pods: gives each service its cluster addresses, and each host the rules for them.

    packet to 10.96.0.11, TCP 80 ─► prerouting -100: dnat to one of the pods ─► forward: policy, at the pod's own address and port

The rules are a table of the lab's own on every host, replaced as a whole in one transaction; it is no part of Tortie, which comes
after it in the forward hook and sees only pods. A pod that reaches itself through its service is given its host's address, or it
would drop its own packet as forged. What goes to a service that has no pods, or to a port that it has not, is refused at
once, behind the policies: a packet that policy drops stays dropped.
"""

from __future__ import annotations

import asyncio
import logging
import subprocess
from collections.abc import Iterable, Iterator, Mapping, Sequence

from tortie.datastore.store import Store
from tortie.lab import layout
from tortie.lab.catalog import Catalog
from tortie.lab.documents import change_document
from tortie.lab.host import Host
from tortie.lab.services import Frontend, cluster_addresses, free_addresses, frontends, needs_addresses
from tortie.model.codec import Document
from tortie.model.kinds import ResourceKey
from tortie.net import Address, Family

log = logging.getLogger(__name__)

TABLE = "lab-services"

_KEYWORD = {Family.V4: "ip", Family.V6: "ip6"}
_TYPE = {Family.V4: "ipv4_addr", Family.V6: "ipv6_addr"}


class Proxy:
    """One for all hosts of the lab."""

    def __init__(self, store: Store, hosts: Mapping[str, Host]) -> None:
        self._store = store
        self._hosts = hosts
        self._given: dict[ResourceKey, tuple[Address, Address]] = {}
        """What each service was given: kept while it is there, also when its document is replaced by one without."""
        self._ruleset = ""
        self.served: frozenset[str] = frozenset()
        """The services, as ``namespace/name``, whose pods the hosts' rules lead to."""

    async def run(self) -> None:
        """Follow the datastore until cancelled."""
        catalog = Catalog(self._store)
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(catalog.follow())
            while True:
                await catalog.changed.wait()
                catalog.changed.clear()
                self._give_addresses(catalog)
                services = frontends(catalog.services.values(), tuple(catalog.pods.values()))
                await self._load(ruleset(services))
                self.served = frozenset(service.service for service in services if service.backends)

    def _give_addresses(self, catalog: Catalog) -> None:
        """Write a pair of addresses into every service that lacks them; that comes back as a change of its own."""
        self._given = {key: pair for key, pair in self._given.items() if key in catalog.services}
        taken = {address for service in catalog.services.values() for address in cluster_addresses(service)}
        taken.update(address for pair in self._given.values() for address in pair)
        for key in [key for key, service in catalog.services.items() if needs_addresses(service)]:
            if key not in self._given:
                self._given[key] = free_addresses(taken)
                taken.update(self._given[key])
            _give(self._store, key, self._given[key])

    async def _load(self, text: str) -> None:
        """Give every host the rules, if they are not what it has; after a failure the next change tries again."""
        if text == self._ruleset:
            return
        loaded = await asyncio.gather(*(asyncio.to_thread(_load_on, host, text) for host in self._hosts.values()))
        self._ruleset = text if all(loaded) else ""


def _give(store: Store, service: ResourceKey, pair: tuple[Address, Address]) -> None:
    addresses = [str(address) for address in pair]

    def change(document: Document) -> None:
        document.setdefault("spec", {}).update(clusterIP=addresses[0], clusterIPs=addresses)

    change_document(store, service, change)


def _load_on(host: Host, text: str) -> bool:
    """Whether *host* took the rules."""
    done = subprocess.run(
        host.space.command(["nft", "-f", "-"]), input=text, capture_output=True, text=True, check=False
    )
    if done.returncode:
        log.error("the services' rules are not in force on %s: %s", host.name, done.stderr.strip())
    return done.returncode == 0


# --- the rules as text ------------------------------------------------------------------------------------------------------


def ruleset(services: Sequence[Frontend]) -> str:
    """The transaction that makes the table hold the rules for *services* and nothing else (nft(8))."""
    served = tuple(service for service in services if service.backends)
    lines = (
        *(line for family in Family for line in _hairpins(served, family)),
        *(line for service in served for line in _chain(service)),
        "chain dispatch {",
        *(line for family in Family for line in _dispatch(served, family)),
        "}",
        # -100 in both: dstnat, which nft names only in prerouting
        "chain prerouting { type nat hook prerouting priority -100; jump dispatch; }",
        "chain output { type nat hook output priority -100; jump dispatch; }",
        "chain unserved {",
        "type filter hook forward priority filter;",
        # a reset for TCP: of ICMP's messages the kernel sends a peer one a second (icmp_ratelimit)
        f"ip daddr {layout.SERVICES_V4} meta l4proto tcp reject with tcp reset",
        f"ip6 daddr {layout.SERVICES_V6} meta l4proto tcp reject with tcp reset",
        f"ip daddr {layout.SERVICES_V4} reject",
        f"ip6 daddr {layout.SERVICES_V6} reject",
        "}",
        "chain postrouting {",
        "type nat hook postrouting priority srcnat;",
        *(f"{_KEYWORD[f]} saddr . {_KEYWORD[f]} daddr @hairpins-{_TYPE[f]} masquerade" for f in Family),
        "}",
    )
    # the first line makes it, so that the second can delete it the first time too
    return f"table inet {TABLE}\ndelete table inet {TABLE}\ntable inet {TABLE} {{\n" + "\n".join(lines) + "\n}\n"


def _hairpins(services: Iterable[Frontend], family: Family) -> Iterator[str]:
    """The set of pods that may be sent back to themselves."""
    addresses = {backend.address for service in services for backend in service.backends}
    pairs = ", ".join(f"{address} . {address}" for address in sorted(addresses) if address.family is family)
    elements = f" elements = {{ {pairs} }};" if pairs else ""
    yield f"set hairpins-{_TYPE[family]} {{ type {_TYPE[family]} . {_TYPE[family]};{elements} }}"


def _chain_name(service: Frontend) -> str:
    return f"{service.service}/{service.protocol}/{service.port}/{service.address.family.name.lower()}"


def _chain(service: Frontend) -> Iterator[str]:
    """Each new connection goes to a pod of its own choice, all equally likely."""
    places = ", ".join(f"{n} : {pod.address} . {pod.port}" for n, pod in enumerate(service.backends))
    choice = f"numgen random mod {len(service.backends)} map {{ {places} }}"
    yield f"chain svc-{_chain_name(service)} {{"
    yield f"meta l4proto {service.protocol} dnat {_KEYWORD[service.address.family]} addr . port to {choice}"
    yield "}"


def _dispatch(services: Iterable[Frontend], family: Family) -> Iterator[str]:
    elements = ", ".join(
        f"{service.address} . {service.protocol} . {service.port} : goto svc-{_chain_name(service)}"
        for service in services
        if service.address.family is family
    )
    if elements:
        yield f"{_KEYWORD[family]} daddr . meta l4proto . th dport vmap {{ {elements} }}"
