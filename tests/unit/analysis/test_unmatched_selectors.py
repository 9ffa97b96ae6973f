"""Selectors that match nothing that exists are found, with the label that was probably meant; others are not."""

from __future__ import annotations

from collections.abc import Mapping

import pytest
from hypothesis import given, settings

from tortie.analysis.existing import existing
from tortie.analysis.unmatched import unmatched, written
from tortie.model.document import read
from tortie.model.endpoint import HostEndpoint
from tortie.model.fieldpath import path_text
from tortie.model.kinds import ResourceKey
from tortie.model.meta import Resource
from tortie.model.policy import GlobalNetworkPolicy, NetworkPolicy, Profile
from tortie.model.sets import GlobalNetworkSet, NetworkSet
from tortie.testing.clusters import RandomCluster
from tortie.testing.strategies import random_clusters
from tortie.verdict.endpoint import host_endpoint, network_set, workload_endpoint
from tortie.verdict.scope import governs, is_limited, selects

SHOP = """
- {apiVersion: v1, kind: Namespace, metadata: {name: shop, labels: {env: prod}}}
- {apiVersion: v1, kind: Namespace, metadata: {name: bare, labels: {env: test}}}
- {apiVersion: v1, kind: ServiceAccount, metadata: {name: web, namespace: shop, labels: {trust: high}}}
- {apiVersion: v1, kind: Pod, metadata: {name: a, namespace: shop, labels: {app: frontend, tier: one}}, spec: {serviceAccountName: web}}
- {apiVersion: v1, kind: Pod, metadata: {name: b, namespace: shop, labels: {app: frontend, tier: two}}}
- {apiVersion: v1, kind: Pod, metadata: {name: c, namespace: shop, labels: {app: backend}}, spec: {serviceAccountName: old}}
- {apiVersion: v1, kind: Pod, metadata: {name: d, namespace: shop, labels: {app: hidden}}, spec: {hostNetwork: true}}
- {apiVersion: projectcalico.org/v3, kind: GlobalNetworkSet, metadata: {name: x, labels: {zone: internet}}, spec: {nets: [192.0.2.0/24]}}
- {apiVersion: projectcalico.org/v3, kind: NetworkSet, metadata: {name: x, namespace: bare, labels: {zone: office}}, spec: {nets: [192.0.2.0/24]}}
- {apiVersion: projectcalico.org/v3, kind: Profile, metadata: {name: p}, spec: {labelsToApply: {gate: open}}}
- {apiVersion: projectcalico.org/v3, kind: HostEndpoint, metadata: {name: h, labels: {host: gateway}}, spec: {node: h1, interfaceName: eth0, profiles: [p]}}
"""
CALICO = "apiVersion: projectcalico.org/v3\n"


def resources(text: str) -> Mapping[ResourceKey, Resource]:
    result = read(text)
    assert not result.errors
    return {item.key: item.resource for item in result.resources}


def found(policy: str, world: str = SHOP) -> dict[str, str]:
    """What is told about *policy* in *world*, by field."""
    exist = existing(resources(world).values())
    (resource,) = resources(policy).values()
    return {path_text(problem.path): problem.message for problem in unmatched(resource, exist)}


def in_shop(**spec: str) -> str:
    lines = "".join(f"  {field}: {text}\n" for field, text in spec.items())
    return f"{CALICO}kind: NetworkPolicy\nmetadata: {{name: p, namespace: shop}}\nspec:\n{lines}"


def of_cluster(**spec: str) -> str:
    return in_shop(**spec).replace("kind: N", "kind: GlobalN").replace(", namespace: shop", "")


