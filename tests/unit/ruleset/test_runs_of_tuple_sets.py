"""A group compiled into runs of tuple sets decides what the first matching rule of its list says, at every step of every change."""

from random import Random

import pytest

from tortie.model.policy import Direction
from tortie.ruleset.ruleset import Ruleset, apply
from tortie.ruleset.runs import ALWAYS, AUTO, CostModel
from tortie.ruleset.values import ChainDelete, Flush
from tortie.testing.groups import GroupHost, GroupState, changed_state, fate, random_packets, random_state

SMALL = CostModel(linear_below=3, budget=4, port_span=2, max_runs=2, block=2, node=2)
"""Bounds so small that random lists go beyond them."""
COSTS = [pytest.param(cost, id=name) for name, cost in (("always", ALWAYS), ("auto", AUTO), ("small", SMALL))]


@pytest.mark.parametrize("direction", Direction)
@pytest.mark.parametrize("cost", COSTS)
def test_a_packet_gets_what_the_first_rule_that_matches_says(cost, direction):
    for seed in range(150):
        rng = Random(seed)
        state = random_state(rng)
        host = GroupHost(cost, direction)
        host.flush(state)
        for packet in random_packets(rng, 60):
            assert host.fate(packet) == state.fate(packet), f"seed {seed}: {packet}"


@pytest.mark.parametrize("direction", Direction)
@pytest.mark.parametrize("cost", COSTS)
def test_a_packet_has_its_old_verdict_until_the_switch_its_new_one_in_the_end_and_between_one_of_the_two(
    cost, direction
):
    for seed in range(80):
        rng = Random(seed)
        host, old = GroupHost(cost, direction), GroupState({}, {})
        for new in history(rng, 6):
            packets = random_packets(rng, 12)
            host.change(new)
            ruleset = host.ruleset
            for step, deltas in zip(Flush._fields, host.steps(), strict=True):
                ruleset = apply(ruleset, deltas)
                allowed = {"create": (old,), "switch": (old, new), "delete": (new,)}[step]
                for packet in packets:
                    fates = [state.fate(packet) for state in allowed]
                    assert fate(ruleset, packet) in fates, f"seed {seed}, after {step}: {packet}"
            host.ruleset, old = ruleset, new


def history(rng: Random, length: int) -> list[GroupState]:
    states = [random_state(rng)]
    while len(states) < length:
        states.append(changed_state(rng, states[-1]) if rng.random() < 0.85 else random_state(rng))
    return states


@pytest.mark.parametrize("cost", COSTS[:2])
def test_the_way_to_a_list_leaves_no_trace(cost):
    for seed in range(100):
        rng = Random(seed)
        host = GroupHost(cost)
        for new in history(rng, 5):
            host.change(new)
            if rng.random() < 0.7:
                host.flush()
        host.flush()
        fresh = GroupHost(cost)
        fresh.flush(new)
        assert host.ruleset == fresh.ruleset, f"seed {seed}"


def test_a_flush_without_a_change_is_empty():
    for seed in range(30):
        host = GroupHost()
        host.flush(random_state(Random(seed)))
        assert host.flush() == Flush((), (), ())


def test_a_group_that_is_closed_leaves_nothing():
    for seed in range(60):
        rng = Random(seed)
        host = GroupHost(rng.choice((ALWAYS, AUTO, SMALL)))
        for new in history(rng, 3):
            host.flush(new)
        without = apply(host.ruleset, [ChainDelete("stage")])
        for step in host.close():
            without = apply(without, step)
        assert without == Ruleset()
        assert not any(host.sets.listeners(set_id) for set_id in new.sets)
