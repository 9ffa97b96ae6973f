"""The groups of one direction and kind of place, from the policies of all classes to chains.

    lists of the classes ──► Grouping ──► which policies are a group ──┐ place
    policies, rules, members of sets ──────────────────────────────────┴─► Group ──► deltas

What was made for a group stays while its policies come and go. Its chain is named after one of its policies; the group of a
single policy has that policy's own name, so there a second policy makes another group of it.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from collections.abc import Set as AbstractSet
from itertools import chain as chained
from itertools import count
from typing import NamedTuple

from tortie.calc.hoststate import HostPolicy, PolicyId
from tortie.model.policy import Direction
from tortie.ruleset.flushing import FlushBuilder
from tortie.ruleset.group import Group, GroupStage, TupleOwners
from tortie.ruleset.grouping import Edit, Grouping, ListKey, PolicyGroup, Regrouping, edit
from tortie.ruleset.linear import LinearGroup, PolicyChains
from tortie.ruleset.logprefix import named_for_policy
from tortie.ruleset.names import group_chain, policy_chain
from tortie.ruleset.options import Compilation
from tortie.ruleset.runs import ALWAYS, AUTO, RunsGroup
from tortie.ruleset.runs.keysets import Key
from tortie.ruleset.runs.shapes import Space
from tortie.ruleset.values import Flush


class GroupChanges(NamedTuple):
    """What a flush does to groups."""

    flush: Flush
    lists: frozenset[ListKey]
    """The lists that may jump to other groups than before."""
    passing: frozenset[str]
    """The chains of groups that can pass and could not, or the other way round."""


class GroupTable:
    """The groups of one stage; ``flush`` costs what was touched."""

    def __init__(self, stage: GroupStage) -> None:
        self.stage = stage
        self._kept: Collection[str] = ()
        self._grouping = Grouping()
        self._chains = PolicyChains(stage)
        self._groups: dict[str, Group] = {}
        self._policies: dict[str, tuple[PolicyId, ...]] = {}
        """Of each group, by its chain."""
        self._group_of: dict[PolicyId, str] = {}
        self._name_of: dict[int, str] = {}
        """The chain of each group by its number."""
        self._own_names: dict[int, str] = {}
        """The name that a group of several policies was given, which it gets again when it has several again."""
        self._stirred: set[Group] = set()

    def keep(self, names: Collection[str]) -> None:
        """The groups that an earlier run has left: what is created next and could be called so is."""
        self._kept = names

    def set_list(self, key: ListKey, policies: tuple[PolicyId, ...]) -> None:
        """A class enforces these policies of a tier from now on; empty: none."""
        self._grouping.set_list(key, policies)

    def stir(self, group: Group) -> None:
        """A group was told something by others than this table."""
        if self._groups.get(group.chain) is group:
            self._stirred.add(group)

    def groups(self, key: ListKey) -> tuple[Group, ...]:
        """What a class walks through in a tier, in order, as of the last flush."""
        return tuple(self._groups[self._name_of[group.number]] for group in self._grouping.groups(key))

    def owners(self, key: Key, space: Space) -> Iterator[TupleOwners]:
        """The sets of tuples in which a key stands, one for each group that has it."""
        for chain in sorted(self._groups):
            group = self._groups[chain]
            found = group.owners(key, space) if isinstance(group, RunsGroup) else None
            if found is not None:
                yield found

    def flush(
        self, policies: Mapping[PolicyId, HostPolicy], dirty: AbstractSet[PolicyId], outdated: Iterable[str]
    ) -> GroupChanges:
        """Bring the groups to what lists, policies and sets are now.

        *dirty* are policies that may have changed; *outdated* are chains that look up a set that has become another.
        """
        regrouped = self._grouping.regroup()
        closed = self._rename(regrouped, policies)
        for chain, change in [(self._name_of[group.number], self._place(group)) for group in regrouped.placed]:
            self._tell_rules(chain, change, policies)
        flushes, passing = [self._close(chain) for chain in closed], set[str]()
        for policy_id in sorted(dirty & self._group_of.keys()):
            self._set_rules(self._groups[self._group_of[policy_id]], policy_id, policies)
        for group in sorted(self._stirred, key=lambda group: group.chain):
            could_pass = group.can_pass
            flushes.append(group.flush())
            passing |= {group.chain} if group.can_pass != could_pass else set()
        self._stirred.clear()
        self._kept = ()
        joined = FlushBuilder()
        for flush in (self._chains.flush(outdated), *flushes):
            joined.add(*flush)
        return GroupChanges(joined.flush(), regrouped.lists, frozenset(passing))

    # --- names --------------------------------------------------------------------------------------------------------------

    def _rename(self, regrouped: Regrouping, policies: Mapping[PolicyId, HostPolicy]) -> list[str]:
        """Give the groups their names; those that nothing is called any more."""
        left = set()
        for group in regrouped.closed:
            left.add(self._name_of.pop(group.number))
            self._own_names.pop(group.number, None)
        for group in regrouped.placed:
            left.add(self._name_of.get(group.number, ""))
            self._name_of[group.number] = self._name(group, policies)
        return sorted(left - {"", *(self._name_of[group.number] for group in regrouped.placed)})

    def _name(self, group: PolicyGroup, policies: Mapping[PolicyId, HostPolicy]) -> str:
        first = group.policies[0]
        if len(group.policies) == 1:
            return policy_chain(first, self.stage.direction, self.stage.kind)
        if group.number not in self._own_names:
            self._own_names[group.number] = self._free_name(group, policies[first].tier)
        return self._own_names[group.number]

    def _free_name(self, group: PolicyGroup, tier: str) -> str:
        """A name that no group has, nor one that this very flush deletes; if an earlier run has left one, that."""
        taken = self._groups.keys() | self._own_names.values()
        anchors = group.policies if self._kept else group.policies[:1]
        names = [group_chain(tier, anchor, self.stage.direction, self.stage.kind) for anchor in anchors]
        kept = next((name for name in names if name in self._kept and name not in taken), None)
        if kept is not None:
            return kept
        more = (f"{names[0]}-{number}" for number in count(2))
        return next(name for name in chained((names[0],), more) if name not in taken)

    # --- policies -----------------------------------------------------------------------------------------------------------

    def _place(self, group: PolicyGroup) -> Edit:
        """Give a group its policies, made if it is not there; how they differ from those that it had."""
        chain = self._name_of[group.number]
        if chain not in self._groups:
            self._groups[chain] = self._make(chain)
        before, self._policies[chain] = self._policies.get(chain, ()), group.policies
        change = edit(before, group.policies)
        self._leave(chain, before[change.start : change.end])
        self._groups[chain].place(group.policies)
        self._stirred.add(self._groups[chain])
        return change

    def _leave(self, chain: str, policies: Iterable[PolicyId]) -> None:
        for policy_id in policies:
            if self._group_of.get(policy_id) == chain:
                del self._group_of[policy_id]

    def _tell_rules(self, chain: str, change: Edit, policies: Mapping[PolicyId, HostPolicy]) -> None:
        """Tell a group the rules of the policies that came, after all groups were placed: one may have been another's."""
        for policy_id in self._policies[chain][change.start : change.stop]:
            self._group_of[policy_id] = chain
            self._set_rules(self._groups[chain], policy_id, policies)

    def _set_rules(self, group: Group, policy_id: PolicyId, policies: Mapping[PolicyId, HostPolicy]) -> None:
        policy = policies.get(policy_id)
        assert policy is not None, f"endpoints are governed by {policy_id}, which was never sent"
        rules = policy.ingress if self.stage.direction is Direction.INGRESS else policy.egress
        group.set_rules(policy_id, named_for_policy(rules, policy_id, policy.tier, self.stage.options))
        self._stirred.add(group)

    def _make(self, chain: str) -> Group:
        """Only Allow as a plain accept is worth tuples: what is judged before DNAT or untracked is few rules, and stays a list."""
        compilation = self.stage.options.compilation
        if compilation is Compilation.LINEAR or not self.stage.kind.is_filter:
            return LinearGroup(chain, self._chains)
        return RunsGroup(chain, self.stage, ALWAYS if compilation is Compilation.RUNS else AUTO)

    def _close(self, chain: str) -> Flush:
        group = self._groups.pop(chain)
        self._stirred.discard(group)
        self._leave(chain, self._policies.pop(chain))
        return group.close()
