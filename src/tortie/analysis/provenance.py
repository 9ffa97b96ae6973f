"""Where what decides was written: from a policy's rule as hosts have it to the object, file and line that it comes from.

    NetworkPolicy shop/knp.default.db, ingress rule 3 ──► NetworkPolicy shop/db, spec.ingress[1] ──► shop/policy.yaml:14:5

One rule of a Kubernetes policy may become several of Calico's, one for each peer and protocol; an object of a datastore has no
place, and is told by its kind and name.
"""

from __future__ import annotations

import bisect
import itertools
from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple, TypeAlias

import msgspec

from tortie.analysis.cluster import converted
from tortie.conversion import ConversionError
from tortie.conversion.cluster_policy import TIERS
from tortie.conversion.policy import NAME_PREFIX
from tortie.model import kinds
from tortie.model.codec import Document, decode_document, encode_document, to_document
from tortie.model.document import ReadResource, ReadTests, locate
from tortie.model.fieldpath import FieldPath, path_text
from tortie.model.kinds import ResourceKey, kind_of, kind_with_header
from tortie.model.kubernetes import NetworkPolicy as KubernetesNetworkPolicy
from tortie.model.kubernetes_cluster_policy import ClusterNetworkPolicy
from tortie.model.meta import CALICO, Resource
from tortie.model.policy import Direction
from tortie.model.staged import StagedKubernetesNetworkPolicy
from tortie.model.yamltree import Position
from tortie.verdict.order import AnyPolicy, rules
from tortie.verdict.refs import PolicyRef

_Converted: TypeAlias = KubernetesNetworkPolicy | StagedKubernetesNetworkPolicy | ClusterNetworkPolicy
_OF_NAMESPACE, _OF_ACCOUNT = "kns.", "ksa."
_OF_CLUSTER_POLICY = tuple(f"kcnp.{tier.lower()}." for tier in TIERS)


class Place(NamedTuple):
    """A place in a file; its text is what editors and terminals make a link of."""

    source: str
    position: Position

    @classmethod
    def of(cls, read: ReadResource | ReadTests, path: FieldPath) -> Place:
        """The place of a part of what was read."""
        return cls(read.source, locate(read.node, path).position)

    def __str__(self) -> str:
        return f"{self.source}:{self.position.line}:{self.position.column}"


class Written(NamedTuple):
    """An object as somebody wrote it."""

    key: ResourceKey
    resource: Resource
    read: ReadResource | None = None
    """What was read of it; None: it stands in a datastore."""
    changed: Document | None = None
    """What has become of it since; None: it is as it was written."""

    @property
    def name(self) -> str:
        """Its kind and name."""
        return str(self.key)

    @property
    def document(self) -> Document:
        """What has become of it; or as it stands in its file, or else as it is stored."""
        if self.changed is not None:
            return self.changed
        if self.read is not None:
            return self.read.document
        return decode_document(encode_document(to_document(self.resource)))


class Origin(NamedTuple):
    """A part of an object."""

    written: Written
    path: FieldPath = ()
    """Of the object as it was written; empty: all of it."""

    @property
    def place(self) -> Place | None:
        """Where it stands; None: in a datastore."""
        read = self.written.read
        return None if read is None else Place.of(read, self.path)

    def __str__(self) -> str:
        if self.place is not None:
            return str(self.place)
        return f"{self.written.name}, {path_text(self.path)}" if self.path else self.written.name


