"""Settings of the controllers that watch Kubernetes."""

from __future__ import annotations

from collections.abc import Iterator

from tortie.model.checks.addresses import check_durations, check_ranges, check_regex
from tortie.model.checks.metadata import check_annotations, check_labels
from tortie.model.checks.rule import check_selector
from tortie.model.checks.violation import Violation, under
from tortie.model.configuration import (
    AutoHostEndpointConfig,
    ControllersConfig,
    HostEndpointTemplate,
    KubeControllersConfigurationSpec,
)


def check_kube_controllers_spec(spec: KubeControllersConfigurationSpec) -> Iterator[Violation]:
    """Times, and the templates of host endpoints."""
    yield from check_durations(spec)
    yield from under(("controllers",), _check_controllers(spec.controllers))


def _check_controllers(controllers: ControllersConfig) -> Iterator[Violation]:
    for field, part in (
        ("node", controllers.node),
        ("policy", controllers.policy),
        ("workloadEndpoint", controllers.workload_endpoint),
        ("serviceAccount", controllers.service_account),
        ("namespace", controllers.namespace),
    ):
        if part is not None:
            yield from under((field,), check_durations(part))
    if controllers.node is not None and controllers.node.host_endpoint is not None:
        yield from under(("node", "hostEndpoint"), _check_host_endpoints(controllers.node.host_endpoint))


def _check_host_endpoints(config: AutoHostEndpointConfig) -> Iterator[Violation]:
    names: set[str] = set()
    for index, template in enumerate(config.templates):
        if template.generate_name in names:
            message = f"{template.generate_name!r} is the name of another template as well"
            yield Violation(("templates", index, "generateName"), message)
        names.add(template.generate_name)
        yield from under(("templates", index), _check_template(template))


def _check_template(template: HostEndpointTemplate) -> Iterator[Violation]:
    if not template.generate_name:
        yield Violation(("generateName",), "a template needs a name, which its host endpoints get")
    if not template.interface_cidrs and not template.interface_pattern:
        yield Violation((), "a template needs interfaceCIDRs or interfacePattern, or no address would be taken")
    yield from check_ranges("interfaceCIDRs", template.interface_cidrs, or_address=False)
    yield from check_regex(("interfacePattern",), template.interface_pattern)
    yield from check_selector("nodeSelector", template.node_selector)
    yield from under(("labels",), check_labels(template.labels))
    yield from under(("annotations",), check_annotations(template.annotations))
