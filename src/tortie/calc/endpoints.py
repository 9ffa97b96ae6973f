"""This host's own endpoints, as they are enforced but for the policies that govern them."""

from __future__ import annotations

from tortie.calc.hoststate import HostHostEndpoint, HostWorkloadEndpoint, InterfaceLimits, PacketRate
from tortie.model.endpoint import HostEndpoint, WorkloadEndpoint
from tortie.model.qos import QoSControls
from tortie.net import Network

_DEFAULT_BURST = 5
"""Packets that may come at once where a rate does not say it."""
_MOST_PACKETS = 10_000
"""Of a rate or a burst; more that is stored all the same counts as this."""
_MOST_CONNECTIONS = 4_294_967_295


def enforced_workload(endpoint: WorkloadEndpoint) -> HostWorkloadEndpoint:
    """*endpoint* without tiers."""
    spec = endpoint.spec
    spoofable = {Network.parse(text, strict=False) for text in spec.allow_spoofed_source_prefixes}
    return HostWorkloadEndpoint(
        ifname=spec.interface_name,
        mac=spec.mac,
        addresses=tuple(sorted({network.address for network in spec.ip_networks})),
        profiles=spec.profiles,
        limits=interface_limits(spec.qos_controls) if spec.qos_controls is not None else InterfaceLimits(),
        spoofable=tuple(sorted(spoofable)),
    )


def enforced_host_endpoint(endpoint: HostEndpoint) -> HostHostEndpoint:
    """*endpoint* without tiers."""
    spec = endpoint.spec
    return HostHostEndpoint(
        ifname=spec.interface_name, expected_ips=tuple(sorted(set(spec.expected_ips))), profiles=spec.profiles
    )


def interface_limits(controls: QoSControls) -> InterfaceLimits:
    """The limits that policy's chains enforce; bandwidth is the business of queues."""
    return InterfaceLimits(
        ingress_rate=_rate(controls.ingress_packet_rate, controls.ingress_packet_burst),
        egress_rate=_rate(controls.egress_packet_rate, controls.egress_packet_burst),
        ingress_connections=_connections(controls.ingress_max_connections),
        egress_connections=_connections(controls.egress_max_connections),
    )


def _rate(per_second: int, burst: int) -> PacketRate | None:
    if per_second <= 0:
        return None
    return PacketRate(min(per_second, _MOST_PACKETS), min(burst if burst > 0 else _DEFAULT_BURST, _MOST_PACKETS))


def _connections(most: int) -> int | None:
    return min(most, _MOST_CONNECTIONS) if most > 0 else None
