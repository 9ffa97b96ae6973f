"""Random stored documents of every kind that the graph reads, of so small a vocabulary that they meet each other often."""

from random import Random
from typing import Any

from calc_resources import HOST

from tortie.model import kinds
from tortie.model.codec import encode_document
from tortie.model.endpoint import endpoint_name
from tortie.model.kinds import Kind, ResourceKey
from tortie.model.meta import HostName

Document = dict[str, Any]
Entry = tuple[ResourceKey, bytes]
"""A key and the bytes that are stored there."""

NODES = (HOST, HOST, HostName("there"))
NAMESPACES = ("n1", "n2")
ADDRESSES = ("10.0.0.1", "10.0.0.2", "10.0.0.3", "fd00::1", "fd00::2")
NETS = (*ADDRESSES, "10.0.0.0/8", "10.0.0.1/32", "0.0.0.0/0", "::/0", "192.0.2.7/24")
SELECTORS = (
    "all()", "has(a)", "a == 'x'", "a in {'x', 'y'}", "!has(a)", "a != 'x'", "b == 'x' || a == 'y'", "a == 'x' && b != 'x'",
    "a starts with 'x'", "b == 'x' || a != 'y'",
)  # fmt: skip
NAMESPACE_SELECTORS = ("all()", "team == 'red'", "!has(team)")
PROFILES = ("kns.n1", "kns.n2", "ksa.n1.robot", "p", "projectcalico-default-allow")
PORTS = (
    {"name": "web", "protocol": "TCP", "port": 80},
    {"name": "web", "protocol": "UDP", "port": 81},
    {"name": "dns", "protocol": "UDP", "port": 53},
)
INVALID = b'{"kind":'


def random_entry(rng: Random) -> Entry:
    """A key, and a document for it that is nearly always valid."""
    key, spec, more = rng.choice(_MAKERS)(rng)
    metadata = {"name": key.name, **({"namespace": key.namespace} if key.namespace else {}), **more.pop("metadata", {})}
    document = {"kind": key.kind.name, "apiVersion": key.kind.api_version, "metadata": metadata, **more}
    if spec is not None:
        document["spec"] = spec
    if rng.random() < 0.03:
        return key, INVALID
    if rng.random() < 0.03:
        metadata["labels"] = {"not a label": ""}
    return key, encode_document(document)


Made = tuple[ResourceKey, Document | None, Document]
"""Key, spec, and what stands beside it."""


def _labels(rng: Random) -> dict[str, str]:
    return {name: rng.choice("xy") for name in "ab" if rng.random() < 0.6}


def _some(rng: Random, choices: tuple[Any, ...], most: int) -> list[Any]:
    return rng.sample(choices, rng.randint(0, most))


def _tier(rng: Random) -> Made:
    key = ResourceKey(kinds.TIER, "", rng.choice(("t1", "t2")))
    order = {"order": rng.choice((1, 2))} if rng.random() < 0.7 else {}
    return key, {"defaultAction": rng.choice(("Deny", "Pass")), **order}, {}


def _profile(rng: Random) -> Made:
    name = rng.choice(PROFILES)
    given = (
        {"pcns.team": rng.choice(("red", "blue"))}
        if name.startswith("kns.")
        else {"a": rng.choice("xy"), **_labels(rng)}
    )
    spec = {"labelsToApply": given} if rng.random() < 0.8 else {}
    return ResourceKey(kinds.PROFILE, "", name), {**spec, "ingress": _rules(rng, ""), "egress": _rules(rng, "")}, {}


def _workload_endpoint(rng: Random) -> Made:
    node, namespace, pod = rng.choice(NODES), rng.choice(NAMESPACES), rng.choice(("w-1", "w2", "w3"))
    key = ResourceKey(kinds.WORKLOAD_ENDPOINT, namespace, endpoint_name(node, "k8s", pod, "eth0"))
    spec: Document = {
        "orchestrator": "k8s", "node": node, "pod": pod, "endpoint": "eth0", "interfaceName": f"cali{pod}",
        "ipNetworks": [f"{a}/{128 if ':' in a else 32}" for a in _some(rng, ADDRESSES, 2)],
        "profiles": rng.sample(PROFILES, rng.choice((0, 1, 2, 4))), "ports": _some(rng, PORTS, 2),
    }  # fmt: skip
    if rng.random() < 0.2:
        spec["qosControls"] = {"ingressPacketRate": 100, "egressMaxConnections": rng.choice((5, 7))}
    if rng.random() < 0.2:
        spec["allowSpoofedSourcePrefixes"] = _some(rng, NETS, 2)
    if rng.random() < 0.3:
        spec["serviceAccountName"] = "robot"
    return key, spec, {"metadata": {"labels": _labels(rng)}}


def _host_endpoint(rng: Random) -> Made:
    spec = {
        "node": rng.choice(NODES), "interfaceName": rng.choice(("eth0", "*")), "expectedIPs": _some(rng, ADDRESSES, 2),
        "profiles": _some(rng, PROFILES, 2), "ports": _some(rng, PORTS, 1),
    }  # fmt: skip
    return ResourceKey(kinds.HOST_ENDPOINT, "", rng.choice(("h1", "h2"))), spec, {"metadata": {"labels": _labels(rng)}}