class Provenance:
    """Finds what decides among the objects that were written. What was filled in comes from nowhere."""

    def __init__(self, written: Iterable[Written]) -> None:
        self._written = {each.key: each for each in written}
        self._rules_until: dict[tuple[ResourceKey, Direction], list[int]] = {}
        """How many rules of Calico's the first rules of a policy mean, up to each of them: found out once."""

    @classmethod
    def of_documents(cls, read: Iterable[ReadResource]) -> Provenance:
        """Of what files hold."""
        return cls(Written(item.key, item.resource, item) for item in read)

    @classmethod
    def of_stored(cls, resources: Mapping[ResourceKey, Resource]) -> Provenance:
        """Of a datastore's objects."""
        return cls(Written(key, resource) for key, resource in resources.items())

    def with_changed(self, written: Written) -> Provenance:
        """The same objects, with one that was changed, or is new."""
        return Provenance((*self._written.values(), written))

    def policy(self, policy: PolicyRef) -> Origin | None:
        """The object that a policy comes from: a Kubernetes one, if that means it."""
        found = self._first(_keys_of_policy(policy))
        return None if found is None else Origin(found)

    def profile(self, name: str) -> Origin | None:
        """The same of a profile: its namespace, or its service account."""
        found = self._first(_keys_of_profile(name))
        return None if found is None else Origin(found)

    def rule(self, owner: PolicyRef | str, direction: Direction, index: int) -> Origin | None:
        """What rule *index* of a policy, or of a profile by name, comes from; of a namespace's profile the namespace."""
        origin = self.policy(owner) if isinstance(owner, PolicyRef) else self.profile(owner)
        if origin is None:
            return None
        key, written = origin.written.key, origin.written.resource
        if isinstance(written, _Converted):
            return origin._replace(path=("spec", direction.lower(), self._written_rule(key, written, direction, index)))
        meant = isinstance(owner, str) and kind_of(written) is not kinds.PROFILE
        return origin if meant else origin._replace(path=("spec", direction.lower(), index))

    def _written_rule(self, key: ResourceKey, policy: _Converted, direction: Direction, index: int) -> int:
        """Which of the written rules of *policy* rule *index* of what it means comes from: the first with which there are so many."""
        until = self._rules_until.get((key, direction))
        if until is None:
            until = list(itertools.accumulate(_rules_meant(policy, direction)))
            self._rules_until[key, direction] = until
        return bisect.bisect_right(until, index)

    def object(self, key: ResourceKey) -> Origin | None:
        """An object by its own name."""
        found = self._written.get(key)
        return None if found is None else Origin(found)

    def _first(self, keys: Iterable[ResourceKey]) -> Written | None:
        return next((self._written[key] for key in keys if key in self._written), None)


# --- what means what ---------------------------------------------------------------------------------------------------------


def _keys_of_policy(policy: PolicyRef) -> Iterable[ResourceKey]:
    kind, namespace, name = policy
    if name.startswith(NAME_PREFIX):
        own = kinds.K8S_NETWORK_POLICY if kind == "NetworkPolicy" else kinds.STAGED_KUBERNETES_NETWORK_POLICY
        yield ResourceKey(own, namespace, name.removeprefix(NAME_PREFIX))
    for prefix in _OF_CLUSTER_POLICY:
        if name.startswith(prefix):
            yield ResourceKey(kinds.CLUSTER_NETWORK_POLICY, "", name.removeprefix(prefix))
    calico = kind_with_header(CALICO, kind)
    if calico is not None:
        yield ResourceKey(calico, namespace, name)


def _keys_of_profile(name: str) -> Iterable[ResourceKey]:
    if name.startswith(_OF_NAMESPACE):
        yield ResourceKey(kinds.NAMESPACE, "", name.removeprefix(_OF_NAMESPACE))
    if name.startswith(_OF_ACCOUNT):
        namespace, _, account = name.removeprefix(_OF_ACCOUNT).partition(".")
        yield ResourceKey(kinds.SERVICE_ACCOUNT, namespace, account)
    yield ResourceKey(kinds.PROFILE, "", name)


def _rules_meant(policy: _Converted, direction: Direction) -> Iterator[int]:
    """How many rules of Calico's each rule of a direction means, which no other rule bears on."""
    written: tuple[msgspec.Struct, ...] = policy.spec.ingress if direction is Direction.INGRESS else policy.spec.egress
    for rule in written:
        spec = msgspec.structs.replace(policy.spec, **{direction.lower(): (rule,)})
        yield _count(msgspec.structs.replace(policy, spec=spec), direction)


def _count(policy: _Converted, direction: Direction) -> int:
    try:
        meant = next(iter(converted(policy).objects.values()), None)
    except ConversionError:  # nothing was meant, so no rule of it can decide
        return 0
    return len(rules(meant, direction)) if isinstance(meant, AnyPolicy) else 0
