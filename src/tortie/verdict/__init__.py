"""The oracle: resources and a packet in; whether it gets through, what decided, and everything that was considered out.

    cluster = Cluster.of(resources)

    # end to end: every host that the flow crosses
    verdict = cluster.judge(Flow(source=…, destination=…, protocol=TCP, destination_port=80))
    verdict.allowed, verdict.reason, verdict.egress, verdict.ingress, verdict.hosts

    # one host: between two of its interfaces, or the host itself
    cluster.host_view("node-1").passes(HostPacket(in_interface="eth0", out_interface=None, source=…, destination=…, protocol=TCP))
    cluster.host_view("node-1").judge(packet).lines()

Simple, and meant to be obviously right: it walks everything for every packet, keeps no index, and shares nothing with the
calculation and the ruleset, whose judge it is. It knows Calico's kinds and EndpointSlice only: ``tortie.conversion`` tells which
Calico objects a Kubernetes object, or a StagedKubernetesNetworkPolicy, means. Its input is valid; a selector that cannot be
read raises SelectorError.

The ends of a flow are a workload (``cluster.endpoint("ns/pod").at(family)``), a host (``cluster.host("node-1", family)``), or an
address outside, which has no policy of its own whoever may have it.
"""

from tortie.verdict.cluster import Cluster
from tortie.verdict.endpoint import Endpoint, HostInterface
from tortie.verdict.flow import Flow
from tortie.verdict.host import HostView
from tortie.verdict.interfaces import InterfaceAddresses
from tortie.verdict.packet import HostPacket
from tortie.verdict.refs import NO_ADDRESS, End, EndpointRef, HostEndpointRef, HostRef, PolicyRef
from tortie.verdict.trace import Cause, Decision, PolicyTrace, ProfileTrace, RuleTrace, Stage, TierTrace
from tortie.verdict.verdicts import HostVerdict, Verdict

__all__ = [
    "NO_ADDRESS",
    "Cause",
    "Cluster",
    "Decision",
    "End",
    "Endpoint",
    "EndpointRef",
    "Flow",
    "HostEndpointRef",
    "HostInterface",
    "HostPacket",
    "HostRef",
    "HostVerdict",
    "HostView",
    "InterfaceAddresses",
    "PolicyRef",
    "PolicyTrace",
    "ProfileTrace",
    "RuleTrace",
    "Stage",
    "TierTrace",
    "Verdict",
]
