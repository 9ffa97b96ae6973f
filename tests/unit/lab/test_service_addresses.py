"""A service stands for the running pods that it selects: at its cluster addresses, under its name, at the pods' own ports."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from tortie.lab.services import Backend, Frontend, free_addresses, frontends, needs_addresses
from tortie.lab.zone import look_up, resolv_conf, zone
from tortie.model.kubernetes import (
    Container,
    ContainerPort,
    Pod,
    PodIP,
    PodSpec,
    PodStatus,
    Service,
    ServicePort,
    ServiceSpec,
)
from tortie.model.meta import ObjectMeta
from tortie.net import Address

V4, V6 = "10.96.0.11", "fd00:96::b"
NAME = "nginx.shop.svc.cluster.local"


def pod(
    name: str, *addresses: str, namespace: str = "shop", phase: str = "Running", labels: Mapping[str, str] | None = None
) -> Pod:
    ports = (
        ContainerPort(container_port=8080, name="web"),
        ContainerPort(container_port=53, name="web", protocol="UDP"),
    )
    return Pod(
        metadata=ObjectMeta(namespace=namespace, name=name, labels={"run": "nginx"} if labels is None else labels),
        spec=PodSpec(containers=(Container(ports=ports),)),
        status=PodStatus(phase=phase, pod_ips=tuple(PodIP(ip=address) for address in addresses)),
    )


def service(
    *ports: ServicePort,
    addresses: tuple[str, ...] = (V4, V6),
    selector: Mapping[str, str] | None = None,
    kind: str = "ClusterIP",
) -> Service:
    return Service(
        metadata=ObjectMeta(namespace="shop", name="nginx"),
        spec=ServiceSpec(
            selector={"run": "nginx"} if selector is None else selector,
            ports=ports or (ServicePort(port=80),),
            cluster_ip=addresses[0] if addresses else "",
            cluster_ips=addresses,
            type=kind,
        ),
    )


ONE, TWO = pod("nginx-1", "10.65.0.1", "fd00:65::1"), pod("nginx-2", "10.65.0.64", "fd00:65::40")


def backends(frontend: Frontend) -> list[str]:
    return [f"{backend.address} {backend.port}" for backend in frontend.backends]


def test_each_address_leads_to_the_pods_addresses_of_its_family() -> None:
    assert [(str(f.address), f.protocol, f.port, backends(f)) for f in frontends([service()], [TWO, ONE])] == [
        (V4, "tcp", 80, ["10.65.0.1 80", "10.65.0.64 80"]),
        (V6, "tcp", 80, ["fd00:65::1 80", "fd00:65::40 80"]),
    ]


@pytest.mark.parametrize(
    ("port", "expected"),
    [
        pytest.param(ServicePort(port=80), 80, id="the-same"),
        pytest.param(ServicePort(port=80, target_port=81), 81, id="by-number"),
        pytest.param(ServicePort(port=80, target_port="web"), 8080, id="by-name"),
        pytest.param(ServicePort(port=80, protocol="UDP", target_port="web"), 53, id="by-name-and-protocol"),
        pytest.param(ServicePort(port=80, target_port="nothing"), None, id="by-a-name-that-the-pod-lacks"),
    ],
)
def test_the_pod_s_port_is_the_one_that_the_service_means(port: ServicePort, expected: int | None) -> None:
    found = frontends([service(port)], [ONE])[0].backends
    assert found == (() if expected is None else (Backend(Address.parse("10.65.0.1"), expected),))


@pytest.mark.parametrize(
    "stranger",
    [
        pytest.param(pod("pending", "10.65.0.2", phase="Pending"), id="not-running"),
        pytest.param(pod("ended", "10.65.0.2", phase="Succeeded"), id="ended"),
        pytest.param(pod("other", "10.65.0.2", labels={"run": "other"}), id="another-label"),
        pytest.param(pod("elsewhere", "10.65.0.2", namespace="other"), id="another-namespace"),
        pytest.param(pod("new"), id="no-address-yet"),
        pytest.param(pod("odd", "no address"), id="an-address-that-is-none"),
    ],
)
def test_only_running_pods_with_all_its_labels_in_its_namespace_are_behind_a_service(stranger: Pod) -> None:
    assert backends(frontends([service()], [stranger, ONE])[0]) == ["10.65.0.1 80"]


def test_a_service_without_a_selector_has_no_pods() -> None:
    assert frontends([service(selector={})], [ONE])[0].backends == ()


def test_the_order_in_which_things_are_told_does_not_matter() -> None:
    other = Service(metadata=ObjectMeta(namespace="a", name="z"), spec=ServiceSpec(cluster_ip="10.96.0.9"))
    assert frontends([other, service()], [ONE, TWO]) == frontends([service(), other], [TWO, ONE])


# --- addresses ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        pytest.param(service(addresses=()), True, id="new"),
        pytest.param(service(), False, id="has-them"),
        pytest.param(service(addresses=("None",)), False, id="headless"),
        pytest.param(service(addresses=(), kind="NodePort"), True, id="node-port"),
        pytest.param(service(addresses=(), kind="ExternalName"), False, id="external-name"),
    ],
)
def test_a_service_that_has_none_and_is_to_have_one_gets_addresses(spec: Service, expected: bool) -> None:
    assert needs_addresses(spec) is expected


def test_the_first_pair_that_nobody_has_is_given() -> None:
    assert [str(address) for address in free_addresses(set())] == [V4, V6]
    assert [str(address) for address in free_addresses({Address.parse(V6)})] == ["10.96.0.12", "fd00:96::c"]


# --- names ----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        pytest.param(service(), [V4, V6], id="its-own-addresses"),
        pytest.param(
            service(addresses=("None",)), ["10.65.0.1", "fd00:65::1", "10.65.0.64", "fd00:65::40"], id="headless"
        ),
        pytest.param(service(addresses=()), [], id="not-yet-given"),
        pytest.param(service(addresses=(), kind="ExternalName"), None, id="external-name"),
    ],
)
def test_a_name_stands_for_the_service_or_for_its_pods(spec: Service, expected: list[str] | None) -> None:
    found = look_up(zone([spec], [ONE, TWO]), NAME)
    assert found == (None if expected is None else tuple(Address.parse(address) for address in expected))


def test_the_outside_has_a_name() -> None:
    assert look_up(zone([], []), "outside.example") == (Address.parse("198.51.100.1"), Address.parse("2001:db8::1"))
    assert look_up(zone([], []), "other.example") is None


def test_the_resolver_tries_the_namespace_first_then_every_namespace() -> None:
    assert "search shop.svc.cluster.local svc.cluster.local cluster.local\n" in resolv_conf("shop")
