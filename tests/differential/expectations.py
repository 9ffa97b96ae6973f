"""What a test of random packets must have met, or it has tested nothing."""

from __future__ import annotations

from tortie.testing.tally import Tally

FLOWS = {
    f"{kind} {fate}"
    for kind in (
        "IPv4",
        "IPv6",
        "TCP",
        "UDP",
        "SCTP",
        "ICMP",
        "ICMPv6",
        "workload to workload",
        "workload to host",
        "at one host",
    )
    for fate in ("through", "stopped")
}
CAUSES = {
    "forward policy of host: allowed by no policy of this stage decides",
    "forward policy of host: denied by the tier's default action",
    "policy of host: allowed by a profile's rule",
    "policy of host: denied by no profile has a rule that matches",
    "policy of workload: allowed by a policy's rule",
    "policy of workload: allowed by a profile's rule",
    "policy of workload: denied by a policy's rule",
    "policy of workload: denied by a profile that does not exist",
    "policy of workload: denied by no profile has a rule that matches",
    "policy of workload: denied by the tier's default action",
    "reverse path of workload: denied by the workload has no such address",
    "workload to host of workload: denied by defaultEndpointToHostAction",
}
CRITERIA = {"nothing", "protocol", "source.namespace_selector", "source.selector"}
"""What is too rare to be met for certain in a few seconds is only counted and printed."""


def missing_hits(tally: Tally) -> list[str]:
    """What has not been met, by name."""
    wanted = {"flows": FLOWS, "causes": CAUSES, "criteria": CRITERIA}
    missing = [name for section, names in wanted.items() for name in sorted(names) if not tally[section][name]]
    through, total = tally["flows"]["all through"], tally.total
    return missing if total / 5 < through < total * 4 / 5 else [*missing, f"{through} of {total} got through"]
