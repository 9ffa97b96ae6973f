"""What may be asked for by name: workloads and services, with or without their namespace, and what is nearest to a wrong name."""

from __future__ import annotations

import pytest
from cluster_documents import node, pod

from tortie.analysis.cluster import cluster_of
from tortie.analysis.ends import Directory, Question, UnknownEndError
from tortie.net import TCP, UDP, Family, Protocol


def service(
    name: str, selector: dict[str, str] | None, *ports: dict[str, object], **fields: object
) -> dict[str, object]:
    namespace, _, name = name.partition("/")
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": name, "namespace": namespace},
        "spec": {"ports": list(ports), **({"selector": selector} if selector else {}), **fields},
    }


def container(**ports: int) -> list[dict[str, object]]:
    return [{"name": "main", "ports": [{"name": name, "containerPort": port} for name, port in ports.items()]}]


HTTP = {"port": 80, "targetPort": "http"}
DNS = {"name": "dns", "protocol": "UDP", "port": 53, "targetPort": 5353}
CLUSTER = cluster_of(
    [
        node("one", "192.0.2.1/24"),
        pod("shop/web", ["10.0.0.1", "fd00::1"], labels={"app": "web"}, containers=container(http=8080)),
        pod("shop/web-2", "10.0.0.2", labels={"app": "web"}, containers=container(http=8081)),
        pod("shop/web-new", labels={"app": "web"}, containers=container(http=8082)),
        pod("shop/db", "10.0.0.3", labels={"app": "db"}),
        pod("ops/db", "10.0.0.4", labels={"app": "db"}),
        pod("ops/agent", "192.0.2.1", hostNetwork=True, labels={"app": "agent"}),
        service("shop/front", {"app": "web"}, HTTP, clusterIP="10.96.0.1", clusterIPs=["10.96.0.1", "fd00:96::1"]),
        service("shop/db", {"app": "db"}, {"port": 1}),
        service("ops/names", {"app": "db"}, DNS, clusterIP="None"),
        service("ops/agents", {"app": "agent"}, DNS),
        service("ops/far", None, {"port": 443, "targetPort": 8443}),
        service("ops/nothing", {"app": "nobody"}, HTTP),
        {
            "apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice", "addressType": "IPv4",
            "metadata": {"name": "far-1", "namespace": "ops", "labels": {"kubernetes.io/service-name": "far"}},
            "endpoints": [{"addresses": ["203.0.113.9"]}, {"addresses": ["10.0.0.4"]}], "ports": [{"port": 8443}],
        },
    ]
)  # fmt: skip
DIRECTORY = Directory(CLUSTER)


@pytest.mark.parametrize(
    ("text", "namespace", "names"),
    [
        ("shop/web", "", ["shop/web"]),
        ("web", "", ["shop/web"]),
        ("db", "ops", ["ops/db"]),
        ("db", "shop", ["shop/db"]),
        ("agent", "shop", ["ops/agent"]),
        ("shop/front", "", ["shop/web", "shop/web-2", "shop/web-new"]),
        ("front", "", ["shop/web", "shop/web-2", "shop/web-new"]),
        ("service:shop/front", "", ["shop/web", "shop/web-2", "shop/web-new"]),
        ("service:front", "", ["shop/web", "shop/web-2", "shop/web-new"]),
        ("service:db", "shop", ["shop/db"]),
        ("10.96.0.1", "", ["shop/web", "shop/web-2", "shop/web-new"]),
        ("fd00:96:0::1", "", ["shop/web", "shop/web-2", "shop/web-new"]),
        ("service:ops/agents", "", ["host:one"]),
        ("service:ops/far", "", ["203.0.113.9", "ops/db"]),
        ("host:one", "", ["host:one"]),
        ("10.0.0.4", "", ["ops/db"]),
        ("198.51.100.1", "", ["198.51.100.1"]),
    ],
)  # fmt: skip
def test_a_text_means_whatever_is_called_so(text: str, namespace: str, names: list[str]) -> None:
    assert [end.name for end in DIRECTORY.resolve(text, namespace=namespace)] == names


