"""The cluster's profiles: the labels they give to whoever lists them, and their rules for those of this host."""

from __future__ import annotations

from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from typing import NamedTuple, TypeVar

from tortie.calc.hoststate import HostProfile, HostRule
from tortie.calc.labels import LabelsOfProfile
from tortie.calc.rules import ScannedRules, scan_rules
from tortie.model.lean import LeanProfile
from tortie.model.policy import Action, Profile, Rule
from tortie.selectors import SelectorError

DEFAULT_ALLOW = "projectcalico-default-allow"
"""Is there even if the datastore does not have it: allows both ways, and gives no labels."""

MISSING_PROFILE = HostProfile(ingress=(HostRule(action=Action.DENY),), egress=(HostRule(action=Action.DENY),))
"""Stands for a profile that an endpoint lists and the datastore does not have: nothing is open because we are late."""


class ProfileContent(NamedTuple):
    """What matters of a profile."""

    labels: Mapping[str, str]
    rules: Rules

    @classmethod
    def of(cls, profile: Profile | LeanProfile) -> ProfileContent:
        spec = profile.spec if isinstance(profile, Profile) else profile
        return cls(spec.labels_to_apply, Rules(spec.ingress, spec.egress))


class Rules(NamedTuple):
    """Mostly shared by many profiles."""

    ingress: tuple[Rule, ...]
    egress: tuple[Rule, ...]


_ALLOW = (Rule(action=Action.ALLOW),)
_BUILT_IN = {DEFAULT_ALLOW: Rules(_ALLOW, _ALLOW)}


class ProfileTable:
    """All profiles of the cluster. ``changed`` and ``relabelled`` collect what is different until ``settle``."""

    def __init__(self) -> None:
        self._rules: dict[str, Rules] = {}
        self._labels: dict[str, Mapping[str, str]] = {}
        """Of the profiles that give any."""
        self.changed: set[str] = set()
        """Profiles that were touched."""
        self.relabelled: dict[str, Mapping[str, str] | None] = {}
        """Profiles whose labels were touched, with the labels that they gave before."""
        self.labels_of: LabelsOfProfile = self._labels.get

    def put(self, name: str, content: ProfileContent | None) -> None:
        """What the profile is now; None: there is none."""
        labels = (content.labels if content is not None else None) or None
        before = self._labels.get(name)
        if labels != before:
            self.relabelled.setdefault(name, before)
            _put(self._labels, name, labels)
        rules = content.rules if content is not None else None
        if rules != self._rules.get(name):
            self.changed.add(name)
            _put(self._rules, name, rules)

    def labels_before(self, name: str) -> Mapping[str, str] | None:
        """What ``labels_of`` said at the last ``settle``."""
        return self.relabelled[name] if name in self.relabelled else self._labels.get(name)

    def giving(self, names: AbstractSet[str]) -> dict[str, dict[str, str]]:
        """The profiles that give labels of *names*, with those alone."""
        return {
            profile: {name: labels[name] for name in names & labels.keys()}
            for profile, labels in self._labels.items()
            if not names.isdisjoint(labels)
        }

    def settle(self) -> None:
        """Everyone has seen the changes."""
        self.changed.clear()
        self.relabelled.clear()

    def scan(self, name: str) -> ScannedRules:
        """The rules of a profile. One that is missing, or whose selectors cannot be read, denies both ways."""
        rules = self._rules.get(name) or _BUILT_IN.get(name)
        if rules is not None:
            try:
                return scan_rules(rules.ingress, rules.egress, namespace="")
            except SelectorError:
                pass  # Its author was told when it was validated.
        return ScannedRules(MISSING_PROFILE.ingress, MISSING_PROFILE.egress, {})


_Value = TypeVar("_Value")


def _put(table: dict[str, _Value], name: str, value: _Value | None) -> None:
    """Make *value* what the table has under *name*; None: nothing."""
    if value is None:
        table.pop(name, None)
    else:
        table[name] = value