@pytest.mark.parametrize(
    ("selector", "message"),
    [
        ("app == 'frontned'", "has app == 'frontned'; did you mean app == 'frontend' (2 endpoints)?"),
        ("app == 'FRONTEND'", "has app == 'FRONTEND'; did you mean app == 'frontend' (2 endpoints)?"),
        ("ap == 'backend'", "has ap == 'backend'; did you mean app == 'backend' (1 endpoint)?"),
        ("ap == 'nothing'", "has ap == 'nothing'; did you mean the label app (3 endpoints)?"),
        ("role == 'backend'", "has role == 'backend'; did you mean app == 'backend' (1 endpoint)?"),
        ("app == 'zzz'", "has app == 'zzz'; app is 'frontend', 'backend' there"),
        ("app in {'x', 'backnd'}", "has app in {'backnd', 'x'}; did you mean app == 'backend' (1 endpoint)?"),
        ("has(teir)", "has the label teir; did you mean the label tier (2 endpoints)?"),
        ("teir starts with 'o'", "matches teir starts with 'o'; did you mean the label tier (2 endpoints)?"),
        ("app == 'backend' && tier == 'tow'", "has tier == 'tow'; did you mean tier == 'two' (1 endpoint)?"),
        ("app == 'backend' && tier == 'two'", "matches app == 'backend' && tier == 'two'"),
        ("app == 'fronted' || app == 'beckend'", "has app == 'fronted'; did you mean app == 'frontend' (2 endpoints)?"),
        ("!has(app)", "matches !has(app); 1 elsewhere does"),
        ("host == 'gateway'", "has host == 'gateway'; 1 elsewhere does"),
        ("app == 'hidden'", "has app == 'hidden'; app is 'frontend', 'backend' there"),
        ("quite == 'new'", "has quite == 'new'"),
    ],
)
def test_a_selector_that_matches_nothing_is_told_with_what_is_near(selector: str, message: str) -> None:
    assert found(in_shop(selector=f'"{selector}"')) == {"spec.selector": f"no endpoint in namespace shop {message}"}


@pytest.mark.parametrize(
    "policy",
    [
        in_shop(),
        in_shop(selector="all()"),
        in_shop(selector="app == 'frontend' && tier == 'one'"),
        in_shop(selector="app == 'nothing' || has(tier)"),
        in_shop(selector="pcns.env == 'prod' && pcsa.trust == 'high'"),
        in_shop(selector="app == 'frontend'", serviceAccountSelector="trust == 'high'"),
        of_cluster(selector="host == 'gateway' && gate == 'open'"),
        of_cluster(namespaceSelector="env == 'prod'"),
        of_cluster(selector="has(app)", namespaceSelector="kubernetes.io/metadata.name == 'shop'"),
        of_cluster(ingress="[{action: Allow, source: {selector: zone == 'internet', namespaceSelector: global()}}]"),
        of_cluster(ingress="[{action: Allow, source: {selector: zone == 'office', namespaceSelector: env == 'test'}}]"),
        of_cluster(egress="[{action: Allow, destination: {serviceAccounts: {names: [old, web]}}}]"),
        of_cluster(egress="[{action: Allow, destination: {nets: [10.0.0.0/8], notSelector: has(tier)}}]"),
        in_shop(egress="[{action: Allow, destination: {serviceAccounts: {names: [web], selector: trust == 'high'}}}]"),
        in_shop(egress="[{action: Allow, destination: {ports: [80]}, protocol: TCP}]"),
        f"{CALICO}kind: StagedNetworkPolicy\nmetadata: {{name: p, namespace: shop}}\nspec: {{stagedAction: Delete}}",
        "{apiVersion: v1, kind: Pod, metadata: {name: p}}",
    ],
)
def test_nothing_is_told_where_something_matches(policy: str) -> None:
    assert found(policy) == {}


