"""Tiers as others depend on them: a policy needs its own, and the built-in ones are made when they are needed."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from tortie.cli.errors import CommandError
from tortie.cli.writing.reading import find
from tortie.conversion import meaning
from tortie.datastore.store import AtRevision, Check, Store, entries
from tortie.model import kinds
from tortie.model.checks.policy import BUILT_IN_TIERS
from tortie.model.codec import Document, decode_document
from tortie.model.document import ReadResource
from tortie.model.kinds import ResourceKey
from tortie.model.policy import GlobalNetworkPolicy, NetworkPolicy

_POLICIES = (
    kinds.NETWORK_POLICY,
    kinds.GLOBAL_NETWORK_POLICY,
    kinds.STAGED_NETWORK_POLICY,
    kinds.STAGED_GLOBAL_NETWORK_POLICY,
)
"""What stands in a tier; staged policies too, though they are not enforced."""


def check_tier(store: Store, item: ReadResource, applied: set[ResourceKey]) -> Iterator[Check]:
    """A policy's tier must be there; the built-in ones always are."""
    if item.key.kind not in _POLICIES:
        return
    tier = item.document["spec"].get("tier", "default")
    key = ResourceKey(kinds.TIER, "", tier)
    if tier in BUILT_IN_TIERS or key in applied:
        return
    entry = find(store, key.path)
    if entry is None:
        raise CommandError(f"{item.key}: its tier {tier} does not exist; create the tier first, or in the same command")
    yield AtRevision(key.path, entry.revision)


def missing_built_in_tiers(
    store: Store, resources: Iterable[ReadResource], applied: set[ResourceKey]
) -> Iterator[tuple[ResourceKey, Document]]:
    """The built-in tiers that are missing, where one of Kubernetes' is needed: a missing one would be asked last, and deny.

    All three, for their order counts only together.
    """
    meant = (resource for item in resources for resource in (item.resource, *meaning(item.resource).values()))
    tiers = {resource.spec.tier for resource in meant if isinstance(resource, NetworkPolicy | GlobalNetworkPolicy)}
    if not tiers & {"kube-admin", "kube-baseline"}:
        return
    for key, document in built_in_tiers():
        if key not in applied and find(store, key.path) is None:
            yield key, document


def built_in_tiers() -> Iterator[tuple[ResourceKey, Document]]:
    """The tiers that are always there, as they count where they are not stored."""
    for name, (order, action) in BUILT_IN_TIERS.items():
        key = ResourceKey(kinds.TIER, "", name)
        document = {
            "kind": key.kind.name, "apiVersion": key.kind.api_version, "metadata": {"name": name},
            "spec": {"order": order, "defaultAction": action},
        }  # fmt: skip
        yield key, document


def tier_order(document: Document) -> tuple[float, str]:
    """By what tiers are sorted: their order, then their name; one without an order counts as ``default`` does."""
    spec: Any = document.get("spec")
    order = spec.get("order") if isinstance(spec, dict) else None
    default, _ = BUILT_IN_TIERS["default"]
    return (order if isinstance(order, int | float) else default, str(document["metadata"].get("name")))


def refuse_deletion_of_used(store: Store, deleted: set[ResourceKey]) -> None:
    """CommandError where one of *deleted* is a tier in which a policy stays behind."""
    tiers = {key.name for key in deleted if key.kind is kinds.TIER}
    if not tiers:
        return
    for kind in _POLICIES:
        for entry in entries(store, kind.prefix):
            key = kinds.parse_path(entry.key)
            tier = (decode_document(entry.value).get("spec") or {}).get("tier")
            if key not in deleted and tier in tiers:
                raise CommandError(f"Tier {tier} cannot be deleted: {key} is in it")
