"""Kubernetes' strategic merge patch: a merge patch in which some lists are merged, item by item or as sets.

Which lists is said by the API's declarations, for Calico's kinds none: there a list replaces a list. Directives: ``$patch``
(``replace``, ``delete``, ``merge``), ``$deleteFromPrimitiveList/<list>``, ``$setElementOrder/<list>``, ``$retainKeys``.
Source: the Kubernetes API conventions, "Strategic Merge Patch".
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tortie.cli.patching.problem import PatchError
from tortie.model import kinds
from tortie.model.kinds import Kind

_DELETE_FROM = "$deleteFromPrimitiveList/"
_ORDER = "$setElementOrder/"
_SET = ""
"""Instead of a key: the items are plain values, merged as a set."""

_METADATA = {"metadata.ownerReferences": "uid", "metadata.finalizers": _SET}
_CONTAINER = {"env": "name", "ports": "containerPort", "volumeMounts": "mountPath", "volumeDevices": "devicePath"}
_CONTAINERS = {
    f"spec.{containers}{of}": key
    for containers in ("containers", "initContainers", "ephemeralContainers")
    for of, key in {"": "name", **{f".{name}": key for name, key in _CONTAINER.items()}}.items()
}
MERGED: Mapping[Kind, Mapping[str, str]] = {
    kinds.POD: {
        **_CONTAINERS, "spec.volumes": "name", "spec.imagePullSecrets": "name", "spec.hostAliases": "ip",
        "spec.topologySpreadConstraints": "topologyKey", "status.conditions": "type", "status.podIPs": "ip",
    },
    kinds.SERVICE: {"spec.ports": "port", "status.conditions": "type"},
    kinds.SERVICE_ACCOUNT: {"secrets": "name", "imagePullSecrets": "name"},
    kinds.NAMESPACE: {"status.conditions": "type"},
}  # fmt: skip
"""The key by which the items of a list are the same, by the list's path; of kinds that are not here, only metadata's lists."""


def strategic_patch(document: Any, patch: Any, kind: Kind) -> Any:
    """What *patch* makes of *document*, which is of *kind*; neither is changed. PatchError."""
    if not isinstance(patch, dict):
        raise PatchError("a strategic merge patch is a mapping")
    lists = _METADATA | dict(MERGED.get(kind, {})) if kind.is_kubernetes else {}
    return _merged(document if isinstance(document, dict) else {}, patch, "", lists)


def _merged(before: dict[str, Any], patch: dict[str, Any], path: str, lists: Mapping[str, str]) -> dict[str, Any]:
    match patch.get("$patch", "merge"):
        case "replace":
            replaced: dict[str, Any] = _plain(patch)
            return replaced
        case "delete":
            return {}
        case "merge":
            pass
        case other:
            raise PatchError(f"{path or 'the patch'}: $patch is {other!r}; expected merge, replace or delete")
    result = dict(before)
    if (retained := patch.get("$retainKeys")) is not None:
        result = {name: value for name, value in result.items() if name in retained}
    for name, values in patch.items():
        if name.startswith(_DELETE_FROM):
            target = name.removeprefix(_DELETE_FROM)
            result[target] = [value for value in result.get(target) or [] if value not in values]
    for name, value in patch.items():
        if not name.startswith("$"):
            _merge_field(result, name, value, f"{path}.{name}" if path else name, lists)
    for name, order in patch.items():
        if name.startswith(_ORDER):
            target = name.removeprefix(_ORDER)
            key = lists.get(f"{path}.{target}" if path else target)
            result[target] = _ordered(result.get(target) or [], order, key)
    return result


def _merge_field(result: dict[str, Any], name: str, value: Any, path: str, lists: Mapping[str, str]) -> None:
    before = result.get(name)
    if value is None or (isinstance(value, dict) and value.get("$patch") == "delete"):
        result.pop(name, None)
    elif isinstance(value, dict):
        result[name] = _merged(before if isinstance(before, dict) else {}, value, path, lists)
    elif isinstance(value, list) and path in lists and isinstance(before, list):
        result[name] = _merged_list(before, value, lists[path], path, lists)
    else:
        result[name] = _plain(value)


def _merged_list(before: list[Any], patch: list[Any], key: str, path: str, lists: Mapping[str, str]) -> list[Any]:
    if key == _SET:
        return [*before, *(value for value in patch if value not in before)]
    if any(isinstance(item, dict) and item.get("$patch") == "replace" and len(item) == 1 for item in patch):
        return [_plain(item) for item in patch if item != {"$patch": "replace"}]
    result = list(before)
    for item in patch:
        if not isinstance(item, dict) or key not in item:
            raise PatchError(f"{path}: every item needs {key!r}, by which the items are told apart")
        place = next(
            (at for at, other in enumerate(result) if isinstance(other, dict) and other.get(key) == item[key]), None
        )
        if item.get("$patch") == "delete":
            if place is not None:
                del result[place]
        elif place is None:
            result.append(_plain(item))
        else:
            result[place] = _merged(result[place], item, path, lists)
    return result


def _ordered(items: list[Any], order: list[Any], key: str | None) -> list[Any]:
    """*items* as *order* lists them, those it does not name at the end."""
    wanted = [item.get(key) if key and isinstance(item, dict) else item for item in order]

    def place(item: Any) -> int:
        value = item.get(key) if key and isinstance(item, dict) else item
        return wanted.index(value) if value in wanted else len(wanted)

    return sorted(items, key=place)


def _plain(value: Any) -> Any:
    """*value* as it is stored: without directives and nulls."""
    if isinstance(value, list):
        return [_plain(item) for item in value]
    if not isinstance(value, dict):
        return value
    return {name: _plain(item) for name, item in value.items() if not name.startswith("$") and item is not None}
