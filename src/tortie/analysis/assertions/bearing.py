"""Which part of a large cluster can bear on some tests: of what only concerns its own namespace, the namespaces that have to be read.

    texts of tests ─► namespaces ─► that part as a cluster ─► their ends ─► more namespaces, until there are no more

A policy of a namespace governs nobody else, and rules find the other end by its address: so an endpoint matters if it is of the namespace
of an end, or has an end's address or link (as in ``tortie.analysis.assertions.oracle``); and what its profiles are made of does. Everything
else that there is of a cluster always has to be read. That a part will not do is an answer, too: None, where a test means everybody,
or nobody who is known.
"""

from __future__ import annotations

import contextlib
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from fnmatch import fnmatchcase
from typing import NamedTuple

import msgspec

from tortie.analysis.assertions.naming import Naming, as_network, is_pattern
from tortie.analysis.assertions.outcome import Located
from tortie.analysis.backends import backends
from tortie.analysis.cluster import KnownCluster
from tortie.analysis.ends import HOST, SERVICE, Directory, NamedEnd, UnknownEndError
from tortie.conversion import interface_name
from tortie.conversion.pod import ADDRESS_ANNOTATIONS
from tortie.model import kinds
from tortie.model.checks.addresses import is_address
from tortie.model.codec import UNREADABLE
from tortie.model.endpoint import WorkloadEndpoint
from tortie.model.felix import FelixConfiguration
from tortie.model.kinds import ResourceKey
from tortie.net import Address, Network
from tortie.verdict.refs import NO_ADDRESS, EndpointRef

OF_A_NAMESPACE = frozenset(
    {kinds.NETWORK_POLICY, kinds.K8S_NETWORK_POLICY, kinds.SERVICE_ACCOUNT, kinds.WORKLOAD_ENDPOINT, kinds.POD}
)
"""The kinds of which only those of some namespaces have to be read. Services and sets may hold anybody's addresses."""


class Bearing(NamedTuple):
    """Whom tests mean, in one state of a cluster."""

    namespaces: frozenset[str]
    """Where they are, and of what else their profiles are."""
    addresses: frozenset[Address]
    links: frozenset[str]
    """Of whatever host. Whoever has one of these, or one of the addresses, bears on the tests too."""
    by_address: bool
    """Whether any is told by an address, or is behind a service: whose that is, only who claims it tells."""


def named_namespaces(tests: Iterable[Located], known: Collection[str] | None = None) -> frozenset[str] | None:
    """The namespaces that the texts of *tests* tell; None if these may be all.

    Patterns of namespaces are those of the *known* ones; None: nobody knows which there are.
    """
    found: set[str] = set()
    for text, namespace in _texts(tests):
        named = _named(text, namespace, known)
        if named is None:
            return None
        found.update(named)
    return frozenset(found)


def bearing_on(tests: Iterable[Located], part: KnownCluster) -> Bearing | None:
    """Whom *tests* mean in *part*, which has all of the namespaces that they name; None if only the whole cluster tells."""
    if any(isinstance(item, FelixConfiguration) and item.metadata.name != "default" for item in part.values()):
        return None  # what no host sends is not asked about: that would be told by all hosts with workloads
    naming, directory = Naming(part), Directory(part)
    ends: list[NamedEnd] = []
    by_address = False
    for text, namespace in _texts(tests):
        if _is_bare(text) and f"{namespace}/{text}" not in directory.names:
            return None
        try:
            ends += (each for each in naming.meant(text, namespace) if not isinstance(each, Network))
        except UnknownEndError:
            if "/" not in text and not is_pattern(text):
                return None  # else nobody outside of the namespaces that are read is called so
        by_address = by_address or is_address(text)
    return _bearing(ends, part, by_address=by_address or any(end.service for end in ends))


def _bearing(ends: Iterable[NamedEnd], part: KnownCluster, *, by_address: bool) -> Bearing:
    ends = list(ends)
    refs = [ref for end in ends for ref in end.ends.values()]
    endpoints = [each for each in part.values() if isinstance(each, WorkloadEndpoint)]
    names = {ref[:2] for ref in refs if isinstance(ref, EndpointRef)}
    services = {end.service for end in ends if end.service}
    # An end has one address of a family, though it may be behind the service by several: and those may be somebody else's.
    behind = {address for name in services for backend in backends(part, name) for address in backend.addresses}
    addresses = behind.union(ref if isinstance(ref, Address) else ref.address for ref in refs)
    addresses -= set(NO_ADDRESS.values())
    links = {e.spec.interface_name for e in endpoints if (e.metadata.namespace, e.metadata.name) in names}
    matter = (
        each
        for each in endpoints
        if each.spec.interface_name in links or any(own.address in addresses for own in each.spec.ip_networks)
    )
    profiles = {_namespace_of(profile) for each in matter for profile in each.spec.profiles}
    of_ends = {namespace for namespace, _ in names} | {name.partition("/")[0] for name in services}
    return Bearing(frozenset(of_ends | profiles) - {""}, frozenset(addresses), frozenset(links), by_address)


