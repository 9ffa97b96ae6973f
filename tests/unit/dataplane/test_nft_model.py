"""The driver's memory takes deltas in, and gives them on in a form that the kernel takes."""

from __future__ import annotations

from itertools import count

import pytest

from tortie.dataplane.nft.batch import Batch, Step, Unit, cut, describe, singles, units_of
from tortie.dataplane.nft.model import Contents
from tortie.net import Address, Family
from tortie.ruleset.values import (
    Accept,
    BaseChain,
    ChainDelete,
    ChainReplace,
    Drop,
    Element,
    Hook,
    MapCreate,
    MapDelta,
    Rule,
    RulesetDelta,
    SetCreate,
    SetDeclaration,
    SetDelete,
    SetDelta,
    SetType,
)

A, B, C = (Address.parse(f"10.0.0.{i}") for i in (1, 2, 3))
DECLARATION = SetDeclaration("s", Family.V4, SetType.ADDRESS)
ACCEPTING = ChainReplace("c", (Rule((), (Accept(),)),))


def members(*elements: Element) -> frozenset[Element]:
    return frozenset(elements)


def contents() -> Contents:
    made = Contents()
    for delta in (SetCreate(DECLARATION, members(A, B)), ACCEPTING, MapCreate("m", (("cali1", "c"),))):
        assert made.apply(delta) == (delta,)
    return made


@pytest.mark.parametrize(
    ("delta", "expected"),
    [
        pytest.param(SetDelta("s", members(A, C)), (SetDelta("s", members(C)),), id="present elements are not added"),
        pytest.param(
            SetDelta("s", removed=members(A, C)), (SetDelta("s", removed=members(A)),), id="nor absent removed"
        ),
        pytest.param(SetDelta("s", members(A), members(A)), (), id="adding wins over removing"),
        pytest.param(
            SetCreate(DECLARATION, members(B, C)), (SetDelta("s", members(C), members(A)),), id="a set created again"
        ),
        pytest.param(SetDelete("s"), (SetDelete("s"),), id="a set goes"),
        pytest.param(SetDelete("t"), (), id="an absent set does not"),
        pytest.param(ACCEPTING, (), id="the same chain"),
        pytest.param(ChainReplace("c", ()), (ChainReplace("c", ()),), id="other rules"),
        pytest.param(MapDelta("m", (("cali1", "c"),)), (), id="the same entry"),
        pytest.param(
            MapDelta("m", (("cali1", "d"), ("cali2", "c"))),
            (MapDelta("m", (("cali1", "d"), ("cali2", "c")), ("cali1",)),),
            id="a changed entry is removed and set",
        ),
        pytest.param(MapDelta("m", removed=("cali1", "cali9")), (MapDelta("m", (), ("cali1",)),), id="an entry goes"),
        pytest.param(MapCreate("m", ()), (MapDelta("m", (), ("cali1",)),), id="a map created again"),
    ],
)
def test_only_what_changes_is_passed_on(delta: RulesetDelta, expected: tuple[RulesetDelta, ...]):
    made = contents()

    assert made.apply(delta) == expected
    assert made.apply(delta) == (), "a delta taken in twice changes nothing"


def test_what_was_asked_for_before_a_change_stays_as_it_was():
    made = contents()
    first = made.ruleset()
    made.apply(SetDelta("s", members(C)))
    second = made.ruleset()
    made.apply(SetDelta("s", removed=members(A)))
    held = [ruleset.sets["s"].elements for ruleset in (first, second, made.ruleset())]
    assert held == [members(A, B), members(A, B, C), members(B, C)]


def test_a_base_chain_that_moves_is_deleted_and_made_anew():
    made = Contents()
    first, second = (ChainReplace("base", (), BaseChain(Hook.FORWARD, priority)) for priority in (-1, -2))
    made.apply(first)

    assert made.apply(second) == (ChainDelete("base"), second)


def units(*deltas: RulesetDelta) -> list[Unit]:
    ids = count(1)
    return [unit for delta in deltas for unit in units_of(delta, ids)]


def test_a_chain_is_replaced_in_one_unit():
    (unit,) = units(ChainReplace("c", (Rule((), (Accept(),), "np.allow|0"), Rule((), (Drop(),)))))

    assert [describe(operation, None) for operation in unit] == [
        "create chain c",
        "flush chain c",
        'add rule 0 "np.allow|0" to chain c',
        "add rule 1 to chain c",
    ]


def test_a_map_entry_is_removed_and_set_in_one_unit():
    changed, gone = units(MapDelta("m", (("cali1", "d"),), ("cali1", "cali2")))

    assert [describe(operation, None) for operation in changed] == [
        "remove cali1 from map m",
        "add cali1 : jump d to map m",
    ]
    assert [describe(operation, None) for operation in gone] == ["remove cali2 from map m"]


def test_batches_are_cut_between_units_and_within_the_limit():
    many = [Address((0x0A000000 + i).to_bytes(4, "big")) for i in range(20_000)]
    made = units(SetCreate(DECLARATION, frozenset(many)))

    batches: list[Batch] = list(cut(Step.CREATE, made, 180_000))

    assert [unit for batch in batches for unit in batch.units] == made
    assert len(batches) == 2
    assert all(batch.size_bytes <= 180_000 for batch in batches)


def test_a_unit_beyond_the_limit_is_a_batch_of_its_own():
    made = units(ACCEPTING, ACCEPTING)

    assert [batch.units for batch in cut(Step.SWITCH, made, 1)] == [(made[0],), (made[1],)]


def test_refused_elements_can_be_tried_one_by_one():
    (added,) = units(SetDelta("s", members(A, B)))
    (changed,) = units(MapDelta("m", (("cali1", "d"), ("cali2", "d")), ("cali1",)))

    assert sorted(describe(o, None) for u in singles(added) for o in u) == [f"add {a} to set s" for a in (A, B)]
    assert [[describe(o, None) for o in u] for u in singles(changed)] == [
        ["remove cali1 from map m", "add cali1 : jump d to map m"],
        ["add cali2 : jump d to map m"],
    ]
