"""Resources for the tests of this folder, written as their YAML."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import yaml

from tortie.model.codec import from_document
from tortie.model.meta import HostName, Resource
from tortie.model.topology import AffinityState, BGPConfiguration, BGPPeer, BlockAffinity, IPPool, Node
from tortie.net import Network
from tortie.routing import RouterIntent, resolve

_KINDS: Mapping[str, type[Resource]] = {kind.__name__: kind for kind in (BGPConfiguration, BGPPeer, IPPool, Node)}


def read_all(text: str) -> list[Resource]:
    return [from_document(document, _KINDS[document["kind"]]) for document in yaml.safe_load_all(text)]


def intent_of(
    host: str, resources: Iterable[Resource], affinities: Mapping[tuple[HostName, Network], BlockAffinity] | None = None
) -> RouterIntent | None:
    """What *host* has to do, given resources of any kind in any order."""
    resources = list(resources)
    return resolve(
        HostName(host),
        [resource for resource in resources if isinstance(resource, Node)],
        [resource for resource in resources if isinstance(resource, IPPool)],
        [resource for resource in resources if isinstance(resource, BGPConfiguration)],
        [resource for resource in resources if isinstance(resource, BGPPeer)],
        affinities or {},
    )


def affinities_of(
    blocks: Mapping[str, Sequence[str]], state: AffinityState = AffinityState.CONFIRMED
) -> dict[tuple[HostName, Network], BlockAffinity]:
    """Affinities as a table of host and its blocks."""
    return {
        (HostName(host), Network.parse(cidr)): BlockAffinity(state=state)
        for host, cidrs in blocks.items()
        for cidr in cidrs
    }


def node(name: str, **bgp: Any) -> Resource:
    return _resource("Node", name, {"bgp": bgp} if bgp else {})


def peer(name: str, **spec: Any) -> Resource:
    return _resource("BGPPeer", name, spec)


def pool(name: str, **spec: Any) -> Resource:
    return _resource("IPPool", name, spec)


def configuration(name: str = "default", **spec: Any) -> Resource:
    return _resource("BGPConfiguration", name, spec)


def _resource(kind: str, name: str, spec: dict[str, Any]) -> Resource:
    return from_document({"kind": kind, "metadata": {"name": name}, "spec": spec}, _KINDS[kind])
