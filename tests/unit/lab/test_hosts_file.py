"""A workload's /etc/hosts names the pods behind every service, in both families."""

from __future__ import annotations

from collections.abc import Mapping

from tortie.lab.hostsfile import hosts_file
from tortie.model.kubernetes import Pod, PodIP, PodSpec, PodStatus, Service, ServiceSpec
from tortie.model.meta import ObjectMeta

LOOPBACK = ["127.0.0.1 localhost", "::1 localhost"]


def pod(namespace: str, name: str, labels: Mapping[str, str], *addresses: str) -> Pod:
    return Pod(
        metadata=ObjectMeta(namespace=namespace, name=name, labels=labels),
        spec=PodSpec(),
        status=PodStatus(pod_ips=tuple(PodIP(ip=address) for address in addresses)),
    )


def service(namespace: str, name: str, selector: Mapping[str, str]) -> Service:
    return Service(metadata=ObjectMeta(namespace=namespace, name=name), spec=ServiceSpec(selector=selector))


NGINX = service("shop", "nginx", {"run": "nginx"})
PODS = (
    pod("shop", "nginx-2", {"run": "nginx", "v": "2"}, "10.65.0.66", "fd00:65::42"),
    pod("shop", "nginx-1", {"run": "nginx"}, "10.65.0.1", "fd00:65::1"),
)


def lines(namespace: str, services: tuple[Service, ...], pods: tuple[Pod, ...]) -> list[str]:
    return hosts_file(namespace, services, pods).splitlines()


def test_inside_its_namespace_a_service_has_its_short_name_too() -> None:
    assert lines("shop", (NGINX,), PODS) == [
        *LOOPBACK,
        "10.65.0.1 nginx.shop nginx",
        "fd00:65::1 nginx.shop nginx",
        "10.65.0.66 nginx.shop nginx",
        "fd00:65::42 nginx.shop nginx",
    ]


def test_from_another_namespace_only_the_full_name_is_known() -> None:
    assert lines("other", (NGINX,), PODS[:1]) == [*LOOPBACK, "10.65.0.66 nginx.shop", "fd00:65::42 nginx.shop"]


def test_the_order_in_which_things_are_told_does_not_matter() -> None:
    other = service("shop", "all", {})
    assert hosts_file("shop", (NGINX, other), PODS) == hosts_file("shop", (other, NGINX), PODS[::-1])


def test_a_pod_counts_only_with_every_label_of_the_selector_and_in_the_service_s_namespace() -> None:
    strangers = (
        pod("shop", "half", {"run": "nginx"}, "10.65.0.2"),
        pod("elsewhere", "same", {"run": "nginx", "v": "2"}, "10.65.0.3"),
    )
    assert lines("shop", (service("shop", "nginx", {"run": "nginx", "v": "2"}),), strangers) == LOOPBACK


def test_a_service_without_a_selector_and_a_pod_without_an_address_are_left_out() -> None:
    assert lines("shop", (service("shop", "external", {}),), PODS) == LOOPBACK
    assert lines("shop", (NGINX,), (pod("shop", "new", {"run": "nginx"}),)) == LOOPBACK
