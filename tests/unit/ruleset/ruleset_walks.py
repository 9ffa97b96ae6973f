"""Hosts as models, and the way of a flow's first packet through them."""

from collections.abc import Iterable, Mapping

from tortie.calc import Calculation
from tortie.model.endpoint import WorkloadEndpointSpec
from tortie.model.meta import HostName
from tortie.model.updates import ResourceUpdate
from tortie.net import Family
from tortie.ruleset import Compiler, Options, Outcome, Packet, Path, Ruleset, apply, initial, walk
from tortie.ruleset.values import CtState
from tortie.verdict import EndpointRef, Flow

UPLINK = "eth0"
DEFAULTS = Options()

ICMP_THAT_BEGINS = {Family.V4: {8, 13, 15, 17}, Family.V6: {128, 139}}
"""Types of a first packet that connection tracking does not call invalid (Linux, nf_conntrack_proto_icmp{,v6}.c)."""


class HostModel:
    """A host from resource updates to the ruleset its kernel would have."""

    def __init__(self, host: HostName, updates: Iterable[ResourceUpdate], options: Options = DEFAULTS) -> None:
        self.calculation = Calculation(host)
        self.calculation.in_sync()
        self.compiler = Compiler(options)
        self.ruleset = Ruleset()
        for step in initial(options):
            self.ruleset = apply(self.ruleset, step)
        self.take(updates)

    def take(self, updates: Iterable[ResourceUpdate]) -> list[Ruleset]:
        """Take in *updates*; the rulesets after each step of the flush."""
        for update in updates:
            self.calculation.update(update)
        for delta in self.calculation.flush():
            self.compiler.update(delta)
        steps = []
        for step in self.compiler.flush():
            self.ruleset = apply(self.ruleset, step)
            steps.append(self.ruleset)
        return steps

    def walk(self, packet: Packet, path: Path = Path.FORWARD) -> Outcome:
        return walk(self.ruleset, packet, path)


def is_delivered(
    flow: Flow, hosts: Mapping[HostName, HostModel], endpoints: Mapping[tuple[str, str], WorkloadEndpointSpec]
) -> bool:
    """Whether the flow's first packet gets through every host on its way."""
    source, destination = (
        endpoints[end[:2]] if isinstance(end, EndpointRef) else None for end in (flow.source, flow.destination)
    )
    hops = [spec.node for spec in (source, destination) if spec is not None]
    return all(
        hosts[host].walk(packet_of(flow, interface_at(host, source), interface_at(host, destination))).is_accepted
        for host in dict.fromkeys(hops)
    )


def interface_at(host: str, spec: WorkloadEndpointSpec | None) -> str:
    """The interface by which an end of a flow is reached on *host*."""
    return spec.interface_name if spec is not None and spec.node == host else UPLINK


def packet_of(flow: Flow, in_interface: str, out_interface: str) -> Packet:
    icmp_type, icmp_code = flow.icmp or (None, None)
    begins = icmp_type is None or icmp_type in ICMP_THAT_BEGINS[flow.family]
    return Packet(
        source=flow.source_address,
        destination=flow.destination_address,
        protocol=flow.protocol,
        in_interface=in_interface,
        out_interface=out_interface,
        source_port=flow.source_port,
        destination_port=flow.destination_port,
        icmp_type=icmp_type,
        icmp_code=icmp_code,
        ct_state=CtState.NEW if begins else CtState.INVALID,
    )