@pytest.mark.parametrize(
    ("policy", "expected"),
    [
        pytest.param(
            of_cluster(namespaceSelector="env == 'prd'", selector="app == 'frontned'"),
            {
                "spec.namespaceSelector": "no namespace has env == 'prd'; did you mean env == 'prod' (1 namespace)?",
                "spec.selector": "no endpoint has app == 'frontned'; did you mean app == 'frontend' (2 endpoints)?",
            },
            id="each mistake by itself",
        ),
        pytest.param(
            in_shop(serviceAccountSelector="trust == 'low'"),
            {"spec.serviceAccountSelector": "no service account in namespace shop has trust == 'low'; trust is 'high' there"},
            id="service accounts",
        ),
        pytest.param(
            in_shop(selector="app == 'backend'", serviceAccountSelector="trust == 'high'"),
            {"spec": "no endpoint matches all of serviceAccountSelector, selector, though each finds something"},
            id="together only",
        ),
        pytest.param(
            of_cluster(selector="has(app)", namespaceSelector="env == 'test'"),
            {"spec.selector": "there is no endpoint in the selected namespaces"},
            id="empty namespaces",
        ),
        pytest.param(
            of_cluster(ingress="[{action: Deny, source: {selector: zone == 'internt', notSelector: has(canary)}}]"),
            {
                "spec.ingress[0].source.selector": "no endpoint or network set has zone == 'internt'; "
                "did you mean zone == 'internet' (1 network set)?",
                "spec.ingress[0].source.notSelector": "no endpoint or network set has the label canary, so it excepts nothing",
            },
            id="network sets and exceptions",
        ),
        pytest.param(
            in_shop(egress="[{action: Allow, destination: {selector: zone == 'internet'}}]"),
            {
                "spec.egress[0].destination.selector": "no endpoint or network set in namespace shop has zone == 'internet'; "
                "1 elsewhere does"
            },
            id="a peer outside the namespace",
        ),
        pytest.param(
            in_shop(egress="[{action: Allow, destination: {selector: zone == 'office', namespaceSelector: env == 'prod'}}]"),
            {
                "spec.egress[0].destination.selector": "no endpoint or network set in the selected namespaces has "
                "zone == 'office'; 1 elsewhere does"
            },
            id="a peer outside the selected namespaces",
        ),
        pytest.param(
            in_shop(egress="[{action: Allow, destination: {serviceAccounts: {names: [wbe, web]}}}]"),
            {
                "spec.egress[0].destination.serviceAccounts.names[0]": "there is no service account 'wbe' in namespace shop; "
                "did you mean 'web'?"
            },
            id="a service account's name",
        ),
        pytest.param(
            "{apiVersion: projectcalico.org/v3, kind: Profile, metadata: {name: q}, "
            "spec: {egress: [{action: Allow, destination: {selector: has(tear)}}]}}",
            {
                "spec.egress[0].destination.selector": "no endpoint or network set has the label tear; "
                "did you mean the label tier (2 endpoints)?"
            },
            id="a profile's rules",
        ),
        pytest.param(
            "{apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, metadata: {name: k, namespace: shop}, "
            "spec: {podSelector: {matchLabels: {app: fronted}}, ingress: [{from: [{ipBlock: {cidr: 10.0.0.0/8}}, "
            "{podSelector: {matchLabels: {app: beckend}}, namespaceSelector: {}}]}], "
            "egress: [{to: [{namespaceSelector: {matchLabels: {env: prodd}}}]}]}}",
            {
                "spec.podSelector": "no endpoint in namespace shop has app == 'fronted'; did you mean app == 'frontend' (2 endpoints)?",
                "spec.ingress[0].from[1].podSelector": "no endpoint or network set has app == 'beckend'; "
                "did you mean app == 'backend' (1 endpoint)?",
                "spec.egress[0].to[0].namespaceSelector": "no namespace has env == 'prodd'; "
                "did you mean env == 'prod' (1 namespace)?",
            },
            id="Kubernetes",
        ),
        pytest.param(
            "{apiVersion: policy.networking.k8s.io/v1alpha2, kind: ClusterNetworkPolicy, metadata: {name: c}, "
            "spec: {tier: Admin, priority: 1, subject: {namespaces: {matchLabels: {env: prodd}}}, "
            "ingress: [{action: Deny, from: [{pods: {podSelector: {matchLabels: {app: fronted}}}}]}], "
            "egress: [{action: Deny, to: [{namespaces: {matchLabels: {evn: prod}}}]}]}}",
            {
                "spec.subject.namespaces": "no namespace has env == 'prodd'; did you mean env == 'prod' (1 namespace)?",
                "spec.ingress[0].from[0].pods.podSelector": "no endpoint or network set has app == 'fronted'; "
                "did you mean app == 'frontend' (2 endpoints)?",
                "spec.egress[0].to[0].namespaces": "no namespace has evn == 'prod'; did you mean env == 'prod' (1 namespace)?",
            },
            id="a cluster's policy",
        ),
    ],
)  # fmt: skip
def test_what_limits_a_selector_counts_and_every_mistake_is_told(policy: str, expected: dict[str, str]) -> None:
    assert found(policy) == expected


