"""``tortie dataplane owner``: which policies are behind an element of a set of tuples."""

import json

import pytest

CLUSTER = """
apiVersion: projectcalico.org/v3
kind: Node
metadata: {name: host1}
spec: {}
---
apiVersion: v1
kind: Namespace
metadata: {name: shop}
---
apiVersion: projectcalico.org/v3
kind: WorkloadEndpoint
metadata: {name: host1-k8s-web-eth0, namespace: shop, labels: {app: web}}
spec:
  {node: host1, orchestrator: k8s, pod: web, endpoint: eth0, interfaceName: cali0web, ipNetworks: [10.65.0.5/32], profiles: [kns.shop]}
---
apiVersion: projectcalico.org/v3
kind: NetworkPolicy
metadata: {name: ports, namespace: shop}
spec:
  selector: app == 'web'
  ingress:
""" + "".join(
    f"  - {{action: Allow, protocol: TCP, source: {{nets: [10.0.0.{n}/32]}}, destination: {{ports: [{n}]}}}}\n"
    for n in range(1, 10)
)
AGAIN = """
apiVersion: projectcalico.org/v3
kind: GlobalNetworkPolicy
metadata: {name: again}
spec:
  selector: app == 'web'
  order: 1
  ingress:
  - {action: Allow, protocol: TCP, source: {nets: [10.0.0.3/32]}, destination: {ports: [3]}}
"""
SET = "gi-_aaaaaaaaaa-SD4-allow"


@pytest.fixture
def owner(tortie):
    """Ask for an element's owners, of files on standard input."""

    def ask(*arguments: str, cluster: str = CLUSTER, status: int = 0) -> str:
        return tortie(
            "dataplane", "owner", *arguments, "--host", "host1", "-f", "-", stdin=cluster, status=status
        ).output

    return ask


def test_the_policy_and_its_rule_are_named(owner):
    set_name, line = owner(SET, "10.0.0.3", ".", "tcp", ".", "3").splitlines()
    assert line == "NetworkPolicy shop/ports rule 2  decides"
    assert owner(set_name.split(",")[0], "10.0.0.3 . tcp . 3").splitlines() == [line]


def test_of_several_the_deciding_one_comes_first(owner):
    lines = owner(SET, "10.0.0.3 . tcp . 3", cluster=f"{CLUSTER}---{AGAIN}").splitlines()[1:]
    assert lines == ["GlobalNetworkPolicy again rule 0  decides", "NetworkPolicy shop/ports rule 2  comes after it"]


def test_programs_get_json(owner):
    ((answer),) = json.loads(owner(SET, "10.0.0.3 . tcp . 3", "-o", "json"))
    assert answer["owners"] == [{"kind": "NetworkPolicy", "namespace": "shop", "name": "ports", "rule": 2}]


def test_the_datastore_is_asked_without_files(tortie):
    tortie("apply", "-f", "-", stdin=CLUSTER)
    answer = tortie("dataplane", "owner", SET, "10.0.0.4 . tcp . 4", "--host", "host1").output
    assert answer.endswith("NetworkPolicy shop/ports rule 3  decides\n")


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        pytest.param((SET, "10.0.0.3 . tcp . 4"), "no policy puts 10.0.0.3 . tcp . 4 into", id="nobody's"),
        pytest.param(("gi-_aaaaaaaaaa-SD4-deny", "10.0.0.3 . tcp . 3"), "no policy puts", id="of another action"),
        pytest.param(("go-_aaaaaaaaaa-SD4-allow", "10.0.0.3 . tcp . 3"), "no policy puts", id="of the other direction"),
        pytest.param(("s4-abc", "10.0.0.3"), "is not a set of tuples", id="another set"),
        pytest.param((SET, "10.0.0.3"), "is not address . protocol . port", id="another element"),
        pytest.param((SET, "10.0.0.3 . foo . 3"), "'foo' is not a protocol", id="a protocol that is none"),
        pytest.param((SET, "10.0.0.3 . tcp . http"), "'http' is not a port number", id="a port's name"),
        pytest.param((SET, "fd00::1 . tcp . 3"), "is not an IPv4 address", id="the other family"),
    ],
)
def test_what_cannot_be_answered_says_why(owner, arguments, complaint):
    assert complaint in owner(*arguments, status=1)


def test_an_unknown_host_is_named(tortie):
    output = tortie(
        "dataplane", "owner", SET, "10.0.0.3", "--host", "nohost", "-f", "-", stdin=CLUSTER, status=1
    ).output
    assert "there is no node 'nohost'; known: host1" in output
