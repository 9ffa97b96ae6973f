"""When tuples are worth it: a look-up in a hash costs the same however many keys it holds, but each key costs memory.

Figures: a missed look-up takes some 0.13 µs, a rule of a list about as much, a key of a set some 100 bytes in the kernel and
200 in userland.
"""

from __future__ import annotations

from typing import NamedTuple


class CostModel(NamedTuple):
    """The bounds that decide how a group is compiled. Whatever they are, it means the same."""

    linear_below: int = 8
    """A group of fewer rules is a plain list."""
    budget: int = 50_000
    """The keys that one rule may have; one that would have more looks up its set of addresses in a list."""
    port_span: int = 16
    """The ports that a range may have to be keys; else it is compared."""
    max_runs: int = 8
    """Rules that would need another run than these are the last one's list: actions that alternate across shapes gain nothing."""
    block: int = 16
    """About so many rules of a list share a guard, …"""
    node: int = 16
    """… and at least so many guards one of their own, if there are twice as many."""

    def is_over_budget(self, keys: int, *, was_over: bool) -> bool:
        """Whether a rule has too many keys; one that had comes back at half as many, so that none goes to and fro."""
        return keys > (self.budget // 2 if was_over else self.budget)


AUTO = CostModel()
ALWAYS = CostModel(linear_below=0)
"""Tuples wherever a rule has any."""
