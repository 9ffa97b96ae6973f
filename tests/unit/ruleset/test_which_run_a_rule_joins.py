"""Levels of slots: the incremental books agree with the definition, whatever comes and goes."""

from random import Random

import pytest

from tortie.calc.hoststate import HostRule, PolicyId
from tortie.model.policy import Action
from tortie.ruleset.runs.joins import Joins
from tortie.ruleset.runs.parts import Part
from tortie.ruleset.runs.sequence import renumber
from tortie.ruleset.runs.shapes import RANKS, RESIDUAL_RANK
from tortie.ruleset.runs.slots import NOWHERE, PolicySlots, Slot

CELLS = ((4,), (6,), (4, 6), (4, 17), (6, 6), (4, 6, 80), (4, 6, 443), (4, 17, 53), (6, 6, 80), (4, 1, 8))
MAX_RUNS = 4


def slot(order: int, action: Action, cells, rank: int) -> Slot:
    policy = PolicySlots(PolicyId("NetworkPolicy", "ns", str(order)))
    policy.label = order
    made = Slot(policy, 0, 0, Part(rule=HostRule(action=action)), tuple(cells))
    made.rank = rank
    return made


def overlap(one, other) -> bool:
    """Whether of two cells one is a part of the other."""
    length = min(len(one), len(other))
    return one[:length] == other[:length]


def levels(slots: list[Slot]) -> list[int]:
    """By definition: the least level of its rank that is not below those of all before it that it must not overtake."""
    found: list[int] = []
    for at, each in enumerate(slots):
        lowest = max(
            (
                level
                for before, level in zip(slots[:at], found, strict=True)
                if before.action is not each.action and any(overlap(a, b) for a in before.cells for b in each.cells)
            ),
            default=NOWHERE,
        )
        level = next(level for run in range(99) if (level := run * RANKS + each.rank) >= lowest)
        found.append(min(level, MAX_RUNS * RANKS - 1))
    return found


@pytest.mark.parametrize("first_seed", range(0, 400, 100))
def test_the_books_agree_with_the_definition_whatever_comes_and_goes(first_seed):
    for seed in range(first_seed, first_seed + 100):
        rng = Random(seed)
        joins, slots, known = Joins(MAX_RUNS), list[Slot](), dict[Slot, int]()
        for _ in range(25):
            for _ in range(rng.choice((1, 1, 4))):
                if slots and rng.random() < 0.4:
                    gone = slots.pop(rng.randrange(len(slots)))
                    joins.remove(gone)
                    known.pop(gone, None)
                else:
                    order = rng.choice([n for n in range(100) if n not in {s.policy.label for s in slots}])
                    cells = rng.sample(CELLS, rng.choice((1, 1, 2)))
                    new = slot(order, rng.choice(tuple(Action)), cells, rng.choice((0, 5, 9, RESIDUAL_RANK)))
                    slots.append(new)
                    joins.add(new)
            slots.sort(key=lambda each: each.policy.label)
            for changed, before in joins.flush():
                assert known.get(changed, NOWHERE) == before
                known[changed] = changed.level
            assert [each.level for each in slots] == levels(slots), f"seed {seed}"
            assert known == {each: each.level for each in slots}


def test_rules_of_one_action_are_one_run():
    joins = Joins(MAX_RUNS)
    slots = [slot(order, Action.ALLOW, [(4,)], rank) for order, rank in ((1, 9), (2, RESIDUAL_RANK), (3, 0))]
    for each in slots:
        joins.add(each)
    assert {changed.run for changed, _ in joins.flush()} == {0}


@pytest.mark.parametrize(
    ("first", "then", "runs"),
    [
        pytest.param(0, 9, [0, 0], id="a shape that is looked up before"),
        pytest.param(9, 9, [0, 0], id="the same shape"),
        pytest.param(9, 0, [0, 1], id="a shape that is looked up later"),
        pytest.param(RESIDUAL_RANK, 9, [0, 1], id="a residual"),
        pytest.param(RESIDUAL_RANK, RESIDUAL_RANK, [0, 0], id="both residual"),
    ],
)
def test_a_rule_comes_after_what_it_may_overlap_of_another_action(first, then, runs):
    joins = Joins(MAX_RUNS)
    slots = [slot(1, Action.DENY, [(4, 6)], first), slot(2, Action.ALLOW, [(4, 6, 80)], then)]
    for each in slots:
        joins.add(each)
    list(joins.flush())
    assert [each.run for each in slots] == runs


# --- the order of policies --------------------------------------------------------------------------------------------------------


def test_new_policies_are_numbered_between_their_neighbours():
    policies = [PolicySlots(PolicyId("NetworkPolicy", "ns", str(i))) for i in range(4)]
    renumber(policies[:2], 0, 2)
    before = [policy.label for policy in policies[:2]]
    order = [policies[0], policies[2], policies[3], policies[1]]
    renumber(order, 1, 3)
    labels = [policy.label for policy in order]
    assert labels == sorted(set(labels))
    assert [labels[0], labels[3]] == before


def test_where_there_is_no_gap_left_all_are_renumbered_in_their_order():
    order: list[PolicySlots] = []
    for number in range(200):
        at = min(1, len(order))
        order.insert(at, PolicySlots(PolicyId("NetworkPolicy", "ns", str(number))))
        renumber(order, at, at + 1)
        labels = [policy.label for policy in order]
        assert labels == sorted(set(labels))
        assert labels[0] > 0
