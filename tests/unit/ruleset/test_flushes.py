"""Flushes over random states: each step is valid, and at each step a packet gets the old verdict or the new one."""

from random import Random

import pytest
from host_states import changed_state, diff, fate, random_packets, random_state

from tortie.calc import HostState
from tortie.calc import apply as apply_host
from tortie.calc.hoststate import HostStateDelta
from tortie.ruleset import Compiler, Options, Path, Ruleset, apply, apply_flush, canonical, initial, walk
from tortie.ruleset.names import MAX_COMMENT, MAX_SET_NAME
from tortie.ruleset.values import Flush

EMPTY = apply_flush(Ruleset(), initial(Options()))
NOTHING = Flush((), (), ())


def flush_of(compiler: Compiler, deltas: list[HostStateDelta]) -> Flush:
    for delta in deltas:
        compiler.update(delta)
    return compiler.flush()


def from_scratch(state: HostState) -> Ruleset:
    return apply_flush(EMPTY, flush_of(Compiler(), diff(HostState(), state)))


def random_history(rng: Random, length: int) -> list[HostState]:
    """States one after another, most of them small changes of the one before."""
    states = [random_state(rng)]
    while len(states) < length:
        states.append(changed_state(rng, states[-1]) if rng.random() < 0.8 else random_state(rng))
    return states


@pytest.mark.parametrize("first_seed", range(0, 600, 150))
def test_the_ruleset_does_what_the_state_says(first_seed):
    for seed in range(first_seed, first_seed + 150):
        rng = Random(seed)
        state = random_state(rng)
        ruleset = from_scratch(state)
        for packet in random_packets(rng, 40):
            accepted = walk(ruleset, packet, Path.FORWARD).is_accepted
            assert accepted is fate(state, packet), f"seed {seed}: {packet}"


@pytest.mark.parametrize("first_seed", range(0, 240, 60))
def test_every_step_gives_old_or_new_verdicts_and_the_end_is_that_of_a_fresh_start(first_seed):
    for seed in range(first_seed, first_seed + 60):
        rng = Random(seed)
        compiler, ruleset, old = Compiler(), EMPTY, HostState()
        for new in random_history(rng, 4):
            some_packets = random_packets(rng, 15)
            for step in flush_of(compiler, diff(old, new)):
                ruleset = apply(ruleset, step)
                for packet in some_packets:
                    accepted = walk(ruleset, packet, Path.FORWARD).is_accepted
                    assert accepted in (fate(old, packet), fate(new, packet)), f"seed {seed}: {packet}"
            assert canonical(ruleset) == canonical(from_scratch(new)), f"seed {seed}"
            old = new


def test_states_that_were_never_flushed_leave_no_trace():
    for seed in range(120):
        compiler = Compiler()
        first, *later = random_history(Random(seed), 4)
        ruleset, old = apply_flush(EMPTY, flush_of(compiler, diff(HostState(), first))), first
        deltas: list[HostStateDelta] = []
        for new in later:
            deltas += diff(old, new)
            old = new
        assert apply_host(first, deltas) == old, f"seed {seed}"
        ruleset = apply_flush(ruleset, flush_of(compiler, deltas))
        assert canonical(ruleset) == canonical(from_scratch(old)), f"seed {seed}"


def test_going_back_restores_the_ruleset():
    for seed in range(60):
        first, second = random_history(Random(seed), 2)
        compiler = Compiler()
        before = apply_flush(EMPTY, flush_of(compiler, diff(HostState(), first)))
        there = apply_flush(before, flush_of(compiler, diff(first, second)))
        back = apply_flush(there, flush_of(compiler, diff(second, first)))
        assert canonical(back) == canonical(before), f"seed {seed}"
        assert apply_flush(back, flush_of(compiler, diff(first, HostState()))) == EMPTY, f"seed {seed}"


def test_a_flush_without_a_change_is_empty():
    for seed in range(30):
        state = random_state(Random(seed))
        compiler = Compiler()
        flush_of(compiler, diff(HostState(), state))
        assert compiler.flush() == NOTHING, f"seed {seed}"
        assert flush_of(compiler, diff(HostState(), state)) == NOTHING, f"seed {seed}"


def test_names_and_comments_fit_the_kernel():
    for seed in range(30):
        ruleset = from_scratch(random_state(Random(seed)))
        assert all(len(name) <= MAX_SET_NAME for name in ruleset.sets)
        assert all(len(rule.comment.encode()) <= MAX_COMMENT for c in ruleset.chains.values() for rule in c.rules)
