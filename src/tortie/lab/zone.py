"""The names that a lab's DNS server knows, and how a workload's resolver is to ask for them. Values only.

    nginx.policy-demo.svc.cluster.local   the cluster addresses of a service, or of its pods if it is headless
    outside.example                       the one host outside the cluster: the fabric

A name that nobody has does not exist: there is no other server to ask. The short forms (``nginx`` in its own namespace,
``nginx.policy-demo`` everywhere) are the resolver's, which puts the domains of its search list behind them.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import TypeAlias

from tortie.lab import layout
from tortie.lab.services import HEADLESS, cluster_addresses, pod_addresses, pods_behind
from tortie.model.kubernetes import Pod, Service
from tortie.net import Address

DOMAIN = "cluster.local"

Zone: TypeAlias = Mapping[str, tuple[Address, ...]]
"""Addresses by name, in lower case; a name without addresses exists all the same."""


def zone(services: Iterable[Service], pods: Collection[Pod]) -> Zone:
    """Every name there is."""
    names: dict[str, tuple[Address, ...]] = {layout.OUTSIDE_NAME: (layout.OUTSIDE_V4, layout.OUTSIDE_V6)}
    for service in services:
        if service.spec.type != "ExternalName":
            name = f"{service.metadata.name}.{service.metadata.namespace}.svc.{DOMAIN}"
            names[name] = _addresses(service, pods)
    return names


def look_up(names: Zone, name: str) -> tuple[Address, ...] | None:
    """The addresses of *name*; None if there is no such name. One that others end in exists, without addresses (RFC 8020)."""
    if name in names:
        return names[name]
    return () if any(known.endswith(f".{name}") for known in names) else None


def resolv_conf(namespace: str) -> str:
    """The ``/etc/resolv.conf`` of a workload in *namespace*, as a kubelet writes it: short names are tried in the cluster first.

    A lost packet must not cost the five seconds that a resolver waits by itself: nothing here is far away.
    """
    return (
        f"nameserver {layout.DNS_V4}\n"
        f"search {namespace}.svc.{DOMAIN} svc.{DOMAIN} {DOMAIN}\n"
        "options ndots:5 timeout:1\n"
    )


def _addresses(service: Service, pods: Collection[Pod]) -> tuple[Address, ...]:
    if service.spec.cluster_ip != HEADLESS:
        return cluster_addresses(service)
    return tuple(address for pod in pods_behind(service, pods) for address in pod_addresses(pod))
