"""Random histories of random clusters of every kind: incremental = from scratch = the slow twin, typed and raw alike."""

from random import Random

from calc_documents import random_entry
from calc_resources import HOST
from hypothesis import given, settings
from hypothesis import strategies as st
from slow_twin import JUDGED, SlowTwin

from tortie.calc import Calculation, HostState, apply
from tortie.calc.hoststate import HostStateDelta
from tortie.model.codec import InvalidResourceError
from tortie.model.kinds import ResourceKey
from tortie.model.meta import Resource
from tortie.model.updates import ResourceUpdate
from tortie.model.validation import stored_resource

seeds = st.integers(min_value=0, max_value=2**32 - 1)


def typed(key: ResourceKey, value: bytes | None) -> Resource | None:
    """What validation makes of a stored value."""
    try:
        return None if value is None else stored_resource(key, value)
    except InvalidResourceError:
        return None


class Follower:
    """A calculation in sync, fed in one of the two ways, and what its deltas add up to."""

    def __init__(self, *, is_raw: bool) -> None:
        self._calculation = Calculation(HOST)
        self._is_raw = is_raw
        self.state = HostState()

    def begin(self) -> None:
        self._calculation.in_sync()

    def take(self, key: ResourceKey, value: bytes | None) -> None:
        if self._is_raw:
            self._calculation.update_raw(key.path, value)
        else:
            self._calculation.update(ResourceUpdate(key, typed(key, value), 1))

    def flush(self) -> tuple[HostStateDelta, ...]:
        deltas = self._calculation.flush()
        self.state = apply(self.state, deltas)
        return deltas


def from_scratch(stored: dict[ResourceKey, bytes], *, is_raw: bool) -> HostState:
    follower = Follower(is_raw=is_raw)
    for key, value in sorted(stored.items(), key=lambda entry: entry[0].path):
        follower.take(key, value)
    follower.begin()
    follower.flush()
    return follower.state


def check(stored: dict[ResourceKey, bytes], followers: list[Follower]) -> None:
    expected = from_scratch(stored, is_raw=False)
    for state in (*(follower.state for follower in followers), from_scratch(stored, is_raw=True)):
        assert state == expected
        assert str(state) == str(expected)
    resources = {key: resource for key, value in stored.items() if (resource := typed(key, value)) is not None}
    slow = SlowTwin(HOST, resources).state()
    for field in JUDGED:
        assert getattr(expected, field) == getattr(slow, field), field


@given(seeds)
@settings(max_examples=60, deadline=None)
def test_any_history_ends_like_a_fresh_start_and_like_the_slow_twin(seed):
    rng = Random(seed)
    stored: dict[ResourceKey, bytes] = {}
    followers = [Follower(is_raw=False), Follower(is_raw=True)]
    once_stored: dict[ResourceKey, list[bytes]] = {}
    before_sync = rng.choice((0, 10, 40))
    for step in range(70):
        key, value = random_entry(rng)
        change = None if rng.random() < 0.25 else value
        if rng.random() < 0.1 and stored:
            key = rng.choice(sorted(stored, key=str))
            change = rng.choice((None, stored[key]))
        detours = rng.choices((None, *once_stored.get(key, ())), k=2) if rng.random() < 0.3 else []
        for follower in followers:
            for detour in (*detours, change):
                follower.take(key, detour)
        if change is not None:
            once_stored.setdefault(key, []).append(change)
        if change is None:
            stored.pop(key, None)
        else:
            stored[key] = change
        if step == before_sync:
            for follower in followers:
                follower.begin()
        if rng.random() < 0.3:
            for follower in followers:
                follower.flush()
        if step % 20 == 19 and step >= before_sync:
            for follower in followers:
                follower.flush()
            check(stored, followers)
    for key in rng.sample(sorted(stored, key=str), len(stored)):
        for follower in followers:
            follower.take(key, None)
            if rng.random() < 0.3:
                follower.flush()
    for follower in followers:
        follower.flush()
        assert follower.state == HostState()


@given(seeds)
@settings(max_examples=40, deadline=None)
def test_taking_in_everything_again_says_nothing(seed):
    rng = Random(seed)
    entries = dict(random_entry(rng) for _ in range(40))
    follower = Follower(is_raw=rng.random() < 0.5)
    follower.begin()
    for _ in range(2):
        for key, value in rng.sample(sorted(entries.items(), key=lambda entry: entry[0].path), len(entries)):
            follower.take(key, value)
        deltas = follower.flush()
    assert deltas == ()
