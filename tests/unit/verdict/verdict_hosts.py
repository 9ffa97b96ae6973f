"""A host with two uplinks and two pods, short ways to write what is about hosts, and every way through it.

pods a, b ── cali… ┐      ┌ eth0 ── outside 192.0.2.9
                   ├ host ┤
lo ── the host ────┘      └ eth1 ── outside 198.51.100.9
"""

import msgspec

from tortie.model.endpoint import EndpointPort, HostEndpoint, HostEndpointSpec
from tortie.model.felix import FelixConfiguration, FelixConfigurationSpec
from tortie.model.kubernetes_endpointslice import (
    SERVICE_LABEL,
    Endpoint,
    EndpointSlice,
)
from tortie.model.kubernetes_endpointslice import EndpointPort as SlicePort
from tortie.model.meta import ObjectMeta
from tortie.model.policy import Action, Direction, Rule
from tortie.model.sets import GlobalNetworkSet, NetworkSet, NetworkSetSpec
from tortie.model.topology import Node, NodeBGPSpec, NodeInterface, NodeSpec
from tortie.net import TCP, UDP, Address, Protocol
from tortie.testing.resources import global_network_policy, namespace_profile, pod_endpoint, tier
from tortie.verdict import Cluster, HostPacket

ALLOW, DENY, PASS, LOG = (Rule(action=action) for action in (Action.ALLOW, Action.DENY, Action.PASS, Action.LOG))
BOTH = (Direction.INGRESS, Direction.EGRESS)
DEFAULT_ALLOW = ("projectcalico-default-allow",)

HOST = "192.0.2.254"
OUTSIDE = {"eth0": "192.0.2.9", "eth1": "198.51.100.9"}
PODS = (
    tier("default", 1_000_000),
    namespace_profile("ns", team="red"),
    pod_endpoint("ns/a", "10.0.0.1", "fd00::1", labels={"app": "a"}),
    pod_endpoint("ns/b", "10.0.0.2", "fd00::2", labels={"app": "b"}),
)
A, B = (endpoint.spec.interface_name for endpoint in PODS[2:])
INTERFACES = {
    "lo": [Address.parse("127.0.0.1")],
    "eth0": [Address.parse(HOST), Address.parse("2001:db8::fe")],
    "eth1": [Address.parse("198.51.100.254")],
}

WAYS = {
    "to host": ("eth0", None, OUTSIDE["eth0"], HOST),
    "from host": (None, "eth0", HOST, OUTSIDE["eth0"]),
    "to host over eth1": ("eth1", None, OUTSIDE["eth1"], HOST),
    "from host over eth1": (None, "eth1", HOST, OUTSIDE["eth1"]),
    "to itself": (None, None, "127.0.0.1", "127.0.0.1"),
    "through": ("eth0", "eth1", OUTSIDE["eth0"], OUTSIDE["eth1"]),
    "back through": ("eth1", "eth0", OUTSIDE["eth1"], OUTSIDE["eth0"]),
    "to pod": ("eth0", A, OUTSIDE["eth0"], "10.0.0.1"),
    "from pod": (A, "eth0", "10.0.0.1", OUTSIDE["eth0"]),
    "pod to pod": (A, B, "10.0.0.1", "10.0.0.2"),
    "pod to host": (A, None, "10.0.0.1", HOST),
    "host to pod": (None, A, HOST, "10.0.0.1"),
}
"""Every way through the host: in, out, source, destination."""
LOCAL = {"to host", "from host", "to host over eth1", "from host over eth1", "to itself"}
"""The ways that a host endpoint's normal policy is for."""
FORWARDED = {"through", "back through", "to pod", "from pod", "pod to pod"}
ALL = frozenset(WAYS)


def packet(way, protocol=TCP, port=80, source_port=40000, **more):
    arrives, leaves, source, destination = WAYS[way]
    return packet_of(arrives, leaves, source, destination, protocol, port, source_port, **more)


