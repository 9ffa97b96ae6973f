"""Which policies of a tier share a group: the words of the definition, over random histories of lists."""

import itertools
from random import Random

import pytest

from tortie.calc.hoststate import PolicyId
from tortie.ruleset.grouping import Edit, Grouping, edit

A, B, C, D, E, F = (PolicyId("NetworkPolicy", "ns", name) for name in "abcdef")
ALL = (A, B, C, D, E, F)


def partition(grouping: Grouping, lists: dict) -> dict:
    return {key: [group.policies for group in grouping.groups((key, "t"))] for key in lists}


def expected(lists: dict) -> dict:
    """By definition: neighbours share a group if the same lists have them and they are neighbours in each of these."""
    users = {p: {key for key, policies in lists.items() if p in policies} for p in ALL}

    def joined(p: PolicyId, q: PolicyId) -> bool:
        return users[p] == users[q] and all((p, q) in itertools.pairwise(lists[key]) for key in users[p])

    found = {}
    for key, policies in lists.items():
        cuts = [at for at, (p, q) in enumerate(itertools.pairwise(policies), 1) if not joined(p, q)]
        bounds = [0, *cuts, len(policies)]
        found[key] = [policies[low:high] for low, high in itertools.pairwise(bounds) if low < high]
    return found


def regrouped(grouping: Grouping, lists: dict):
    for key, policies in lists.items():
        grouping.set_list((key, "t"), policies)
    return grouping.regroup()


def test_groups_are_those_of_the_definition_whatever_the_history():
    for seed in range(300):
        rng = Random(seed)
        grouping, lists = Grouping(), {"x": (), "y": (), "z": ()}
        for _ in range(8):
            changed = {key: random_list(rng, lists[key]) for key in lists if rng.random() < 0.6}
            lists |= changed
            before = {id(group): group.policies for key in lists for group in grouping.groups((key, "t"))}
            changes = regrouped(grouping, changed)
            assert partition(grouping, lists) == expected(lists), f"seed {seed}"
            after = {id(group): group.policies for key in lists for group in grouping.groups((key, "t"))}
            placed = {id(group) for group in changes.placed}
            assert placed == {i for i, policies in after.items() if before.get(i) != policies}, f"seed {seed}"
            assert {id(group) for group in changes.closed} == before.keys() - after.keys(), f"seed {seed}"


def random_list(rng: Random, before: tuple) -> tuple:
    """A few policies more or fewer, or others at all; often all lists end up alike."""
    if rng.random() < 0.3:
        return rng.choice(((), ALL, ALL[:3], ALL[3:]))
    kept = [p for p in before if rng.random() < 0.8]
    for policy in rng.sample(ALL, 2):
        if policy not in kept:
            kept.insert(rng.randint(0, len(kept)), policy)
    return tuple(kept)


HISTORIES = {
    "a policy is added in the middle": ({"x": (A, C)}, {"x": (A, B, C)}),
    "a policy comes before the first": ({"x": (B, C)}, {"x": (A, B, C)}),
    "the first goes": ({"x": (A, B, C)}, {"x": (B, C)}),
    "the order is turned": ({"x": (A, B, C)}, {"x": (C, B, A)}),
    "all lists get the same policy": ({"x": (A, C), "y": (A, C)}, {"x": (A, B, C), "y": (A, B, C)}),
    "another list joins": ({"x": (A, B)}, {"x": (A, B), "y": (A, B)}),
    "a list that shares it goes": ({"x": (A, B), "y": (A, B)}, {"y": ()}),
}


@pytest.mark.parametrize(("before", "after"), HISTORIES.values(), ids=HISTORIES)
def test_a_group_lives_on_while_its_members_come_and_go(before, after):
    grouping = Grouping()
    regrouped(grouping, before)
    (group,) = grouping.groups(("x", "t"))
    assert not regrouped(grouping, after).closed
    assert grouping.groups(("x", "t")) == (group,)


def test_a_policy_that_one_class_lacks_is_a_group_of_its_own():
    grouping = Grouping()
    regrouped(grouping, {"x": (A, B, C), "y": (A, C)})
    assert [group.policies for group in grouping.groups(("x", "t"))] == [(A,), (B,), (C,)]
    shared = {group.number for group in grouping.groups(("y", "t"))}
    assert shared < {group.number for group in grouping.groups(("x", "t"))}


def test_lists_that_did_not_change_are_not_touched():
    grouping = Grouping()
    regrouped(grouping, {"x": (A, B), "y": (C, D)})
    changes = regrouped(grouping, {"x": (A, B, E)})
    assert changes.lists == {("x", "t")}
    assert not regrouped(grouping, {"x": (A, B, E)}).lists


@pytest.mark.parametrize(
    ("before", "after", "expected_edit"),
    [
        ("", "", (0, 0, 0)),
        ("abc", "abc", (3, 3, 3)),
        ("ac", "abc", (1, 1, 2)),
        ("abc", "ac", (1, 2, 1)),
        ("abc", "axc", (1, 2, 2)),
        ("aa", "aaa", (2, 2, 3)),
        ("abcd", "dcba", (0, 4, 4)),
        ("", "ab", (0, 0, 2)),
    ],
)
def test_an_edit_is_the_stretch_that_differs(before, after, expected_edit):
    assert edit(tuple(before), tuple(after)) == Edit(*expected_edit)


def test_ten_thousand_policies_are_edited_at_one_place():
    many = tuple(PolicyId("NetworkPolicy", "ns", str(number)) for number in range(10_000))
    grouping = Grouping()
    regrouped(grouping, {"x": many})
    changes = regrouped(grouping, {"x": (*many[:5000], A, *many[5000:])})
    assert len(changes.placed) == 1
    assert not changes.closed
