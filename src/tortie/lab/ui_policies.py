"""The policies in force and the step of the demo that they make, for the page.

A function of what is stored, whoever stored it: the demo's own command, or somebody by hand.

    {"step": {"number": 4, "title": ..., "text": ...}, "titles": [...],
     "policies": [{"kind": "NetworkPolicy", "namespace": "stars", "name": "allow-ui", "step": 3, "spec": "podSelector: ...",
                   "means": ["NetworkPolicy stars/knp.default.allow-ui"]}, ...]}

``step`` is null where there is no demo, and that of a policy if no step applies it; ``means`` names the Calico policies that are
enforced for it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import yaml

from tortie.conversion import ConversionError, meaning
from tortie.datastore.store import Store
from tortie.datastore.syncer import sync
from tortie.lab.demo import Demo, Manifest
from tortie.lab.ui_feed import Feed
from tortie.model import kinds
from tortie.model.codec import InvalidResourceError, decode_document
from tortie.model.document import read
from tortie.model.kinds import ResourceKey, parse_path
from tortie.model.meta import Resource
from tortie.model.updates import InSync, Update
from tortie.model.validation import stored_resource

POLICY_KINDS = (
    kinds.K8S_NETWORK_POLICY,
    kinds.CLUSTER_NETWORK_POLICY,
    kinds.NETWORK_POLICY,
    kinds.GLOBAL_NETWORK_POLICY,
)


class Applied(NamedTuple):
    """A policy that is stored, and what it says."""

    resource: Resource
    spec: str
    """As YAML."""


async def follow_policies(store: Store, demo: Demo | None, feed: Feed) -> None:
    """Publish the view of what *store* holds as ``policies``, and again whenever that changes."""
    by_step = policies_by_step(demo) if demo else ()
    stored: dict[ResourceKey, Applied] = {}
    async for batch in sync(store, [kind.prefix for kind in POLICY_KINDS]):
        for item in batch:
            match item:
                case Update(path, value, _):
                    _remember(stored, path, value)
                case InSync():
                    feed.publish("policies", view(demo, by_step, stored))


def _remember(stored: dict[ResourceKey, Applied], path: str, value: bytes | None) -> None:
    """Note what became of one policy; an invalid one counts as absent, as it does on every host."""
    key = parse_path(path)
    if key is None:
        return
    stored.pop(key, None)
    if value is not None and (applied := _applied(key, value)) is not None:
        stored[key] = applied


def _applied(key: ResourceKey, value: bytes) -> Applied | None:
    try:
        resource = stored_resource(key, value)
    except InvalidResourceError:
        return None
    return Applied(resource, yaml.safe_dump(decode_document(value).get("spec", {}), sort_keys=False))


def policies_by_step(demo: Demo) -> tuple[tuple[ResourceKey, ...], ...]:
    """For each step the policies that its manifests hold, in their order."""
    return tuple(tuple(key for manifest in step.apply for key in _policies(demo, manifest)) for step in demo.steps)


def _policies(demo: Demo, manifest: Manifest) -> Iterator[ResourceKey]:
    text = (demo.folder / manifest.file).read_text()
    found = read(text, source=manifest.file, default_namespace=manifest.namespace or "default")
    return (item.key for item in found.resources if item.key.kind in POLICY_KINDS)


def view(
    demo: Demo | None, by_step: Sequence[Sequence[ResourceKey]], stored: Mapping[ResourceKey, Applied]
) -> dict[str, Any]:
    """What the page shows of *stored*."""
    meanings = {key: _meaning(key, applied.resource) for key, applied in stored.items()}
    converted = {calico for key, found in meanings.items() for calico in found if calico != key}
    steps = {key: at for at, keys in enumerate(by_step, start=1) for key in keys}
    order = [key for keys in by_step for key in keys if key in stored]
    order += sorted(key for key in stored if key not in steps and key not in converted)
    return {
        "step": _step(demo, _step_in_force(by_step, stored)) if demo else None,
        "titles": [each.title for each in demo.steps] if demo else [],
        "policies": [
            {
                "kind": key.kind.name,
                "namespace": key.namespace,
                "name": key.name,
                "step": steps.get(key),
                "spec": stored[key].spec,
                "means": [str(calico) for calico in meanings[key]],
            }
            for key in order
        ],
    }


def _step(demo: Demo, number: int) -> dict[str, Any]:
    step = demo.steps[number - 1]
    return {"number": number, "title": step.title, "text": step.text}


def _step_in_force(by_step: Sequence[Sequence[ResourceKey]], stored: Mapping[ResourceKey, Applied]) -> int:
    """The last step, from 1, up to which no policy of any step is missing."""
    number = 1
    for at, keys in enumerate(by_step, start=1):
        if not all(key in stored for key in keys):
            break
        number = at
    return number


def _meaning(key: ResourceKey, resource: Resource) -> tuple[ResourceKey, ...]:
    """The Calico policies that are enforced for a stored one."""
    if not key.kind.is_kubernetes:
        return (key,)
    try:
        return tuple(meaning(resource))
    except ConversionError:
        return ()
