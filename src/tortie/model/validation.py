"""The semantic rules: what a declaration cannot say, as a table of checks per kind.

Asked twice: by the reader of people's files (``tortie.model.document``), which turns field paths into places, and by
``stored_resource`` for data that is already stored, where what is refused counts as absent. Sources: Calico's CRD rules
and validator, Kubernetes' API validation. What needs other objects (does the tier exist?) is the business of who writes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, NamedTuple, TypeAlias

from tortie.model import kinds
from tortie.model.checks import metadata as names
from tortie.model.checks.bgp import (
    check_bgp_configuration_spec,
    check_bgp_filter_spec,
    check_bgp_peer_spec,
    check_node_bgp_configuration,
)
from tortie.model.checks.configuration import check_kube_controllers_spec
from tortie.model.checks.endpoint import check_endpoint, check_host_endpoint_spec
from tortie.model.checks.felix import check_felix_spec
from tortie.model.checks.kubernetes import check_kubernetes_policy_spec, check_pod_spec
from tortie.model.checks.kubernetes_cluster_policy import check_cluster_policy_spec, check_priority_given
from tortie.model.checks.kubernetes_endpointslice import check_endpoint_slice
from tortie.model.checks.policy import (
    check_global_policy_name,
    check_global_policy_spec,
    check_icmp_by_number,
    check_policy_spec,
    check_profile_spec,
    check_tier,
)
from tortie.model.checks.policytest import check_policy_tests
from tortie.model.checks.sets import check_network_set_spec, check_set_labels
from tortie.model.checks.staged import (
    check_staged_global_policy_spec,
    check_staged_kubernetes_policy_spec,
    check_staged_policy_spec,
)
from tortie.model.checks.topology import (
    check_affinity_spec,
    check_node_spec,
    check_node_status,
    check_pool_change,
    check_pool_spec,
    check_reservation_spec,
)
from tortie.model.checks.violation import Check, Violation, under
from tortie.model.codec import Document, InvalidResourceError, decode
from tortie.model.fieldpath import path_text
from tortie.model.kinds import Kind, ResourceKey
from tortie.model.meta import ObjectMeta, Resource

__all__ = ["Violation", "change_violations", "stored_resource", "violations"]


ChangeCheck: TypeAlias = Callable[[Any, Any], Iterable[Violation]]


class Checks(NamedTuple):
    """The checks of one kind, by what they are given."""

    metadata: tuple[Check, ...] = ()
    spec: tuple[Check, ...] = ()
    status: tuple[Check, ...] = ()
    resource: tuple[Check, ...] = ()
    document: tuple[Check, ...] = ()
    """For what the typed resource no longer shows, such as a protocol's spelling; asked at the door only."""
    change: tuple[ChangeCheck, ...] = ()
    """For what may not change once it is stored; given the old resource and the new one."""


