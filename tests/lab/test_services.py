"""Names and addresses of services lead to their pods, in both families, on whatever host one asks.

    client (host1)   web-1 (host1)   kube-dns (host1)      web-2 (host2)
         └────────── host1 ─────────────┘ ── fabric ── host2 ──┘
    web.t = 10.96.0.x, fd00:96::x, port 80 ─► web-1 and web-2, port 8080

The resolver of these tests is the machine's own (glibc), the client of TCP curl's or Python's: nothing of ours but what they ask.
"""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from typing import Any

import pytest
from asking import both, reach
from leftovers import eventually
from manifests import apply, network_policy, pod, service

from tortie.lab.client import Lab

WEB = service("web", ports=[{"port": 80, "targetPort": 8080}])
OBJECTS = (
    pod("client", "sleep", "1000", host="host1", app="client"),
    pod("web-1", "webserver", "--http-port=8080", host="host1", app="web"),
    pod("web-2", "webserver", "--http-port=8080", host="host2", app="web"),
    WEB,
    service("pods", clusterIP="None", selector={"app": "web"}),
    service("nobody"),
)


@pytest.fixture(scope="module")
def lab(shared_name: str, tortie) -> Iterator[Lab]:
    with Lab.launch(shared_name, hosts=2) as started:
        apply(started, tortie, *OBJECTS)
        eventually(lambda: running(started) == 4, "all workloads run")
        eventually(lambda: asked(started, "t/client", "web-1", "web-2"), "both replicas have answered the client")
        yield started


def running(lab: Lab) -> int:
    return sum(workload["phase"] == "Running" for workload in lab.status()["workloads"])


def output(lab: Lab, target: str, *argv: str) -> str:
    """What a program says inside, on both its outputs."""
    command = lab.exec_command(target, argv)
    return subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False).stdout


def asked(lab: Lab, source: str, *replicas: str) -> bool:
    """Whether all *replicas*, and nobody else, answer when *source* asks often enough, in each family."""
    answers = [reach(lab, source, "http://web.t") for _ in range(8)]
    return all({answer[family] for answer in answers} == {f"Welcome to {r}" for r in replicas} for family in both(""))


def addresses(lab: Lab, source: str, name: str) -> set[str]:
    """What the resolver of *source* makes of *name*; nothing if it does not resolve."""
    return {line.split()[0] for line in output(lab, source, "getent", "ahosts", name).splitlines()}


def spec_of(lab: Lab, tortie, name: str) -> dict[str, Any]:
    got = tortie("--lab", lab.name, "get", "services", name, "-n", "t", "-o", "json")
    return json.loads(got.stdout)["spec"]


@pytest.mark.parametrize("name", ["web", "web.t", "web.t.svc", "web.t.svc.cluster.local", "web.t.svc.cluster.local."])
def test_every_form_of_a_service_s_name_is_its_cluster_addresses(lab: Lab, tortie, name: str) -> None:
    assert addresses(lab, "t/client", name) == set(spec_of(lab, tortie, "web")["clusterIPs"])


def test_the_short_name_is_known_in_its_own_namespace_only(lab: Lab) -> None:
    assert addresses(lab, "kube-system/kube-dns", "web.t")
    assert addresses(lab, "kube-system/kube-dns", "web") == set()


@pytest.mark.parametrize("name", ["wob", "web.u", "t", "example.com", "web.t.svc.cluster.example"])
def test_other_names_do_not_resolve(lab: Lab, name: str) -> None:
    assert reach(lab, "t/client", f"http://{name}") == both(f"bad address '{name}'")


def test_a_headless_service_s_name_is_its_pods(lab: Lab) -> None:
    pods = [workload for workload in lab.status()["workloads"] if workload["name"].startswith("web")]
    expected = {workload[family] for workload in pods for family in ("ipv4", "ipv6")}
    assert addresses(lab, "t/client", "pods") == expected


def test_the_dns_server_answers_over_tcp_and_over_ipv6(lab: Lab) -> None:
    script = "import socket, sys; socket.create_connection((sys.argv[1], 53), 2).sendall(b'x')"
    for address in ("10.96.0.10", "fd00:96::a"):
        assert output(lab, "t/client", "python3", "-c", script, address) == ""
    # glibc asks over TCP if it is told to (resolv.conf(5), use-vc)
    asked_by_tcp = output(lab, "t/client", "env", "RES_OPTIONS=use-vc", "getent", "ahostsv4", "web")
    assert asked_by_tcp.startswith("10.96.0.")


def test_every_replica_answers_whichever_host_one_asks_from(lab: Lab) -> None:
    """From a workload, from a pod behind the service (which may get itself), and from a host."""
    for source in ("t/client", "t/web-1", "t/web-2"):
        eventually(lambda source=source: asked(lab, source, "web-1", "web-2"), f"both have answered {source}")


@pytest.mark.parametrize("host", ["host1", "host2"])
def test_a_host_reaches_a_service_by_its_address(lab: Lab, tortie, host: str) -> None:
    for address in spec_of(lab, tortie, "web")["clusterIPs"]:
        url = f"http://[{address}]" if ":" in address else f"http://{address}"
        assert "Welcome to web-" in output(lab, host, "reach", url)