def _namespace_of(profile: str) -> str:
    """Of which namespace a profile is, by its name: ``kns.NAMESPACE`` or ``ksa.NAMESPACE.ACCOUNT``; empty: of none."""
    kind, _, rest = profile.partition(".")
    return rest.partition(".")[0] if kind in ("kns", "ksa") else ""


class Claimants:
    """In which namespaces there are pods and workload endpoints with some address or link."""

    def __init__(self, values: Iterable[tuple[ResourceKey, bytes]]) -> None:
        self._unread: set[str] = set()
        self._by_link: dict[str, set[str]] = {}
        by_text: dict[str, set[str]] = {}
        for key, value in values:
            if key.kind not in (kinds.WORKLOAD_ENDPOINT, kinds.POD):
                continue
            try:
                found = _DECODER.decode(value)
            except UNREADABLE:
                self._unread.add(key.namespace)
                continue
            for text in _addresses(found):
                by_text.setdefault(text, set()).add(key.namespace)
            self._by_link.setdefault(_link(key, found), set()).add(key.namespace)
        self._by_address = _by_address(by_text)

    def of(self, bearing: Bearing) -> frozenset[str]:
        """Where anybody bears on the tests too; of what cannot be read that is not known, so it counts."""
        found = [self._by_address.get(address, ()) for address in bearing.addresses]
        return frozenset(self._unread.union(*found, *(self._by_link.get(link, ()) for link in bearing.links)))


def _by_address(by_text: Mapping[str, Collection[str]]) -> Mapping[Address, frozenset[str]]:
    found: dict[Address, frozenset[str]] = {}
    for text, namespaces in by_text.items():
        with contextlib.suppress(ValueError):  # who says so has no address, or is refused
            address = Network.parse(text, strict=False).address if "/" in text else Address.parse(text)
            found[address] = found.get(address, frozenset()).union(namespaces)
    return found


# --- texts -------------------------------------------------------------------------------------------------------------------


def _texts(tests: Iterable[Located]) -> Iterator[tuple[str, str]]:
    """What the ends of *tests* are called, and in which namespace."""
    for test in tests:
        asked = test.assertion.connections
        yield from ((text, test.namespace) for text in (*asked.sources, *asked.destinations))


def _named(text: str, namespace: str, known: Collection[str] | None) -> Collection[str] | None:
    if as_network(text) is not None:
        return None
    if text.startswith(HOST):
        return None if is_pattern(text) else ()
    if is_pattern(text):
        pattern = text.partition("/")[0] if "/" in text else namespace
        if not is_pattern(pattern):
            return {pattern} if pattern else None
        return None if known is None else [name for name in known if fnmatchcase(name, pattern)]
    return {text.removeprefix(SERVICE).partition("/")[0] if "/" in text else namespace}


def _is_bare(text: str) -> bool:
    """Whether it is a name without a namespace, which others may have too."""
    return not ("/" in text or is_pattern(text) or text.startswith((HOST, SERVICE)) or is_address(text))


# --- values ------------------------------------------------------------------------------------------------------------------


class _PodIP(msgspec.Struct):
    ip: str = ""


class _Metadata(msgspec.Struct):
    class Annotations(msgspec.Struct):
        addresses: str = msgspec.field(default="", name=ADDRESS_ANNOTATIONS[0])
        address: str = msgspec.field(default="", name=ADDRESS_ANNOTATIONS[1])

    annotations: Annotations | None = None


class _Spec(msgspec.Struct):
    networks: Sequence[str] | None = msgspec.field(default=None, name="ipNetworks")
    link: str = msgspec.field(default="", name="interfaceName")


class _Status(msgspec.Struct):
    ip: str | None = msgspec.field(default=None, name="podIP")
    ips: Sequence[_PodIP] | None = msgspec.field(default=None, name="podIPs")


class _Value(msgspec.Struct):
    """Of a pod or a workload endpoint only where it is: reading no more takes a twentieth of the time."""

    metadata: _Metadata | None = None
    spec: _Spec | None = None
    status: _Status | None = None


_DECODER = msgspec.json.Decoder(_Value)


def _addresses(value: _Value) -> Iterator[str]:
    """All that an endpoint may have, or have had (``tortie.conversion.pod``)."""
    yield from (value.spec and value.spec.networks) or ()
    if value.status is not None:
        yield from (value.status.ip,) if value.status.ip else ()
        yield from (entry.ip for entry in value.status.ips or ())
    if value.metadata is not None and (said := value.metadata.annotations) is not None:
        yield from filter(None, (said.address, *said.addresses.split(",")))


def _link(key: ResourceKey, value: _Value) -> str:
    if key.kind is kinds.POD:
        return interface_name(key.namespace, key.name)
    return value.spec.link if value.spec is not None else ""