def _network_set(rng: Random) -> Made:
    kind = rng.choice((kinds.NETWORK_SET, kinds.GLOBAL_NETWORK_SET))
    key = ResourceKey(kind, rng.choice(NAMESPACES) if kind.namespaced else "", rng.choice(("s1", "s2")))
    return key, {"nets": _some(rng, NETS, 3)}, {"metadata": {"labels": _labels(rng)}}


def _policy(rng: Random) -> Made:
    kind = rng.choice(_POLICIES)
    namespace = rng.choice(NAMESPACES) if kind.namespaced else ""
    key = ResourceKey(kind, namespace, rng.choice(("q1", "q2", "q10")))
    if kind in _STAGED and rng.random() < 0.3:
        return key, {"stagedAction": rng.choice(("Delete", "Ignore", "Learn"))}, {}
    spec: Document = {"tier": rng.choice(("default", "t1", "t2")), "selector": rng.choice((*SELECTORS, ""))}
    if rng.random() < 0.6:
        spec["order"] = rng.choice((1, 1.5, 2))
    directions = rng.choice((["Ingress"], ["Egress"], ["Ingress", "Egress"], []))
    spec["types"] = directions
    if "Egress" not in directions or len(directions) == 2:
        spec["ingress"] = _rules(rng, namespace)
    if "Egress" in directions:
        spec["egress"] = _rules(rng, namespace, is_egress=True)
    if rng.random() < 0.1:
        spec["performanceHints"] = ["AssumeNeededOnEveryNode"]
    if not namespace:
        spec |= rng.choice(({}, {}, {"namespaceSelector": rng.choice(NAMESPACE_SELECTORS)}))
        use = rng.choice(("", "", "applyOnForward", "doNotTrack", "preDNAT"))
        if use:
            spec |= {use: True, "applyOnForward": True}
        if use == "preDNAT":
            spec |= {"types": ["Ingress"], "egress": []}
    return key, spec, {}


def _rules(rng: Random, namespace: str, *, is_egress: bool = False) -> list[Document]:
    return [_rule(rng, namespace, is_egress) for _ in range(rng.randint(0, 2))]


def _rule(rng: Random, namespace: str, is_egress: bool) -> Document:
    peer: Document = {"selector": rng.choice(SELECTORS)} if rng.random() < 0.8 else {}
    if rng.random() < 0.2:
        peer["notSelector"] = rng.choice(SELECTORS)
    if rng.random() < 0.3:
        peer["namespaceSelector"] = rng.choice((*NAMESPACE_SELECTORS, "global()"))
    if rng.random() < 0.2:
        peer["serviceAccounts"] = {"names": ["robot"]}
    rule: Document = {"action": rng.choice(("Allow", "Deny", "Pass", "Log"))}
    if rng.random() < 0.15:
        peer = {"services": {"name": rng.choice(("svc1", "svc2")), "namespace": rng.choice(NAMESPACES)}}
    elif rng.random() < 0.4:
        rule |= {"protocol": rng.choice(("TCP", "UDP"))}
        peer[rng.choice(("ports", "notPorts"))] = rng.sample(("web", "dns", 80), 2)
    rule["destination" if is_egress else "source"] = peer
    return rule


def _slice(rng: Random) -> Made:
    key = ResourceKey(kinds.ENDPOINT_SLICE, rng.choice(NAMESPACES), rng.choice(("e1", "e2")))
    more = {
        "addressType": "IPv4",
        "endpoints": [{"addresses": [a]} for a in _some(rng, ADDRESSES[:3], 2)],
        "ports": [{"name": "p", "port": 80}] if rng.random() < 0.8 else [],
        "metadata": {"labels": {"kubernetes.io/service-name": rng.choice(("svc1", "svc2"))}},
    }
    return key, None, more


def _configuration(rng: Random) -> Made:
    name = rng.choice(("default", f"node.{HOST}", "node.there", "some", "others"))
    spec: Document = {"defaultEndpointToHostAction": rng.choice(("Drop", "Accept"))}
    if rng.random() < 0.5:
        spec["interfacePrefix"] = rng.choice(("cali", "tap"))
    more: Document = {}
    if name in ("some", "others"):
        spec["nodeSelector"] = rng.choice(("has(a)", "a == 'x'"))
        more = {"metadata": {"creationTimestamp": rng.choice(("2026-01-01T00:00:00Z", "2026-01-02T00:00:00Z"))}}
    return ResourceKey(kinds.FELIX_CONFIGURATION, "", name), spec, more


def _node(rng: Random) -> Made:
    return ResourceKey(kinds.NODE, "", rng.choice((HOST, "there"))), {}, {"metadata": {"labels": _labels(rng)}}


_STAGED: tuple[Kind, ...] = (kinds.STAGED_NETWORK_POLICY, kinds.STAGED_GLOBAL_NETWORK_POLICY)
_POLICIES: tuple[Kind, ...] = (kinds.NETWORK_POLICY, kinds.GLOBAL_NETWORK_POLICY, kinds.GLOBAL_NETWORK_POLICY, *_STAGED)
_MAKERS = (
    _tier, _profile, _profile, _workload_endpoint, _workload_endpoint, _workload_endpoint, _host_endpoint, _network_set,
    _policy, _policy, _policy, _slice, _configuration, _node,
)  # fmt: skip