CHECKS: Mapping[Kind, Checks] = {
    kinds.TIER: Checks(metadata=(names.check_label_name,), resource=(check_tier,)),
    kinds.PROFILE: Checks(spec=(check_profile_spec,), document=(check_icmp_by_number,)),
    kinds.NETWORK_POLICY: Checks(
        metadata=(names.check_policy_name,), spec=(check_policy_spec,), document=(check_icmp_by_number,)
    ),
    kinds.GLOBAL_NETWORK_POLICY: Checks(
        metadata=(check_global_policy_name,), spec=(check_global_policy_spec,), document=(check_icmp_by_number,)
    ),
    kinds.WORKLOAD_ENDPOINT: Checks(resource=(check_endpoint,)),
    kinds.HOST_ENDPOINT: Checks(spec=(check_host_endpoint_spec,)),
    kinds.NETWORK_SET: Checks(metadata=(check_set_labels,), spec=(check_network_set_spec,)),
    kinds.GLOBAL_NETWORK_SET: Checks(metadata=(check_set_labels,), spec=(check_network_set_spec,)),
    kinds.STAGED_NETWORK_POLICY: Checks(
        metadata=(names.check_policy_name,), spec=(check_staged_policy_spec,), document=(check_icmp_by_number,)
    ),
    kinds.STAGED_GLOBAL_NETWORK_POLICY: Checks(
        metadata=(check_global_policy_name,), spec=(check_staged_global_policy_spec,), document=(check_icmp_by_number,)
    ),
    kinds.STAGED_KUBERNETES_NETWORK_POLICY: Checks(spec=(check_staged_kubernetes_policy_spec,)),
    kinds.NODE: Checks(spec=(check_node_spec,), status=(check_node_status,)),
    kinds.IP_POOL: Checks(spec=(check_pool_spec,), change=(check_pool_change,)),
    kinds.IP_RESERVATION: Checks(spec=(check_reservation_spec,)),
    kinds.IPAM_CONFIGURATION: Checks(metadata=(names.check_default_name,)),
    kinds.BLOCK_AFFINITY: Checks(spec=(check_affinity_spec,)),
    kinds.BGP_CONFIGURATION: Checks(spec=(check_bgp_configuration_spec,), document=(check_node_bgp_configuration,)),
    kinds.BGP_PEER: Checks(spec=(check_bgp_peer_spec,)),
    kinds.BGP_FILTER: Checks(spec=(check_bgp_filter_spec,)),
    kinds.FELIX_CONFIGURATION: Checks(spec=(check_felix_spec,)),
    kinds.KUBE_CONTROLLERS_CONFIGURATION: Checks(
        metadata=(names.check_default_name,), spec=(check_kube_controllers_spec,)
    ),
    kinds.CLUSTER_INFORMATION: Checks(metadata=(names.check_default_name,)),
    kinds.K8S_NETWORK_POLICY: Checks(spec=(check_kubernetes_policy_spec,)),
    kinds.NAMESPACE: Checks(metadata=(names.check_label_name,)),
    kinds.POD: Checks(spec=(check_pod_spec,)),
    kinds.ENDPOINT_SLICE: Checks(resource=(check_endpoint_slice,)),
    kinds.CLUSTER_NETWORK_POLICY: Checks(spec=(check_cluster_policy_spec,), document=(check_priority_given,)),
    kinds.POLICY_TEST: Checks(spec=(check_policy_tests,)),
}  # fmt: skip
"""Beside ``check_metadata``, which holds for every kind."""


def violations(kind: Kind, resource: Resource, document: Document) -> Iterator[Violation]:
    """Every rule that *resource*, read from *document*, breaks."""
    yield from _of_resource(kind, resource)
    for check in CHECKS.get(kind, Checks()).document:
        yield from check(document)


def change_violations(kind: Kind, old: Resource, new: Resource) -> Iterator[Violation]:
    """Every rule that *new* breaks by taking the place of *old*."""
    for check in CHECKS.get(kind, Checks()).change:
        yield from check(old, new)


def _of_resource(kind: Kind, resource: Resource) -> Iterator[Violation]:
    checks = CHECKS.get(kind, Checks())
    for check in (names.check_metadata, *checks.metadata):
        yield from under(("metadata",), check(resource.metadata))
    for part, of_part in (("spec", checks.spec), ("status", checks.status)):
        for check in of_part:
            yield from under((part,), check(getattr(resource, part)))
    for check in checks.resource:
        yield from check(resource)


def stored_resource(key: ResourceKey, value: bytes) -> Resource:
    """The resource stored at *key*; InvalidResourceError says what is wrong with it, all of it where it can be read at all.

    What is only too long or too many is no reason to do without a policy that is in force: it was for the door to refuse.
    """
    resource = decode(value, key.kind.struct)
    _refuse_other_name(key, resource.metadata)
    found = [violation for violation in _of_resource(key.kind, resource) if not violation.at_door_only]
    if found:
        raise InvalidResourceError("; ".join(f"{path_text(path)}: {message}" for path, message, *_ in found))
    return resource


def _refuse_other_name(key: ResourceKey, metadata: ObjectMeta) -> None:
    """A value under another's key would be enforced under a name that nobody could find it by."""
    for field, found, wanted in (("name", metadata.name, key.name), ("namespace", metadata.namespace, key.namespace)):
        if found != wanted:
            raise InvalidResourceError(f"metadata.{field}: {found!r} is not that of its key, which is {wanted!r}")