@pytest.mark.parametrize("url", ["http://nobody", "http://web:81"], ids=["no pods behind it", "not its port"])
def test_what_a_service_does_not_serve_is_refused_at_once(lab: Lab, url: str) -> None:
    assert reach(lab, "t/client", url) == both("connection refused")


def test_a_service_keeps_its_addresses_when_it_is_applied_again(lab: Lab, tortie) -> None:
    before = spec_of(lab, tortie, "web")["clusterIPs"]
    apply(lab, tortie, WEB)
    eventually(lambda: spec_of(lab, tortie, "web").get("clusterIPs") == before, "it has its addresses again")
    assert addresses(lab, "t/client", "web") == set(before)


def test_no_two_services_share_an_address_and_a_freed_one_is_given_again(lab: Lab, tortie) -> None:
    apply(lab, tortie, *(service(f"s{number}") for number in range(5)))

    def given() -> list[str]:
        found = [spec_of(lab, tortie, f"s{number}").get("clusterIPs", []) for number in range(5)]
        return [address for pair in found for address in pair] if all(found) else []

    all_given = eventually(given, "all have addresses")
    taken = [*all_given, *spec_of(lab, tortie, "web")["clusterIPs"], *spec_of(lab, tortie, "nobody")["clusterIPs"]]
    assert len(taken) == len(set(taken)) == 14
    names = [f"s{number}" for number in range(5)]
    assert tortie("--lab", lab.name, "delete", "services", *names, "-n", "t").returncode == 0
    eventually(lambda: not addresses(lab, "t/client", "s0"), "the name is gone")
    apply(lab, tortie, service("s9"))
    eventually(lambda: spec_of(lab, tortie, "s9").get("clusterIPs") == all_given[:2], "it gets the first free ones")
    assert tortie("--lab", lab.name, "delete", "service", "s9", "-n", "t").returncode == 0


def test_a_pod_that_ends_is_no_longer_asked(lab: Lab, tortie) -> None:
    apply(lab, tortie, pod("web-3", "webserver", "--http-port=8080", host="host2", app="web"))
    eventually(lambda: asked(lab, "t/client", "web-1", "web-2", "web-3"), "the third has answered")
    assert tortie("--lab", lab.name, "delete", "pod", "web-3", "-n", "t").returncode == 0
    eventually(lambda: asked(lab, "t/client", "web-1", "web-2"), "only the two others answer")


def test_policy_judges_the_pod_behind_a_service_at_its_own_port(lab: Lab, tortie) -> None:
    def policy(port: int) -> dict[str, Any]:
        web = {"matchLabels": {"app": "web"}}
        return network_policy("at-port", podSelector=web, ingress=[{"ports": [{"port": port}]}])

    apply(lab, tortie, policy(80))
    eventually(lambda: reach(lab, "t/client", "http://web") == both("timed out"), "the service's port is not judged")
    apply(lab, tortie, policy(8080))
    eventually(lambda: asked(lab, "t/client", "web-1", "web-2"), "the pods' port is")
    assert tortie("--lab", lab.name, "delete", "netpol", "at-port", "-n", "t").returncode == 0


def test_who_may_not_send_to_the_dns_server_cannot_resolve_names(lab: Lab, tortie) -> None:
    client = {"matchLabels": {"app": "client"}}
    apply(lab, tortie, network_policy("mute", podSelector=client, policyTypes=["Egress"]))
    eventually(lambda: reach(lab, "t/client", "http://web") == both("bad address 'web'"), "the name is not resolved")
    assert tortie("--lab", lab.name, "delete", "netpol", "mute", "-n", "t").returncode == 0
    eventually(lambda: asked(lab, "t/client", "web-1", "web-2"), "it is again")


def test_what_policy_drops_is_not_refused_by_a_service_without_pods(lab: Lab, tortie) -> None:
    client = {"matchLabels": {"app": "client"}}
    dns = {"ports": [{"protocol": "UDP", "port": 53}]}
    apply(lab, tortie, network_policy("only-names", podSelector=client, egress=[dns]))
    eventually(lambda: reach(lab, "t/client", "http://nobody") == both("timed out"), "it is dropped, not refused")
    assert tortie("--lab", lab.name, "delete", "netpol", "only-names", "-n", "t").returncode == 0
    eventually(lambda: reach(lab, "t/client", "http://nobody") == both("connection refused"), "it is refused again")


def test_the_rules_are_a_table_of_the_lab_s_own(lab: Lab) -> None:
    for host in ("host1", "host2"):
        tables = output(lab, host, "nft", "list", "tables").splitlines()
        assert sorted(tables) == ["table inet lab-services", "table inet tortie"]
        assert "dnat" not in output(lab, host, "nft", "list", "table", "inet", "tortie")
        rules = output(lab, host, "nft", "list", "table", "inet", "lab-services")
        assert "type nat hook prerouting priority dstnat" in rules


def test_the_outside_answers_a_ping_by_its_name(lab: Lab) -> None:
    assert reach(lab, "t/client", "icmp://outside.example") == {
        "IPv4": "198.51.100.1 answers",
        "IPv6": "2001:db8::1 answers",
    }
