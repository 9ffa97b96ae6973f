"""Coverage of rules: which a test tries, which it could, which never decide and because of what."""

from __future__ import annotations

from collections.abc import Mapping

import pytest
from shop_cluster import POLICY, allow, cluster, deny

from tortie.analysis.assertions import Judge, Located
from tortie.analysis.assertions.coverage import coverage
from tortie.analysis.assertions.written import written_coverage
from tortie.analysis.provenance import Provenance
from tortie.analysis.templates import of_a_cluster
from tortie.conversion import interface_name
from tortie.model.document import read

TIER = (
    "{apiVersion: projectcalico.org/v3, kind: Tier, metadata: {name: early}, spec: {order: 1, defaultAction: DEFAULT}}"
)
EARLY = """
apiVersion: projectcalico.org/v3
kind: GlobalNetworkPolicy
metadata: {name: early}
spec:
  tier: early
  selector: role == 'db'
  types: [Ingress]
  ingress: [RULES]
"""


def states(texts: tuple[str, ...], *tests: Located) -> Mapping[str, str]:
    """The state of every rule, and what shadows it, by policy and rule."""
    judge = Judge(cluster(*texts), tests, all_hosts=True)
    whole = read("\n---\n".join(texts), source="p.yaml", prepare=of_a_cluster)
    found = written_coverage(coverage(judge, tests), Provenance.of_documents(whole.resources))
    return {f"{rule.policy} {rule.name}": " ".join((rule.state, *rule.shadowed_by)) for rule in found.rules}


def early(rules: str, default: str = "Pass") -> tuple[str, ...]:
    return TIER.replace("DEFAULT", default), EARLY.replace("RULES", rules), POLICY


DB = "NetworkPolicy shop/db spec.ingress[0]"


@pytest.mark.parametrize(
    ("test", "expected"),
    [
        (allow("web", "db", "tcp/5432"), "tested"),
        (deny("203.0.113.9", "db"), "tested"),
        (deny("web", "db", "tcp/1"), "untested"),
        (deny("ops/job", "db"), "untested"),
        (allow("db", "web"), "untested"),
        (allow("host:two", "db"), "untested"),
    ],
    ids=lambda value: value.sentence if isinstance(value, Located) else "",
)
def test_a_rule_is_tried_by_what_it_decides_about(test: Located, expected: str) -> None:
    assert states((POLICY,), test)[DB] == expected


def test_what_is_sent_over_anothers_link_tries_no_rule() -> None:
    """It is lost before; what is received there is judged by the policies of whoever has the link."""
    late = f"""
apiVersion: projectcalico.org/v3
kind: WorkloadEndpoint
metadata: {{name: two-k8s-late-eth0, namespace: shop}}
spec:
  {{orchestrator: k8s, node: two, pod: late, endpoint: eth0, interfaceName: {interface_name("shop", "db")}, ipNetworks: [10.0.0.9/32]}}
"""
    both = POLICY + "  egress: [{}]\n  policyTypes: [Ingress, Egress]\n"
    tried = states((both, late), deny("late", "web"), allow("web", "late", "tcp/5432"))
    assert tried[DB] == "tested"
    assert tried[DB.replace("ingress", "egress")] == "untested"


def test_what_the_source_may_not_send_tries_nothing_at_the_destination() -> None:
    silent = """
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: silent, namespace: shop}
spec: {podSelector: {matchLabels: {role: web}}, policyTypes: [Egress]}
"""
    assert states((POLICY, silent), deny("web", "db"))[DB] == "untested"
    assert states((POLICY, silent), deny("203.0.113.0/25", "db"))[DB] == "tested"


@pytest.mark.parametrize(
    ("texts", "expected"),
    [
        (early("{action: Allow}"), "shadowed GlobalNetworkPolicy early, spec.ingress[0] at p.yaml:11:13"),
        (early("{action: Pass}"), "untested"),
        (early("{action: Log}", "Deny"), "shadowed the default action of tier early"),
        (early("{action: Deny, source: {selector: role == 'web'}}"), "untested"),
        (
            early("{action: Deny, source: {selector: role == 'web'}}, {action: Deny, source: {nets: [203.0.113.0/24]}}"),
            (
                "shadowed GlobalNetworkPolicy early, spec.ingress[0] at p.yaml:11:13"
                " GlobalNetworkPolicy early, spec.ingress[1] at p.yaml:11:64"
            ),
        ),
        (early("{action: Deny, protocol: TCP, destination: {ports: ['5000:6000']}}"),
         "shadowed GlobalNetworkPolicy early, spec.ingress[0] at p.yaml:11:13"),
    ],
)  # fmt: skip
def test_a_rule_whose_packets_earlier_ones_take_never_decides(texts: tuple[str, ...], expected: str) -> None:
    assert states(texts)[DB] == expected


@pytest.mark.parametrize(
    "policy",
    [
        POLICY.replace("role: db}", "role: nobody}"),
        POLICY.replace("role: web", "role: nobody").replace(", {ipBlock: {cidr: 203.0.113.0/25}}", ""),
        POLICY.replace("{podSelector: {matchLabels: {role: web}}}, ", "").replace("203.0.113.0/25", "fd00::/64"),
    ],
    ids=["nobody is governed", "nobody is a peer", "no address is of that version"],
)
def test_a_rule_that_matches_nothing_here_is_idle(policy: str) -> None:
    assert states((policy,))[DB] == "idle"


def test_a_hosts_address_is_a_peer() -> None:
    policy = POLICY.replace("{podSelector: {matchLabels: {role: web}}}, ", "").replace("203.0.113.0/25", "192.0.2.1/32")
    assert states((policy,))[DB] == "untested"
    assert states((policy,), allow("host:one", "db", "tcp/5432"))[DB] == "tested"


def test_of_a_policy_of_hosts_it_is_not_told_that_a_rule_never_decides() -> None:
    host = """
{apiVersion: projectcalico.org/v3, kind: HostEndpoint, metadata: {name: one, labels: {edge: "yes"}}, spec: {node: one, interfaceName: eth0, expectedIPs: [192.0.2.1]}}
---
apiVersion: projectcalico.org/v3
kind: GlobalNetworkPolicy
metadata: {name: edge}
spec: {selector: has(edge), types: [Ingress], ingress: [{action: Allow, protocol: TCP, destination: {ports: [443]}}]}
"""
    rule = "GlobalNetworkPolicy edge spec.ingress[0]"
    assert states((host,))[rule] == "untested"
    assert states((host,), allow("1.1.1.1", "host:one", "tcp/443"))[rule] == "tested"
