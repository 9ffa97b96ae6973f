"""The state of a cluster that edits start from, and what it becomes with them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import msgspec

from tortie.analysis.cluster import KnownCluster, converted
from tortie.analysis.edits.edit import Change
from tortie.analysis.edits.operations import Operation, applied
from tortie.analysis.provenance import Provenance, Written
from tortie.conversion import ConversionError
from tortie.model.codec import Document, InvalidResourceError, from_document
from tortie.model.kinds import ResourceKey, key_of, kind_with_header
from tortie.model.kubernetes_endpointslice import EndpointSlice
from tortie.model.meta import Resource
from tortie.model.policy import GlobalNetworkPolicy, NetworkPolicy, Profile, Tier
from tortie.model.staged import StagedGlobalNetworkPolicy, StagedNetworkPolicy
from tortie.model.validation import violations
from tortie.verdict import Cluster

_RULING = (
    Tier, Profile, NetworkPolicy, GlobalNetworkPolicy, StagedNetworkPolicy, StagedGlobalNetworkPolicy, EndpointSlice,
)  # fmt: skip
"""What verdicts take their policies from."""


class State:
    """A cluster, and the objects that it was made of."""

    def __init__(self, cluster: Cluster, ruling: Mapping[ResourceKey, Resource], provenance: Provenance) -> None:
        self.cluster = cluster
        self.provenance = provenance
        self._ruling = ruling
        """What the cluster's policies are taken from."""

    @classmethod
    def of(cls, known: KnownCluster, provenance: Provenance, cluster: Cluster | None = None) -> State:
        """The state of a cluster that files or a datastore make; *cluster* if it was made of it before."""
        ruling = {key: value for key, value in known.resources.items() if isinstance(value, _RULING)}
        return cls(cluster or Cluster.of(known.values()), ruling, provenance)

    def has(self, key: ResourceKey) -> bool:
        """Whether there is such an object, or one that means it."""
        return key in self._ruling or self.provenance.object(key) is not None

    # --- changes ------------------------------------------------------------------------------------------------------------

    def change(self, written: Written, operations: Iterable[Operation]) -> Change | None:
        """*operations* done to an object; None if that could not be applied to a cluster."""
        operations = tuple(operations)
        try:
            document = applied(written.document, operations)
        except LookupError:
            return None
        change = _change_to(written.key, document, left_out=len(converted(written.resource).left_out))
        return None if change is None else change._replace(operations=operations, written=written)

    def creation(self, document: Document) -> Change | None:
        """A new object; None if it could not be applied."""
        kind = kind_with_header(document["apiVersion"], document["kind"])
        assert kind is not None
        key = ResourceKey(kind, document["metadata"].get("namespace", ""), document["metadata"]["name"])
        return None if self.has(key) else _change_to(key, document)

    def after(self, change: Change) -> State:
        """The state with *change* made."""
        ruling = dict(self._ruling)
        if change.written is not None:
            for key in meant(change.written.resource):
                ruling.pop(key, None)
        ruling.update(change.meant)
        policies = Cluster.of(ruling.values()).policies
        read = change.written.read if change.written is not None else None
        written = Written(change.key, change.resource, read, change.document)
        cluster = msgspec.structs.replace(self.cluster, policies=policies)
        return State(cluster, ruling, self.provenance.with_changed(written))


def meant(resource: Resource) -> Mapping[ResourceKey, Resource]:
    """What verdicts are given of an object. ConversionError."""
    return converted(resource).objects or {key_of(resource): resource}


def _change_to(key: ResourceKey, document: Document, left_out: int = 0) -> Change | None:
    """That the object becomes *document*, as if it were new; None if it would be refused, or more parts of it *left_out*."""
    try:
        resource: Resource = from_document(document, key.kind.struct)
        if next(violations(key.kind, resource, document), None) is not None:
            return None
        meaning = converted(resource)
    except (InvalidResourceError, ConversionError):
        return None
    if len(meaning.left_out) > left_out:
        return None
    return Change(key, document, resource, meaning.objects or {key: resource})