def packet_of(arrives, leaves, source, destination, protocol=TCP, port=80, source_port=40000, **more):
    ports = {"source_port": source_port, "destination_port": port} if protocol.has_ports else {}
    return HostPacket(
        in_interface=arrives,
        out_interface=leaves,
        source=Address.parse(source),
        destination=Address.parse(destination),
        protocol=protocol,
        **ports,
        **more,
    )


def host(*resources, accept=True):
    """The host's view; unless told otherwise its pods may reach it if their policy lets them."""
    settings = [felix(default_endpoint_to_host_action="Accept")] if accept else []
    return Cluster.of([*PODS, *settings, *resources]).host_view("host-1", INTERFACES)


def passing(view, protocol=TCP, **more):
    """The ways that a packet gets through."""
    return {way for way in WAYS if view.passes(packet(way, protocol, **more))}


def stopped(*resources, accept=True, **more):
    return ALL - passing(host(*resources, accept=accept), **more)


# --- resources -----------------------------------------------------------------------------------------------------------


def host_endpoint(name="hep", interface="eth0", *, expected=(), labels=None, profiles=(), ports=None, node="host-1"):
    named = [
        EndpointPort(name=key, port=number, protocol=Protocol.parse(p)) for key, (number, p) in (ports or {}).items()
    ]
    return HostEndpoint(
        metadata=ObjectMeta(name=name, labels=labels or {"is": "host"}),
        spec=HostEndpointSpec(
            node=node,
            interface_name=interface,
            expected_ips=tuple(map(Address.parse, expected)),
            profiles=tuple(profiles),
            ports=tuple(named),
        ),
    )


def host_policy(name, *, use="", selector="is == 'host'", **more):
    """Of host endpoints. *use*: ``forward`` (applyOnForward), ``pre-dnat``, ``untracked``, or for the host's own traffic only."""
    policy = global_network_policy(name, selector=selector, untracked=use == "untracked", **more)
    return with_spec(policy, pre_dnat=use == "pre-dnat", apply_on_forward=bool(use))


def with_spec(resource, **fields):
    """*resource* with other *fields* of its spec."""
    return msgspec.structs.replace(resource, spec=msgspec.structs.replace(resource.spec, **fields))


def felix(name="default", selector="", created=None, **fields):
    return FelixConfiguration(
        metadata=ObjectMeta(name=name, creation_timestamp=created),
        spec=FelixConfigurationSpec(node_selector=selector, **fields),
    )


def node(name="host-1", *, bgp="", interfaces=None, labels=None):
    listed = tuple(NodeInterface(name=key, addresses=tuple(texts)) for key, texts in (interfaces or {}).items())
    spec = NodeSpec(bgp=NodeBGPSpec(ipv4_address=bgp) if bgp else None, interfaces=listed)
    return Node(metadata=ObjectMeta(name=name, labels=labels or {}), spec=spec)


def network_set(where, *nets, **labels):
    """``namespace/name``, or ``name`` for a global one."""
    namespace, _, name = where.rpartition("/")
    kind = NetworkSet if namespace else GlobalNetworkSet
    return kind(metadata=ObjectMeta(name=name, namespace=namespace, labels=labels), spec=NetworkSetSpec(nets=nets))


def endpoint_slice(service, *addresses, ports=(), family="IPv4"):
    """A slice of ``namespace/service``; *ports* are pairs of number and protocol."""
    namespace, _, name = service.partition("/")
    return EndpointSlice(
        metadata=ObjectMeta(
            name=f"{name}-{len(addresses)}-{family}", namespace=namespace, labels={SERVICE_LABEL: name}
        ),
        address_type=family,
        endpoints=(Endpoint(addresses=addresses),),
        ports=tuple(SlicePort(port=number, protocol=protocol) for number, protocol in ports),
    )


EVERYTHING = host_endpoint("all", "*")
OPEN = host_endpoint(profiles=DEFAULT_ALLOW)
OPEN_EVERYTHING = host_endpoint("all", "*", profiles=DEFAULT_ALLOW)
UPLINK = {"to host", "from host"}
"""The host's own traffic over eth0."""
NEVER = Rule(action=Action.ALLOW, protocol=UDP)
"""Matches no packet of TCP."""
