"""Flushes over random states: each step is valid, and at each step a packet gets the old verdict or the new one."""

from random import Random

import pytest

from tortie.calc import HostState
from tortie.calc import apply as apply_host
from tortie.calc.hoststate import HostStateDelta
from tortie.net import TCP, Network
from tortie.ruleset import (
    Compiler,
    EndpointToHostAction,
    Options,
    Ruleset,
    apply,
    apply_flush,
    canonical,
    initial,
    walk,
)
from tortie.ruleset.names import MAX_COMMENT, MAX_SET_NAME
from tortie.ruleset.options import Compilation, Failsafe
from tortie.ruleset.values import Flush
from tortie.testing.hostfates import fate
from tortie.testing.hoststates import OUTER, changed_state, diff, random_packets, random_state

NOTHING = Flush((), (), ())

SETTINGS = {
    "by default": Options(compilation=Compilation.LINEAR),
    "as little as can be": Options(
        compilation=Compilation.LINEAR,
        endpoint_to_host_action=EndpointToHostAction.ACCEPT,
        failsafes_in=(),
        failsafes_out=(),
        drop_invalid=False,
        allow_ipip_from_workloads=True,
        allow_vxlan_from_workloads=True,
        may_spoof=True,
        mark_mask=0x00FF0000,
    ),
    "other ports and links": Options(
        compilation=Compilation.LINEAR,
        endpoint_to_host_action=EndpointToHostAction.RETURN,
        failsafes_in=(Failsafe(TCP, 22, Network.parse("10.0.0.0/24")), Failsafe(TCP, 443)),
        failsafes_out=(Failsafe(TCP, 80, Network.parse("fd00::/64")), Failsafe(TCP, 22)),
        vxlan_port=80,
        interface_prefixes=("tap", "cali2"),
    ),
    "in runs": Options(compilation=Compilation.RUNS, endpoint_to_host_action=EndpointToHostAction.ACCEPT),
}
DEFAULT = SETTINGS["by default"]


def compiler_of(options: Options) -> Compiler:
    compiler = Compiler(options)
    compiler.interfaces_changed(OUTER)
    return compiler


def empty(options: Options) -> Ruleset:
    return apply_flush(Ruleset(), initial(options))


def flush_of(compiler: Compiler, deltas: list[HostStateDelta]) -> Flush:
    for delta in deltas:
        compiler.update(delta)
    return compiler.flush()


def from_scratch(state: HostState, options: Options = DEFAULT) -> Ruleset:
    return apply_flush(empty(options), flush_of(compiler_of(options), diff(HostState(), state)))


def random_history(rng: Random, length: int) -> list[HostState]:
    """States one after another, most of them small changes of the one before."""
    states = [random_state(rng)]
    while len(states) < length:
        states.append(changed_state(rng, states[-1]) if rng.random() < 0.8 else random_state(rng))
    return states


@pytest.mark.parametrize("options", SETTINGS.values(), ids=SETTINGS)
def test_the_ruleset_does_what_the_state_says(options):
    verdicts = []
    for seed in range(200):
        rng = Random(seed)
        state = random_state(rng)
        ruleset = from_scratch(state, options)
        for packet in random_packets(rng, 60):
            accepted = walk(ruleset, packet).is_accepted
            assert accepted is fate(state, packet, options), f"seed {seed}: {packet}"
            verdicts.append(accepted)
    assert len(verdicts) / 5 < sum(verdicts) < len(verdicts) * 4 / 5, "the states no longer test both verdicts"


@pytest.mark.parametrize("options", SETTINGS.values(), ids=SETTINGS)
def test_every_step_gives_old_or_new_verdicts_and_the_end_is_that_of_a_fresh_start(options):
    for seed in range(60):
        rng = Random(seed)
        compiler, ruleset, old = compiler_of(options), empty(options), HostState()
        for new in random_history(rng, 4):
            some_packets = random_packets(rng, 20)
            for step in flush_of(compiler, diff(old, new)):
                ruleset = apply(ruleset, step)
                for packet in some_packets:
                    accepted = walk(ruleset, packet).is_accepted
                    either = fate(old, packet, options), fate(new, packet, options)
                    assert accepted in either, f"seed {seed}: {packet}"
            # Runs are equal in meaning: what is in which depends on the way.
            if options.compilation is Compilation.LINEAR:
                assert canonical(ruleset) == canonical(from_scratch(new, options)), f"seed {seed}"
            old = new


def test_states_that_were_never_flushed_leave_no_trace():
    for seed in range(120):
        compiler = compiler_of(DEFAULT)
        first, *later = random_history(Random(seed), 4)
        ruleset, old = apply_flush(empty(DEFAULT), flush_of(compiler, diff(HostState(), first))), first
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
        compiler = compiler_of(DEFAULT)
        before = apply_flush(empty(DEFAULT), flush_of(compiler, diff(HostState(), first)))
        there = apply_flush(before, flush_of(compiler, diff(first, second)))
        back = apply_flush(there, flush_of(compiler, diff(second, first)))
        assert canonical(back) == canonical(before), f"seed {seed}"
        assert apply_flush(back, flush_of(compiler, diff(first, HostState()))) == empty(DEFAULT), f"seed {seed}"


def test_a_flush_without_a_change_is_empty():
    for seed in range(30):
        state = random_state(Random(seed))
        compiler = compiler_of(DEFAULT)
        flush_of(compiler, diff(HostState(), state))
        assert compiler.flush() == NOTHING, f"seed {seed}"
        assert flush_of(compiler, diff(HostState(), state)) == NOTHING, f"seed {seed}"


def test_another_compiler_that_is_told_the_state_makes_the_same():
    for seed in range(60):
        old, new = random_history(Random(seed), 2)
        compiler = compiler_of(DEFAULT)
        flush_of(compiler, diff(HostState(), old))
        flush_of(compiler, diff(old, new))
        again = flush_of(compiler_of(DEFAULT), list(compiler.state()))
        assert canonical(apply_flush(empty(DEFAULT), again)) == canonical(from_scratch(new)), f"seed {seed}"


def test_names_and_comments_fit_the_kernel():
    for seed in range(30):
        for options in SETTINGS.values():
            ruleset = from_scratch(random_state(Random(seed)), options)
            assert all(len(name) <= MAX_SET_NAME for name in ruleset.sets)
            assert all(len(rule.comment.encode()) <= MAX_COMMENT for c in ruleset.chains.values() for rule in c.rules)
