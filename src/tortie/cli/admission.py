"""What a resource may not be, given what is stored: a change of what must stay, a pool over another pool.

Asked while a write is planned. What may change is the model's to say (``change_violations``); here is what it is asked with.
Two pools that are created at the same moment can still overlap, as nothing that either plan reads changes.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from tortie.cli.errors import CommandError
from tortie.conversion.policy import NAME_PREFIX
from tortie.datastore.store import Entry
from tortie.model import kinds
from tortie.model.codec import InvalidResourceError, decode
from tortie.model.fieldpath import path_text
from tortie.model.ipam import IPPool
from tortie.model.kinds import ResourceKey
from tortie.model.meta import Resource
from tortie.model.validation import change_violations


def is_managed(key: ResourceKey) -> bool:
    """Whether *key* exists only because a Kubernetes NetworkPolicy means it."""
    return key.kind is kinds.NETWORK_POLICY and key.name.startswith(NAME_PREFIX)


def refuse_managed(key: ResourceKey) -> None:
    """CommandError for what ``is_managed``: a change of it would be undone, or contradict."""
    if is_managed(key):
        name = key.name.removeprefix(NAME_PREFIX)
        raise CommandError(
            f"{key} is what the Kubernetes NetworkPolicy {key.namespace}/{name} means, and is managed through that one: apply or "
            f"delete networkpolicy.networking.k8s.io {name}"
        )


def refuse_change(key: ResourceKey, stored: Entry | None, resource: Resource) -> None:
    """CommandError if *resource* changes what must stay as it is stored; what is stored but invalid may be replaced."""
    if stored is None:
        return
    try:
        old = decode(stored.value, key.kind.struct)
    except InvalidResourceError:
        return
    found = [f"{path_text(path)}: {message}" for path, message, *_ in change_violations(key.kind, old, resource)]
    if found:
        raise CommandError(f"{key}: {'; '.join(found)}")


def refuse_overlap(key: ResourceKey, pool: IPPool, others: Mapping[ResourceKey, IPPool]) -> None:
    """CommandError if *pool* has addresses of another one of *others*."""
    cidr = pool.spec.cidr
    for other_key, other in others.items():
        if other_key != key and (other.spec.cidr.contains(cidr) or cidr.contains(other.spec.cidr)):
            raise CommandError(f"{key}: its addresses {cidr} overlap those of {other_key}, {other.spec.cidr}")


def stored_pools(entries: Iterable[Entry]) -> Iterator[tuple[ResourceKey, IPPool]]:
    """The valid pools among *entries*."""
    for entry in entries:
        key = kinds.parse_path(entry.key)
        if key is None:
            continue
        try:
            yield key, decode(entry.value, IPPool)
        except InvalidResourceError:
            continue
