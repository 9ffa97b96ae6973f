"""What every kind has: object metadata, and the base of all declared values."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NewType

import msgspec

HostName = NewType("HostName", str)
"""A node's name, as in ``spec.nodeName`` and in the names of its blocks."""

CALICO = "projectcalico.org/v3"
"""The apiVersion of Calico's kinds."""
TORTIE = "tortie.dev/v1"
"""The apiVersion of our own kinds."""

NAMESPACE_LABEL = "projectcalico.org/namespace"
ORCHESTRATOR_LABEL = "projectcalico.org/orchestrator"
"""Labels of every workload endpoint, whatever it says of itself."""


class Value(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel", gc=False):
    """Base of every part of a resource: immutable, by keyword, camelCase outside, absent where it is the default.

    The garbage collector need not look at it: what is decoded from text, and never changed, is in no cycle.
    """


class OwnerReference(Value, frozen=True, kw_only=True):
    """An object that this one belongs to."""

    api_version: str = ""
    """The owner's apiVersion."""
    kind: str = ""
    """The owner's kind."""
    name: str = ""
    """The owner's name; of the same namespace, or cluster-wide."""
    uid: str = ""
    """The owner's uid, by which a later object of the same name is told apart."""


class ObjectMeta(Value, frozen=True, kw_only=True):
    """Name, namespace, labels and what the datastore knows of an object."""

    name: str
    """Unique among the objects of the kind in the namespace."""
    namespace: str = ""
    """Absent for a cluster-wide kind, and in files for the command's ``--namespace``."""
    labels: Mapping[str, str] = {}
    """What selectors select by."""
    annotations: Mapping[str, str] = {}
    """Free text by name, for people and tools; selects nothing."""
    uid: str = ""
    """Given once, when the object is created."""
    creation_timestamp: str | None = None
    """When the object was created, RFC 3339; absent if it was never stored."""
    resource_version: str = ""
    """The store's revision of the object. In a file: apply only if the object is still of this revision."""
    generate_name: str = ""
    """Kubernetes' own; never stored."""
    finalizers: tuple[str, ...] = ()
    """Kubernetes' own: who has to act before the object may go."""
    owner_references: tuple[OwnerReference, ...] = ()
    """The objects that this one belongs to."""


class Resource(msgspec.Struct, frozen=True, kw_only=True, rename="camel", tag_field="kind", gc=False):
    """Base of every kind. A subclass adds ``api_version`` (a Literal with its default) and, for most, ``spec``."""

    metadata: ObjectMeta
    """Name, namespace and labels."""
