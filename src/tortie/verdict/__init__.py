"""The oracle: a flow and the resources in, whether it is allowed and what decided out.

    cluster = Cluster.of(resources)
    verdict = cluster.judge(Flow(source=…, destination=…, protocol=TCP, destination_port=80))

Simple, and meant to be obviously right: it walks everything for every flow, keeps no index, and shares nothing with the
calculation and the ruleset, whose judge it is. It knows Calico's kinds only: ``tortie.conversion`` tells which of them a
Kubernetes object means. Its input is valid; a selector that cannot be read raises SelectorError.

Judged are workload endpoints. Host endpoints, network sets and services as peers come with their own issues: a resource of
theirs adds to what ``Cluster.endpoints`` holds, and a new end of a flow to what ``Cluster.judge`` asks.
"""

from tortie.verdict.cluster import Cluster
from tortie.verdict.endpoint import Endpoint
from tortie.verdict.flow import EndpointRef, Flow
from tortie.verdict.trace import Cause, Decision, PolicyRef, PolicyTrace, ProfileTrace, RuleTrace, TierTrace, Verdict

__all__ = [
    "Cause",
    "Cluster",
    "Decision",
    "Endpoint",
    "EndpointRef",
    "Flow",
    "PolicyRef",
    "PolicyTrace",
    "ProfileTrace",
    "RuleTrace",
    "TierTrace",
    "Verdict",
]
