"""JSON patch, RFC 6902: a list of operations, each at a JSON pointer (RFC 6901); all of them or none."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from typing import Any

from tortie.cli.patching.problem import PatchError

_MISSING = object()


def json_patch(document: Any, operations: Any) -> Any:
    """What *operations* make of *document*, which is not changed; PatchError names the operation that fails."""
    if not isinstance(operations, list):
        raise PatchError('a JSON patch is a list of operations, such as [{"op": "remove", "path": "/spec/order"}]')
    # the document in a box, so that its root can be replaced like everything else
    box = {"": copy.deepcopy(document)}
    for number, operation in enumerate(operations):
        try:
            _carry_out(box, operation)
        except PatchError as error:
            raise PatchError(f"operation {number}: {error}") from error
    return box[""]


def _carry_out(box: dict[str, Any], operation: Any) -> None:
    if not isinstance(operation, dict) or operation.get("op") not in _OPERATIONS:
        raise PatchError(f"{operation!r} is no operation; expected op to be one of {', '.join(_OPERATIONS)}")
    _OPERATIONS[operation["op"]](box, operation)


def _pointer(operation: Mapping[str, Any], field: str) -> list[str]:
    """The reference tokens, the box's before them (RFC 6901 §4)."""
    text = operation.get(field)
    if not isinstance(text, str) or (text and not text.startswith("/")):
        raise PatchError(f"{field} is {text!r}; expected a JSON pointer such as /spec/order")
    return [token.replace("~1", "/").replace("~0", "~") for token in text.split("/")]


def _value(operation: Mapping[str, Any]) -> Any:
    if "value" not in operation:
        raise PatchError(f"{operation['op']} needs a value")
    return copy.deepcopy(operation["value"])


def _parent(box: Any, tokens: list[str]) -> tuple[Any, str]:
    here = box
    for token in tokens[:-1]:
        here = _at(here, token, tokens)
    return here, tokens[-1]


def _at(here: Any, token: str, tokens: list[str]) -> Any:
    found = _MISSING
    if isinstance(here, dict):
        found = here.get(token, _MISSING)
    elif isinstance(here, list) and _is_index(token) and int(token) < len(here):
        found = here[int(token)]
    if found is _MISSING:
        raise PatchError(f"there is nothing at {'/'.join(tokens)}")
    return found


def _is_index(token: str) -> bool:
    """RFC 6901 §4: digits without leading zeros."""
    return token == "0" or (token.isascii() and token.isdigit() and not token.startswith("0"))


def _get(box: dict[str, Any], tokens: list[str]) -> Any:
    return _at(*_parent(box, tokens), tokens)


def _put(box: dict[str, Any], tokens: list[str], value: Any) -> None:
    here, token = _parent(box, tokens)
    if isinstance(here, dict):
        here[token] = value
    elif isinstance(here, list) and (token == "-" or (_is_index(token) and int(token) <= len(here))):
        here.insert(len(here) if token == "-" else int(token), value)
    else:
        raise PatchError(f"nothing can be added at {'/'.join(tokens)}")


def _cut(box: dict[str, Any], tokens: list[str]) -> Any:
    value = _get(box, tokens)
    here, token = _parent(box, tokens)
    if tokens == [""]:
        raise PatchError("the whole document cannot be removed")
    del here[int(token) if isinstance(here, list) else token]
    return value


def _add(box: dict[str, Any], operation: Mapping[str, Any]) -> None:
    _put(box, _pointer(operation, "path"), _value(operation))


def _remove(box: dict[str, Any], operation: Mapping[str, Any]) -> None:
    _cut(box, _pointer(operation, "path"))


def _replace(box: dict[str, Any], operation: Mapping[str, Any]) -> None:
    tokens = _pointer(operation, "path")
    _get(box, tokens)
    here, token = _parent(box, tokens)
    here[int(token) if isinstance(here, list) else token] = _value(operation)


def _move(box: dict[str, Any], operation: Mapping[str, Any]) -> None:
    source, target = _pointer(operation, "from"), _pointer(operation, "path")
    if target[: len(source)] == source and target != source:
        raise PatchError("a value cannot be moved into itself")
    _put(box, target, _cut(box, source))


def _copy(box: dict[str, Any], operation: Mapping[str, Any]) -> None:
    _put(box, _pointer(operation, "path"), copy.deepcopy(_get(box, _pointer(operation, "from"))))


def _test(box: dict[str, Any], operation: Mapping[str, Any]) -> None:
    found, wanted = _get(box, _pointer(operation, "path")), _value(operation)
    if found != wanted or isinstance(found, bool) != isinstance(wanted, bool):
        raise PatchError(f"test of {operation['path']}: expected {wanted!r}, found {found!r}")


_OPERATIONS: Mapping[str, Callable[[dict[str, Any], Mapping[str, Any]], None]] = {
    "add": _add, "remove": _remove, "replace": _replace, "move": _move, "copy": _copy, "test": _test,
}  # fmt: skip
"""RFC 6902 §4."""
