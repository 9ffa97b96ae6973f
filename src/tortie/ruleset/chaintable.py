"""Chains as they were flushed last and as they are to be."""

from __future__ import annotations

from tortie.ruleset.sets import SetTable
from tortie.ruleset.values import ChainDelete, ChainReplace, Flush, Rule


class ChainTable:
    """The rules of some chains, none of which refers to another; the table of sets is told which sets they refer to."""

    def __init__(self, sets: SetTable) -> None:
        self._sets = sets
        self._rules: dict[str, tuple[Rule, ...]] = {}
        self._before: dict[str, tuple[Rule, ...] | None] = {}
        """For each chain touched since the last flush: its rules then."""

    def __contains__(self, name: str) -> bool:
        return name in self._rules

    def put(self, name: str, rules: tuple[Rule, ...]) -> None:
        """The chain has these rules from now on."""
        self._before.setdefault(name, self._rules.get(name))
        self._rules[name] = rules
        self._sets.refer(name, rules)

    def remove(self, name: str) -> None:
        """There is no such chain any more; nothing happens if there was none."""
        if name in self._rules:
            self._before.setdefault(name, self._rules[name])
            del self._rules[name]
            self._sets.refer(name, ())

    def flush(self) -> Flush:
        """What is new, what has other rules, and what is gone since the last call, by name."""
        created, replaced, deleted = [], [], []
        for name, before in sorted(self._before.items(), key=lambda item: item[0]):
            now = self._rules.get(name)
            if now is None:
                deleted += [ChainDelete(name)] if before is not None else []
            elif before is None:
                created.append(ChainReplace(name, now))
            elif now != before:
                replaced.append(ChainReplace(name, now))
        self._before.clear()
        return Flush(tuple(created), tuple(replaced), tuple(deleted))
