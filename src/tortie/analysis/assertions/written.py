"""Coverage as people wrote the rules: one of a Kubernetes policy may mean several of Calico's, and is tested if one of them is."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from tortie.analysis.assertions.coverage import RuleCoverage, State
from tortie.analysis.assertions.deciding import RuleRef
from tortie.analysis.provenance import Origin, Provenance
from tortie.model.fieldpath import path_text

_BEST_FIRST = (State.TESTED, State.UNTESTED, State.SHADOWED, State.IDLE)


class WrittenRule(NamedTuple):
    """A rule as it was written, and what is known of it."""

    policy: str
    """Kind and name of the object that has it."""
    name: str
    """``spec.ingress[0]``."""
    origin: Origin | None
    """Where it stands; None: it was filled in."""
    state: State
    shadowed_by: tuple[str, ...]


class WrittenCoverage(NamedTuple):
    """Of all rules that are enforced."""

    rules: tuple[WrittenRule, ...]

    def count(self, *states: State) -> int:
        """How many are in one of *states*."""
        return sum(rule.state in states for rule in self.rules)

    @property
    def percent(self) -> float:
        """How much of them is tested; all, if there are none."""
        return percent(self.count(State.TESTED), len(self.rules))


def percent(part: int, whole: int) -> float:
    """All of nothing is all."""
    return 100 * part / whole if whole else 100.0


def written_coverage(covered: Iterable[RuleCoverage], provenance: Provenance) -> WrittenCoverage:
    """*covered*, together what was written as one rule, in the order in which policies are asked."""
    together: dict[tuple[str, str], tuple[Origin | None, list[RuleCoverage]]] = {}
    for rule in covered:
        policy, name, origin = _written(rule.rule, provenance)
        together.setdefault((policy, name), (origin, []))[1].append(rule)
    return WrittenCoverage(
        tuple(
            WrittenRule(policy, name, origin, *_state(rules, provenance))
            for (policy, name), (origin, rules) in together.items()
        )
    )


def _state(rules: list[RuleCoverage], provenance: Provenance) -> tuple[State, tuple[str, ...]]:
    """The best of what is known of them: one that matches nothing takes nothing from another that does."""
    state = next(state for state in _BEST_FIRST if any(rule.state is state for rule in rules))
    shadows = dict.fromkeys(by for rule in rules for by in rule.shadowed_by) if state is State.SHADOWED else {}
    return state, tuple(dict.fromkeys(_called(by, provenance) for by in shadows))


def _called(by: RuleRef | str, provenance: Provenance) -> str:
    if isinstance(by, str):
        return by
    policy, name, origin = _written(by, provenance)
    return f"{policy}, {name}" + (f" at {origin}" if origin is not None and origin.place is not None else "")


def _written(rule: RuleRef, provenance: Provenance) -> tuple[str, str, Origin | None]:
    origin = provenance.rule(rule.policy, rule.direction, rule.rule)
    if origin is None:
        return str(rule.policy), path_text(("spec", rule.direction.lower(), rule.rule)), None
    return origin.written.name, path_text(origin.path), origin
