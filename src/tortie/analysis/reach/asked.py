"""What policy asks about ends at all: which labels, which ports by name, which networks. Ends that differ in nothing of it are one class."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from tortie.analysis.reach.hosts import Hosts, contexts, tunnel_networks
from tortie.analysis.reach.selection import excepted, governed, labels_of, selected
from tortie.model.kubernetes_endpointslice import Endpoint
from tortie.model.policy import Rule
from tortie.net import Address, Network
from tortie.verdict import Cluster
from tortie.verdict.endpoint import Peer
from tortie.verdict.order import AnyPolicy, StagedPolicy


class Asked(NamedTuple):
    """Of one cluster, or of several states of one."""

    labels: frozenset[str]
    ports: frozenset[str]
    networks: frozenset[Network]

    def with_(self, other: Asked) -> Asked:
        """What either asks."""
        return Asked(self.labels | other.labels, self.ports | other.ports, self.networks | other.networks)


def asked_by(cluster: Cluster, strangers: Iterable[Peer], hosts: Hosts) -> Asked:
    """By the policies and profiles of *cluster*; *strangers* are found by addresses that are not their own end's, *hosts* are ends."""
    labels: set[str] = set()
    ports: set[str] = set()
    networks = {network for peer in strangers for network in peer.networks}
    for policy in enforced(cluster):
        labels.update(labels_of(governed(policy)))
    for rule, namespace in rules(cluster):
        for peer in (rule.source, rule.destination):
            for node in (selected(peer, namespace), excepted(peer)):
                labels.update(labels_of(node) if node is not None else ())
            ports.update(port.name for port in (*peer.ports, *peer.not_ports) if port.is_named)
            networks.update((*peer.nets, *peer.not_nets))
    networks.update(_behind_services(cluster))
    networks.update(_of_hosts(cluster, hosts))
    return Asked(frozenset(labels), frozenset(ports), frozenset(networks))


def enforced(cluster: Cluster) -> Iterator[AnyPolicy]:
    """The policies that decide, in their order."""
    for tier in cluster.policies.tiers:
        yield from (policy for policy in tier.policies if not isinstance(policy, StagedPolicy))


def rules(cluster: Cluster) -> Iterator[tuple[Rule, str]]:
    """Every rule that decides, and the namespace of its policy."""
    for policy in enforced(cluster):
        for rule in (*policy.spec.ingress, *policy.spec.egress):
            yield rule, policy.metadata.namespace
    for profile in cluster.policies.profiles.values():
        for rule in (*profile.spec.ingress, *profile.spec.egress):
            yield rule, ""


def names_services(cluster: Cluster) -> bool:
    """Whether any rule asks who is behind a service."""
    return any(peer.services is not None for rule, _ in rules(cluster) for peer in (rule.source, rule.destination))


def _behind_services(cluster: Cluster) -> Iterator[Network]:
    """The addresses of all slices, if any rule names a service."""
    if names_services(cluster):
        for found in cluster.policies.slices:
            yield from (address.network() for address in slice_addresses(found.endpoints))


def _of_hosts(cluster: Cluster, hosts: Hosts) -> Iterator[Network]:
    """The networks to which failsafes of hosts with host endpoints are limited, and those of whoever may have tunnels with ends."""
    for context in contexts(cluster, hosts).values():
        if context.has_endpoints or context.is_end:
            settings = context.settings
            yield from (safe.net for safe in (*settings.failsafes_in, *settings.failsafes_out) if safe.net is not None)
        if context.is_end:
            yield from tunnel_networks(cluster.tunnels, context.settings)


def slice_addresses(endpoints: Iterable[Endpoint]) -> Iterator[Address]:
    """The addresses of a slice's endpoints; names, which a slice may have instead, are none."""
    for endpoint in endpoints:
        for text in endpoint.addresses:
            with contextlib.suppress(ValueError):
                yield Address.parse(text)
