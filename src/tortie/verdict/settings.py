"""A host's settings, as far as verdicts depend on them: which FelixConfiguration counts, and Calico's defaults."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple

import msgspec

from tortie.model.felix import FelixConfiguration
from tortie.model.felix_values import ProtoPort
from tortie.net import TCP, UDP, Address, Network, Protocol
from tortie.selectors import SelectorError, parse


class Failsafe(NamedTuple):
    """A port that stays open whatever a host endpoint's policy says."""

    protocol: Protocol
    port: int
    net: Network | None = None
    """Only for other ends in it; None: for all."""

    def covers(self, protocol: Protocol, port: int | None, other_end: Address) -> bool:
        return (protocol, port) == self[:2] and (self.net is None or self.net.contains(other_end))

    def __str__(self) -> str:
        return f"{self.protocol} port {self.port}" + (f" of {self.net}" if self.net is not None else "")


_BOTH_WAYS = tuple(Failsafe(TCP, port) for port in (179, 2379, 2380, 5473, 6443, 6666, 6667))


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """The defaults are Calico's."""

    interface_prefixes: tuple[str, ...] = ("cali",)
    """What the names of workloads' links begin with."""
    interface_exclude: tuple[str, ...] = ("kube-ipvs0",)
    """Links that are never a host endpoint; between slashes a regular expression."""
    to_host_action: str = "Drop"
    """Of packets of a workload to its host that its policy allows: Drop, Accept or Return. The last leaves them to the host's
    own rules, of which nothing is known here."""
    failsafes_in: tuple[Failsafe, ...] = (Failsafe(TCP, 22), Failsafe(UDP, 68), *_BOTH_WAYS)
    failsafes_out: tuple[Failsafe, ...] = (Failsafe(UDP, 53), Failsafe(UDP, 67), *_BOTH_WAYS)
    vxlan_port: int = 4789
    external_nodes: tuple[Network, ...] = ()
    """Who may send tunnelled packets besides the cluster's hosts."""
    allows_vxlan: bool = False
    """Whether workloads may send it."""
    allows_ipip: bool = False
    drops_invalid: bool = True
    allows_spoofing: bool = False
    """Whether a workload may send from the sources that it asked for."""

    def looks_like_workload(self, ifname: str) -> bool:
        return ifname.startswith(self.interface_prefixes)

    def excludes(self, ifname: str) -> bool:
        return any(_is_called(ifname, pattern) for pattern in self.interface_exclude)


def settings_of(node: str, labels: Mapping[str, str] | None, configurations: Iterable[FelixConfiguration]) -> Settings:
    """The settings of the host *node*, whose Node has *labels*; None: there is no Node, so none can select it.

    Field by field: ``node.<name>`` before those that select the node (the oldest first, then by name) before ``default``.
    """
    merged: dict[str, Any] = {}
    for configuration in _by_importance(node, labels, list(configurations)):
        values = ((field, getattr(configuration.spec, field)) for field in _FIELDS)
        merged = {field: value for field, value in values if value not in (None, "")} | merged
    return Settings(**{name: read(merged[field]) for field, (name, read) in _FIELDS.items() if field in merged})


def _by_importance(
    node: str, labels: Mapping[str, str] | None, configurations: list[FelixConfiguration]
) -> Iterator[FelixConfiguration]:
    named = {configuration.metadata.name: configuration for configuration in configurations}
    if f"node.{node}" in named:
        yield named[f"node.{node}"]
    yield from sorted(
        (c for c in configurations if labels is not None and _selects(c, labels)),
        key=lambda c: (c.metadata.creation_timestamp or "", c.metadata.name),
    )
    if "default" in named:
        yield named["default"]


def _selects(configuration: FelixConfiguration, labels: Mapping[str, str]) -> bool:
    name, selector = configuration.metadata.name, configuration.spec.node_selector
    if name == "default" or name.startswith("node.") or not selector:
        return False
    try:
        return parse(selector).matches(labels)
    except SelectorError:
        return False


def _is_called(ifname: str, pattern: str) -> bool:
    """A regular expression need match a part of the name only."""
    if len(pattern) > 1 and pattern[0] == pattern[-1] == "/":
        return re.search(pattern[1:-1], ifname) is not None
    return pattern == ifname


# --- reading the fields ----------------------------------------------------------------------------------------------------


def _listed(text: str) -> tuple[str, ...]:
    return tuple(item.strip() for item in text.split(",") if item.strip())


def _failsafes(ports: Iterable[ProtoPort]) -> tuple[Failsafe, ...]:
    """A port whose net cannot be read counts for nobody, as in Calico."""
    found = []
    for port in ports:
        with contextlib.suppress(ValueError):
            net = Network.parse(port.net, strict=False) if port.net else None
            found.append(Failsafe(Protocol.parse(port.protocol or "TCP"), port.port, net))
    return tuple(found)


def _networks(texts: Iterable[str]) -> tuple[Network, ...]:
    found = []
    for text in texts:
        with contextlib.suppress(ValueError):
            found.append(Network.parse(text, strict=False))
    return tuple(found)


_FIELDS: Mapping[str, tuple[str, Any]] = {
    "interface_prefix": ("interface_prefixes", _listed),
    "interface_exclude": ("interface_exclude", _listed),
    "default_endpoint_to_host_action": ("to_host_action", str.title),
    "failsafe_inbound_host_ports": ("failsafes_in", _failsafes),
    "failsafe_outbound_host_ports": ("failsafes_out", _failsafes),
    "vxlan_port": ("vxlan_port", int),
    "external_nodes_cidr_list": ("external_nodes", _networks),
    "allow_vxlan_packets_from_workloads": ("allows_vxlan", bool),
    "allow_ipip_packets_from_workloads": ("allows_ipip", bool),
    "disable_conntrack_invalid_check": ("drops_invalid", lambda disabled: not disabled),
    "workload_source_spoofing": ("allows_spoofing", lambda text: text.title() == "Any"),
}
"""For each field of the API its name here, and how it is read."""
