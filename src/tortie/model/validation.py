"""The semantic rules: what a declaration cannot say, as a table of checks per kind.

Asked twice: by the reader of people's files (``tortie.model.document``), which turns field paths into places, and by
``stored_resource`` for data that is already stored, where what is refused counts as absent. Sources: Calico's CRD rules
and validator, Kubernetes' API validation. What needs other objects (does the tier exist?) is the business of who writes.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from tortie.model import kinds
from tortie.model.checks import metadata as names
from tortie.model.checks.endpoint import check_endpoint
from tortie.model.checks.kubernetes import check_kubernetes_policy_spec
from tortie.model.checks.policy import (
    check_global_policy_spec,
    check_icmp_by_number,
    check_policy_spec,
    check_profile_spec,
    check_tier,
)
from tortie.model.checks.topology import (
    check_bgp_configuration_spec,
    check_bgp_peer_spec,
    check_node_spec,
    check_pool_spec,
)
from tortie.model.checks.violation import Check, Violation, under
from tortie.model.codec import Document, InvalidResourceError, decode
from tortie.model.fieldpath import path_text
from tortie.model.kinds import Kind, ResourceKey
from tortie.model.meta import Resource

__all__ = ["Violation", "stored_resource", "violations"]


class Checks(NamedTuple):
    """The checks of one kind, by what they are given."""

    metadata: tuple[Check, ...] = ()
    spec: tuple[Check, ...] = ()
    resource: tuple[Check, ...] = ()
    document: tuple[Check, ...] = ()
    """For what the typed resource no longer shows, such as a protocol's spelling; asked at the door only."""


CHECKS: Mapping[Kind, Checks] = {
    kinds.TIER: Checks(metadata=(names.check_label_name,), resource=(check_tier,)),
    kinds.PROFILE: Checks(spec=(check_profile_spec,), document=(check_icmp_by_number,)),
    kinds.NETWORK_POLICY: Checks(
        metadata=(names.check_policy_name,), spec=(check_policy_spec,), document=(check_icmp_by_number,)
    ),
    kinds.GLOBAL_NETWORK_POLICY: Checks(
        metadata=(names.check_policy_name,), spec=(check_global_policy_spec,), document=(check_icmp_by_number,)
    ),
    kinds.WORKLOAD_ENDPOINT: Checks(resource=(check_endpoint,)),
    kinds.NODE: Checks(spec=(check_node_spec,)),
    kinds.IP_POOL: Checks(spec=(check_pool_spec,)),
    kinds.BGP_CONFIGURATION: Checks(spec=(check_bgp_configuration_spec,)),
    kinds.BGP_PEER: Checks(spec=(check_bgp_peer_spec,)),
    kinds.CLUSTER_INFORMATION: Checks(metadata=(names.check_default_name,)),
    kinds.K8S_NETWORK_POLICY: Checks(spec=(check_kubernetes_policy_spec,)),
    kinds.NAMESPACE: Checks(metadata=(names.check_label_name,)),
}  # fmt: skip
"""Beside ``check_metadata``, which holds for every kind."""


def violations(kind: Kind, resource: Resource, document: Document) -> Iterator[Violation]:
    """Every rule that *resource*, read from *document*, breaks."""
    yield from _of_resource(kind, resource)
    for check in CHECKS.get(kind, Checks()).document:
        yield from check(document)


def _of_resource(kind: Kind, resource: Resource) -> Iterator[Violation]:
    checks = CHECKS.get(kind, Checks())
    metadata: Any = getattr(resource, "metadata", None)
    spec: Any = getattr(resource, "spec", None)
    for check in (names.check_metadata, *checks.metadata):
        yield from under(("metadata",), check(metadata))
    for check in checks.spec:
        yield from under(("spec",), check(spec))
    for check in checks.resource:
        yield from check(resource)


def stored_resource(key: ResourceKey, value: bytes) -> Resource:
    """The resource stored at *key*; InvalidResourceError says what is wrong with it, all of it where it can be read at all.

    What is only too long or too many is no reason to do without a policy that is in force: it was for the door to refuse.
    """
    resource = decode(value, key.kind.struct)
    found = [violation for violation in _of_resource(key.kind, resource) if not violation.at_door_only]
    if found:
        raise InvalidResourceError("; ".join(f"{path_text(path)}: {message}" for path, message, _ in found))
    return resource
