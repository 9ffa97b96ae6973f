"""How the policies of a tier fall into groups that classes can share.

Each class has a list of policies per tier. Two policies are in one group if exactly the same classes use them and the one
follows the other in each of their lists. So whether a policy is joined to its predecessor can be told from three numbers: how
many lists have the one, how many the other, and in how many the other follows the one; joined if all are equal. That is what
is kept, and what a change of a list touches at its edges only. A group is then a joined stretch of any list that has it.

A group lives on while its members come and go, so what was made for it stays: it goes with its first policy, and if that is
no longer first or is gone, with the first of its policies that is left.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import count, pairwise
from typing import NamedTuple, TypeAlias

from tortie.calc.hoststate import PolicyId
from tortie.ruleset.counts import count as count_item

ListKey: TypeAlias = tuple[str, str]
"""A class's name and a tier's."""


class PolicyGroup:
    """Policies that are used together, in order."""

    __slots__ = ("number", "policies")

    def __init__(self, number: int) -> None:
        self.number = number
        self.policies: tuple[PolicyId, ...] = ()


class Regrouping(NamedTuple):
    """What came of changed lists."""

    placed: tuple[PolicyGroup, ...]
    """New groups, and those of other policies than before."""
    closed: tuple[PolicyGroup, ...]
    lists: frozenset[ListKey]
    """The lists that may have other groups than before."""


class Grouping:
    """The lists of all classes, and the groups that they have in common."""

    def __init__(self) -> None:
        self._lists: dict[ListKey, _List] = {}
        self._members: dict[PolicyId, _Member] = {}
        self._numbers = count(1)
        self._edited: set[ListKey] = set()
        self._changed: set[_Member] = set()
        """Members that other lists have than before."""
        self._followers: set[_Member] = set()
        """Members that follow others than before."""

    def set_list(self, key: ListKey, policies: tuple[PolicyId, ...]) -> None:
        """The list has these policies from now on; empty: there is no such list."""
        known = self._lists.get(key) or _List()
        change = edit(known.policies, policies)
        if change == (change.start,) * 3:
            return
        self._lists[key] = known
        self._edited.add(key)
        self._replace(key, known, change, [self._member(policy) for policy in policies[change.start : change.stop]])
        known.policies = policies
        if not policies:
            del self._lists[key]

    def groups(self, key: ListKey) -> tuple[PolicyGroup, ...]:
        """The groups of a list, in order, as of the last ``regroup``."""
        return self._lists[key].groups if key in self._lists else ()

    def regroup(self) -> Regrouping:
        """Bring the groups to what the lists are now."""
        lists, released = self._judge_heads()
        closed = tuple(group for group in released if not self._inherit(group))
        placed: dict[int, PolicyGroup] = {}
        for key in sorted(lists & self._lists.keys()):
            known = self._lists[key]
            known.groups = tuple(self._placed(known, low, high, placed) for low, high in known.stretches())
        self._edited.clear()
        self._changed.clear()
        self._followers.clear()
        return Regrouping(tuple(placed[number] for number in sorted(placed)), closed, frozenset(lists))

    def _member(self, policy: PolicyId) -> _Member:
        if policy not in self._members:
            self._members[policy] = _Member(policy)
        return self._members[policy]

    def _replace(self, key: ListKey, known: _List, change: Edit, added: list[_Member]) -> None:
        """Replace a stretch of a list, and keep the books of who is in which list and follows whom."""
        members = known.members
        removed = members[change.start : change.end]
        left = members[change.start - 1] if change.start else None
        right = members[change.end] if change.end < len(members) else None
        for member in removed:
            member.lists.discard(key)
        for member in added:
            member.lists.add(key)
        _follow([left, *removed, right], -1)
        _follow([left, *added, right], +1)
        members[change.start : change.end] = added
        self._changed.update(removed, added)
        if right is not None:
            self._followers.add(right)

    def _judge_heads(self) -> tuple[set[ListKey], list[PolicyGroup]]:
        """Find anew who begins a group where that may be otherwise; the lists concerned, and groups that lost their first."""
        in_doubt = self._changed | self._followers
        in_doubt |= {follower for member in self._changed for follower in member.followers if follower is not None}
        lists, released = set(self._edited), []
        for member in in_doubt:
            is_head = bool(member.lists) and not _is_joined(member)
            if is_head is not member.is_head:
                lists |= member.lists
                member.is_head = is_head
                if member.group is not None:
                    released.append(member.group)
                    member.group = None
            if not member.lists:
                del self._members[member.policy]
        return lists, sorted(released, key=lambda group: group.number)

    def _inherit(self, group: PolicyGroup) -> bool:
        """Give a group that lost its first policy to whom the first of the others is with now; false if there is none."""
        member = next((self._members[policy] for policy in group.policies if policy in self._members), None)
        if member is None:
            return False
        while not member.is_head:
            (member,) = (other for other in member.followed if other is not None)
        if member.group is not None:
            return False
        member.group = group
        return True

    def _placed(self, known: _List, low: int, high: int, placed: dict[int, PolicyGroup]) -> PolicyGroup:
        head, policies = known.members[low], known.policies[low:high]
        if head.group is None:
            head.group = PolicyGroup(next(self._numbers))
        if head.group.policies != policies:
            head.group.policies = policies
            placed[head.group.number] = head.group
        return head.group


class _Member:
    """A policy that some list has."""

    __slots__ = ("followed", "followers", "group", "is_head", "lists", "policy")

    def __init__(self, policy: PolicyId) -> None:
        self.policy = policy
        self.lists: set[ListKey] = set()
        self.followed: dict[_Member | None, int] = {}
        """In how many lists it follows whom; None: it is first."""
        self.followers: dict[_Member | None, int] = {}
        self.is_head = False
        self.group: PolicyGroup | None = None
        """Of a head only: the group that it begins."""


class _List:
    """The policies of one class and tier."""

    __slots__ = ("groups", "members", "policies")

    def __init__(self) -> None:
        self.policies: tuple[PolicyId, ...] = ()
        self.members: list[_Member] = []
        self.groups: tuple[PolicyGroup, ...] = ()

    def stretches(self) -> Iterator[tuple[int, int]]:
        """From where to where each group goes."""
        heads = [at for at, member in enumerate(self.members) if member.is_head]
        return pairwise([*heads, len(self.members)])


def _is_joined(member: _Member) -> bool:
    """Whether all lists that have the member or its predecessor have both, one after the other."""
    if len(member.followed) != 1:
        return False
    ((other, times),) = member.followed.items()
    return other is not None and times == len(member.lists) == len(other.lists)


def _follow(members: Sequence[_Member | None], step: int) -> None:
    """Note that in one list more, or fewer, these follow each other."""
    for first, second in pairwise(members):
        if first is not None:
            count_item(first.followers, second, step)
        if second is not None:
            count_item(second.followed, first, step)


# --- comparing lists --------------------------------------------------------------------------------------------------------


class Edit(NamedTuple):
    """How one sequence becomes another: items ``start`` to ``end`` make place for those of the other from ``start`` to ``stop``."""

    start: int
    end: int
    stop: int


def edit(before: tuple[object, ...], after: tuple[object, ...]) -> Edit:
    """The one stretch in which two sequences differ, as short as can be.

    Slices are compared, and halved where they differ: ten thousand items of which one differs cost some 0.1 ms.
    """
    shorter = min(len(before), len(after))
    start = _common(shorter, lambda low, high: before[low:high] == after[low:high])
    back, forth = len(before), len(after)
    at_end = _common(
        shorter - start, lambda low, high: before[back - high : back - low] == after[forth - high : forth - low]
    )
    return Edit(start, back - at_end, forth - at_end)


def _common(length: int, same: Callable[[int, int], bool]) -> int:
    """How many of *length* items are the same, if ``same(low, high)`` compares those from *low* to before *high*."""
    low, high = 0, length
    while low < high:
        middle = (low + high + 1) // 2
        if same(low, middle):
            low = middle
        else:
            high = middle - 1
    return low
