"""What every kind has: object metadata, and the base of all declared values."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NewType

import msgspec

HostName = NewType("HostName", str)
"""A node's name, as in ``spec.nodeName`` and in the names of its blocks."""

CALICO = "projectcalico.org/v3"
"""The apiVersion of Calico's kinds."""


class Value(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    """Base of every part of a resource: immutable, by keyword, camelCase outside, absent where it is the default."""


class OwnerReference(Value, frozen=True, kw_only=True):
    api_version: str = ""
    kind: str = ""
    name: str = ""
    uid: str = ""


class ObjectMeta(Value, frozen=True, kw_only=True):
    """Kubernetes object metadata, as far as we use it; a stored document keeps the rest."""

    name: str
    namespace: str = ""
    """Empty for a cluster-scoped object."""
    labels: Mapping[str, str] = {}
    annotations: Mapping[str, str] = {}
    uid: str = ""
    creation_timestamp: str | None = None
    """RFC 3339, or None where the object was never stored."""
    resource_version: str = ""
    """The store's revision of this object, decimal; never part of the stored value."""
    generate_name: str = ""
    finalizers: tuple[str, ...] = ()
    owner_references: tuple[OwnerReference, ...] = ()


class Resource(msgspec.Struct, frozen=True, kw_only=True, rename="camel", tag_field="kind"):
    """Base of every kind. A subclass adds ``api_version`` (a Literal with its default) and, for most, ``spec``."""

    metadata: ObjectMeta