@pytest.mark.parametrize(
    ("text", "namespace", "message"),
    [
        ("shop/wbe", "", "there is no pod, workload or service 'shop/wbe'; did you mean shop/web?"),
        ("shop/frnot", "", "did you mean shop/front?"),
        ("shpo/db", "", "did you mean shop/db?"),
        ("stage/web-2", "", "did you mean shop/web-2?"),
        ("wbe", "", "there is no pod, workload or service 'wbe'; did you mean shop/web?"),
        ("agnt", "ops", "did you mean ops/agent?"),
        ("db", "", "2 are called 'db': ops/db, shop/db; give one with its namespace"),
        ("host:on", "", "there is no node 'on'; did you mean one?"),
        ("host:elsewhere", "", "there is no node 'elsewhere'; known: one"),
        ("service:shop/frnt", "", "there is no service 'shop/frnt'; did you mean shop/front?"),
        ("service:frnt", "", "there is no service 'frnt'; did you mean shop/front?"),
        ("service:ops/nothing", "", "no workload is behind service ops/nothing"),
        ("zzzzzzzz/qqqqqqqq", "", "expected namespace/pod, namespace/service, service:NAMESPACE/NAME, a name"),
        ("10.0.0.0/8", "", "there is no pod, workload or service '10.0.0.0/8'"),
        ("", "", "'' is no end; expected namespace/pod"),
    ],
)  # fmt: skip
def test_a_wrong_name_gets_the_nearest_that_exists(text: str, namespace: str, message: str) -> None:
    with pytest.raises(UnknownEndError) as caught:
        DIRECTORY.resolve(text, namespace=namespace)
    assert message in str(caught.value)


def ask(destination: str, protocol: Protocol = TCP, port: int = 80) -> list[tuple[str, int | None]]:
    question = Question(source="ops/db", destination=destination, protocol=protocol, destination_port=port)
    return [(named.destination.name, named.flow.destination_port) for named in DIRECTORY.flows(question)]


def test_a_services_port_is_asked_for_where_each_workload_serves_it() -> None:
    expected = [("shop/web", 8080), ("shop/web-2", 8081), ("shop/web-new", 8082)]
    assert ask("service:shop/front") == ask("10.96.0.1") == expected


@pytest.mark.parametrize(
    ("destination", "protocol", "port", "expected"),
    [
        ("ops/names", UDP, 5353, [("ops/db", 5353)]),
        ("service:ops/agents", UDP, 53, [("host:one", 5353)]),
        ("service:ops/far", TCP, 443, [("203.0.113.9", 8443), ("ops/db", 8443)]),
        ("shop/web", TCP, 80, [("shop/web", 80)]),
    ],
    ids=["headless", "host network", "a slice of its own", "a workload"],
)
def test_only_what_has_an_address_of_its_own_translates(
    destination: str, protocol: Protocol, port: int, expected: list[tuple[str, int]]
) -> None:
    assert ask(destination, protocol, port) == expected


def test_a_port_that_the_service_does_not_have_is_told() -> None:
    with pytest.raises(UnknownEndError, match="service shop/front has no port TCP 8080 at shop/web; its ports: TCP 80"):
        ask("shop/front", TCP, 8080)


def test_what_serves_in_both_families_is_one_end() -> None:
    both = cluster_of(
        [
            pod("a/p", ["10.0.0.1", "fd00::1"]),
            *(
                {
                    "apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice", "addressType": family,
                    "metadata": {"name": f"s-{family.lower()}", "namespace": "a", "labels": {"kubernetes.io/service-name": "s"}},
                    "endpoints": [{"addresses": [address]}], "ports": [{"port": 8080}],
                }
                for family, address in (("IPv4", "10.0.0.1"), ("IPv6", "fd00::1"))
            ),
            service("a/s", None, {"port": 80}),
        ]
    )  # fmt: skip
    (end,) = Directory(both).resolve("a/s")
    assert set(end.ends) == set(Family)
    assert end.port(TCP, 80) == 8080


def test_every_name_is_listed() -> None:
    assert DIRECTORY.workload_names == ("ops/agent", "ops/db", "shop/db", "shop/web", "shop/web-2", "shop/web-new")
    assert {"shop/front", "ops/far"} <= set(DIRECTORY.names)
