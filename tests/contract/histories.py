"""What concurrent clients saw of one key, and whether some order of their operations explains it.

Herlihy and Wing's definition: every operation takes effect at one moment between its call and its return. The search is
Wing and Gong's, with Lowe's memory of what was tried. An operation whose outcome is not known has no end: it may take effect
at any time after its call, or never. Values are unique, so that a value tells which write it came from.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import inf
from typing import Any, NamedTuple

Value = str | None
"""None: there is no such key."""

UNKNOWN = "unknown"
"""The outcome of an operation that nobody has told."""


class Operation(NamedTuple):
    """One client's doing with the key."""

    kind: str
    """``get``, ``put``, ``create``, ``swap`` or ``delete``."""
    called: float
    returned: float = inf
    outcome: Value = UNKNOWN
    """Of a get and a delete, the value; of the others ``done`` or ``refused``."""
    value: Value = None
    """To be written."""
    expected: Value = None
    """What a swap requires."""


def _get(state: Value, _: Operation) -> tuple[Value, Value]:
    return state, state


def _put(_: Value, operation: Operation) -> tuple[Value, Value]:
    return operation.value, "done"


def _create(state: Value, operation: Operation) -> tuple[Value, Value]:
    return (operation.value, "done") if state is None else (state, "refused")


def _swap(state: Value, operation: Operation) -> tuple[Value, Value]:
    return (operation.value, "done") if state == operation.expected else (state, "refused")


def _delete(state: Value, _: Operation) -> tuple[Value, Value]:
    return None, state


_MODEL: dict[str, Callable[[Value, Operation], tuple[Value, Value]]] = {
    "get": _get,
    "put": _put,
    "create": _create,
    "swap": _swap,
    "delete": _delete,
}
"""State and operation to the next state and the outcome: a register as the store's contract describes it."""


def legal_order(history: Sequence[Operation], initial: Value = None) -> list[Operation] | None:
    """An order that explains *history*; None if there is none."""
    # those without an end come first, and so are tried last: most histories need none of them just now
    by_end = sorted(history, key=lambda operation: -operation.returned)
    bits = [(1 << number, operation) for number, operation in enumerate(by_end)]
    must = sum(bit for bit, operation in bits if operation.returned < inf)
    tried: set[tuple[int, Value]] = set()
    path: list[tuple[int, Value, tuple[Any, ...]]] = [(0, initial, ())]
    while path:
        done, state, order = path.pop()
        if done & must == must:
            return _unwind(order)
        if (done, state) in tried:
            continue
        tried.add((done, state))
        left = [(bit, operation) for bit, operation in bits if not done & bit]
        soonest = min(operation.returned for _, operation in left)
        for bit, operation in left:
            if operation.called > soonest:
                continue  # another one had returned before it was called
            after, outcome = _MODEL[operation.kind](state, operation)
            if operation.outcome in (UNKNOWN, outcome) and (after != state or operation.outcome != UNKNOWN):
                path.append((done | bit, after, (operation, order)))
    return None


def _unwind(order: tuple[Any, ...]) -> list[Operation]:
    """Of a linked list, the last operation first."""
    found: list[Operation] = []
    while order:
        operation, order = order
        found.insert(0, operation)
    return found