def test_where_nothing_exists_no_label_is_called_unknown() -> None:
    policy = resources(in_shop(selector="app == 'frontend'"))
    (problem,) = unmatched(*policy.values(), existing([]))
    assert (problem.message, problem.unknown_label) == ("there is no endpoint in namespace shop", False)


def test_what_only_follows_from_another_resource_is_not_told_twice() -> None:
    policy = "{apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, metadata: {name: k}, spec: {podSelector: {}}}"
    derived = in_shop().replace("name: p, namespace: shop", "name: knp.default.k, namespace: default")
    both = resources(policy) | resources(derived)
    assert list(written(both)) == list(resources(policy))
    assert list(written(resources(derived))) == list(resources(derived))


def test_a_pod_that_has_an_endpoint_counts_once() -> None:
    endpoint = (
        f"{CALICO}kind: WorkloadEndpoint\nmetadata: {{name: n1-k8s-b-eth0, namespace: shop, labels: {{app: frontend}}}}\n"
        "spec: {orchestrator: k8s, node: n1, pod: b, endpoint: eth0, ipNetworks: [10.0.0.1/32], interfaceName: cali0}"
    )
    told = found(in_shop(selector="app == 'frontned'"), f"{SHOP}\n---\n{endpoint}")
    assert told["spec.selector"].endswith("app == 'frontend' (2 endpoints)?")


def test_all_means_those_with_an_account_beside_a_selector_of_accounts() -> None:
    spec = "{selector: '!all()', serviceAccountSelector: \"!(trust == 'high')\"}"
    assert found(f"{CALICO}kind: GlobalNetworkPolicy\nmetadata: {{name: p}}\nspec: {spec}\n") == {}


# --- against the oracle ----------------------------------------------------------------------------------------------------


@settings(max_examples=60, deadline=None)
@given(random_clusters())
def test_a_policy_is_told_if_and_only_if_the_oracle_sees_it_govern_nothing(cluster: RandomCluster) -> None:
    exist = existing(cluster.calico())
    for policy in cluster.calico():
        if isinstance(policy, NetworkPolicy | GlobalNetworkPolicy) and not _is_for_hosts_only(policy):
            governed = [labels for labels in _endpoints(cluster) if governs(policy, labels)]
            told = [problem for problem in unmatched(policy, exist) if len(problem.path) <= 2]
            assert bool(told) == (not governed), (policy, told)


@settings(max_examples=60, deadline=None)
@given(random_clusters())
def test_an_end_of_a_rule_that_the_oracle_sees_match_is_not_told(cluster: RandomCluster) -> None:
    exist = existing(cluster.calico())
    for policy in cluster.calico():
        if isinstance(policy, NetworkPolicy | GlobalNetworkPolicy):
            namespace = policy.metadata.namespace
            told = {p.path[:4] for p in unmatched(policy, exist) if not {"names", "notSelector"} & set(p.path)}
            for field, rules in (("ingress", policy.spec.ingress), ("egress", policy.spec.egress)):
                for index, rule in enumerate(rules):
                    for end, peer in (("source", rule.source), ("destination", rule.destination)):
                        if is_limited(peer, namespace) and any(selects(peer, namespace, p) for p in _peers(cluster)):
                            assert ("spec", field, index, end) not in told


def _is_for_hosts_only(policy: NetworkPolicy | GlobalNetworkPolicy) -> bool:
    return isinstance(policy, GlobalNetworkPolicy) and (policy.spec.do_not_track or policy.spec.pre_dnat)


def _endpoints(cluster: RandomCluster) -> list[Mapping[str, str]]:
    """The labels of whom policies can govern."""
    profiles = _profiles(cluster)
    workloads = [workload_endpoint(endpoint, profiles).labels for endpoint in cluster.endpoints]
    return workloads + [host_endpoint(r, profiles).labels for r in cluster.calico() if isinstance(r, HostEndpoint)]


def _peers(cluster: RandomCluster) -> list[Mapping[str, str]]:
    """The labels of whom rules can find."""
    sets = (r for r in cluster.calico() if isinstance(r, NetworkSet | GlobalNetworkSet))
    return _endpoints(cluster) + [network_set(found, _profiles(cluster)).labels for found in sets]


def _profiles(cluster: RandomCluster) -> Mapping[str, Profile]:
    return {item.metadata.name: item for item in cluster.calico() if isinstance(item, Profile)}
