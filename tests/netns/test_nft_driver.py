"""The driver against a kernel, each test in a network namespace of its own; ``nft`` is the independent reader and the intruder."""

from __future__ import annotations

import errno
import json
import select
from collections.abc import Callable
from random import Random

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from isolation import isolated, run

from tortie.dataplane.driver import KernelRefusedError
from tortie.dataplane.netlink.message import HEADER_SIZE
from tortie.dataplane.nft import Contents, NewerTableError, NftDriver
from tortie.dataplane.nft.batch import BATCH_BYTES, Kind, Step, Subject
from tortie.net import TCP, Address, Family, Network, Protocol
from tortie.ruleset.ruleset import Ruleset, apply_flush
from tortie.ruleset.values import (
    Accept,
    AddressPortElement,
    BaseChain,
    ChainDelete,
    ChainReplace,
    CtState,
    CtStateMatch,
    Dispatch,
    Drop,
    Flush,
    Hook,
    Interface,
    InterfaceMatch,
    Jump,
    MapCreate,
    MapDelta,
    PortsMatch,
    ProtocolMatch,
    Range,
    Reject,
    Rule,
    SetCreate,
    SetDeclaration,
    SetDelete,
    SetDelta,
    SetMatch,
    SetType,
    Side,
)
from tortie.testing.hosts import as_in_kernel, program
from tortie.testing.rulesets import creations

A, B = Address.parse("10.0.0.1"), Address.parse("10.0.0.2")
MEMBERS = SetDeclaration("members", Family.V4, SetType.ADDRESS)
NETS = SetDeclaration("nets", Family.V4, SetType.NETWORK)
TUPLES = SetDeclaration("tuples", Family.V6, SetType.ADDRESS_PORT)
FORWARD = BaseChain(Hook.FORWARD, -2)
ALLOW = Rule((SetMatch(Side.SOURCE, Family.V4, "members"),), (Accept(),), "np.allow|0")
WEB = Rule((ProtocolMatch(TCP), PortsMatch(Side.DESTINATION, (Range(80, 80), Range(8000, 8080)))), (Accept(),))
DENY = Rule((), (Drop(),), "end of tier")
STAGE = (
    Rule((CtStateMatch(frozenset({CtState.ESTABLISHED, CtState.RELATED})),), (Accept(),)),
    Rule((), (Dispatch(Interface.OUT, "wl-to"),)),
    Rule((InterfaceMatch(Interface.OUT, "cali", prefix=True),), (Drop(),), "unknown workload interface"),
)
HOST = Flush(
    create=(
        SetCreate(MEMBERS, frozenset({A})),
        SetCreate(NETS, frozenset({Network.parse("10.0.0.0/8"), Network.parse("192.168.0.0/16")})),
        SetCreate(TUPLES, frozenset({AddressPortElement(Address.parse("fd00::1"), TCP, 80)})),
        ChainReplace("group", (ALLOW, WEB)),
        ChainReplace("class", (Rule((), (Jump("group"),)), DENY)),
        MapCreate("wl-to", (("cali1", "class"),)),
    ),
    switch=(ChainReplace("stage", STAGE, FORWARD),),
    delete=(),
)
"""An endpoint cali1, which members may reach."""


bounded = settings(
    max_examples=25,
    deadline=None,
    database=None,
    phases=[Phase.generate],  # a test in a kernel of its own has half a minute, too little to shrink what fails
    suppress_health_check=list(HealthCheck),
)


def flush(*switch, create=(), delete=()) -> Flush:
    return Flush(tuple(create), tuple(switch), tuple(delete))


def persist(driver: NftDriver) -> list[str]:
    """Plan and apply until nothing is left to do, as the agent does; what was refused on the way."""
    refused: list[str] = []
    for _ in range(10):
        try:
            if not program(driver):
                return refused
        except KernelRefusedError as error:
            refused.append(str(error))
    pytest.fail(f"still at it: {refused}")


def wanted(*flushes: Flush) -> Ruleset:
    """What a reader of the kernel should find."""
    ruleset = Ruleset()
    for each in flushes:
        ruleset = apply_flush(ruleset, each)
    return as_in_kernel(ruleset)


def in_kernel() -> Ruleset:
    with NftDriver() as reader:
        actual = reader.read_back()
        assert actual.contents.unrecognised() == ()
        assert actual.exists
        assert actual.is_current
        assert actual.is_active
        return actual.contents.ruleset()


def programmed() -> NftDriver:
    driver = NftDriver()
    program(driver, HOST)
    return driver


# --- what is programmed is there --------------------------------------------------------------------------------------------


@isolated
def test_what_is_programmed_is_read_back_equal_and_leaves_nothing_to_do():
    driver = NftDriver()
    batches = program(driver, HOST)

    assert [batch.step for batch in batches] == [Step.CREATE, Step.SWITCH]
    assert in_kernel() == wanted(HOST)
    assert driver.plan() == ()
    driver.read_back()
    assert driver.plan() == ()


@isolated
def test_a_driver_with_an_empty_memory_adopts_what_is_there():
    programmed().close()

    restarted = NftDriver()
    restarted.stage(HOST)

    assert restarted.plan() == ()


@isolated
def test_a_driver_that_has_been_told_nothing_leaves_what_is_there_in_force():
    programmed().close()

    restarted = NftDriver()
    restarted.read_back()

    assert restarted.plan() == ()
    assert in_kernel() == wanted(HOST)


@isolated
def test_after_a_restart_only_what_differs_is_written():
    programmed().close()
    grown = flush(create=[SetDelta("members", frozenset({B}))])

    restarted = NftDriver()
    batches = program(restarted, HOST, grown)

    assert [o.what for batch in batches for o in batch.operations] == ["add"]
    assert in_kernel() == wanted(HOST, grown)


@isolated
def test_a_base_chain_that_goes_is_gone_with_the_switch():
    """Where it stood the kernel takes no reject, which a chain that it led to now has."""
    shared, postrouting = "go-shared", BaseChain(Hook.POSTROUTING, 0)
    jump = Rule((), (Jump(shared),))
    filters = ChainReplace("filter", (jump,), FORWARD)
    before = flush(filters, ChainReplace("after-nat", (jump,), postrouting), create=[ChainReplace(shared, (DENY,))])
    after = flush(filters, create=[ChainReplace(shared, (Rule((), (Reject(),)),))])
    with NftDriver() as driver:
        program(driver, before)
    with NftDriver() as restarted:
        batches = program(restarted, after)
    assert [batch.step for batch in batches] == [Step.SWITCH]
    assert in_kernel() == wanted(after)


@isolated
def test_a_ruleset_that_shrinks_to_nothing_leaves_an_empty_table():
    driver = programmed()
    gone = flush(
        delete=[
            ChainDelete("stage"),
            *(SetDelete(name) for name in ("nets", "tuples")),
            MapDelta("wl-to", (), ("cali1",)),
        ]
    )
    program(driver, gone)
    restarted = NftDriver()
    restarted.stage(Flush((), (), ()))
    persist(restarted)

    assert in_kernel() == Ruleset()


@bounded
@given(creations())
def read_back_equals(made: Flush) -> None:
    with NftDriver() as driver:
        program(driver, made)
        assert in_kernel() == wanted(made)
        driver.read_back()
        assert driver.plan() == ()
        run("nft", "list", "ruleset")
        driver.cleanup()


@isolated
def test_any_ruleset_is_read_back_equal_and_nft_can_list_it():
    read_back_equals()


@isolated
def test_from_any_ruleset_to_any_other_a_restart_finds_its_way():
    @bounded
    @given(creations(), creations())
    def converge(before: Flush, after: Flush) -> None:
        with NftDriver() as first:
            program(first, before)
        with NftDriver() as second:
            second.stage(after)
            assert persist(second) == []
            assert in_kernel() == wanted(after)
            assert second.plan() == ()
            second.cleanup()

    converge()


# --- incremental changes ----------------------------------------------------------------------------------------------------


@isolated
def test_a_member_that_comes_is_one_message_of_about_a_hundred_bytes():
    driver = programmed()
    change = flush(create=[SetDelta("members", frozenset({B}))])
    (batch,) = program(driver, change)

    (operation,) = batch.operations
    assert HEADER_SIZE + len(operation.message.payload) <= 100
    assert in_kernel() == wanted(HOST, change)


@isolated
def test_a_map_entry_that_changes_goes_and_comes_in_one_batch():
    driver = programmed()
    change = flush(MapDelta("wl-to", (("cali1", "other"),)), create=[ChainReplace("other", (DENY,))])
    created, switched = program(driver, change)

    assert [created.step, switched.step] == [Step.CREATE, Step.SWITCH]
    assert [operation.what for operation in switched.operations] == ["remove", "add"]
    assert in_kernel() == wanted(HOST, change)


@isolated
def test_networks_may_be_replaced_by_ones_that_overlap_them():
    driver = programmed()
    coming = frozenset({Network.parse("10.0.0.0/9"), Network.parse("255.255.255.255/32")})
    change = flush(SetDelta("nets", coming, frozenset({Network.parse("10.0.0.0/8")})))
    assert len(program(driver, change)) == 1

    assert in_kernel() == wanted(HOST, change)


@isolated
def test_a_change_takes_what_earlier_ones_left():
    driver = programmed()
    rng = Random(1)
    everything = [Address((0x0A000000 + i).to_bytes(4, "big")) for i in range(40)]
    members = {A}
    for _ in range(60):
        chosen = set(rng.sample(everything, 5))
        coming, going = (
            frozenset(chosen - members),
            frozenset(rng.sample(sorted(members - chosen), len(members - chosen) // 2)),
        )
        members = members - going | coming
        driver.stage(flush(create=[SetDelta("members", coming)], delete=[SetDelta("members", removed=going)]))
        if rng.random() < 0.5:
            program(driver)
    program(driver)

    assert in_kernel().sets["members"].elements == members


@isolated
def test_a_big_set_is_sent_in_batches_that_need_no_privilege():
    addresses = [Address((0x0A000000 + i).to_bytes(4, "big")) for i in range(25_000)]
    elements = frozenset(AddressPortElement(address, Protocol(p), 80) for address in addresses for p in (6, 17))
    big = SetCreate(SetDeclaration("big", Family.V4, SetType.ADDRESS_PORT), elements)
    driver = NftDriver()
    batches = program(driver, flush(create=[big]))

    assert len(batches) > 5
    assert all(batch.size_bytes <= BATCH_BYTES for batch in batches)
    assert in_kernel().sets["big"].elements == elements


# --- somebody else ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "command",
    [
        pytest.param("flush ruleset", id="everything flushed"),
        pytest.param("delete table inet tortie", id="table deleted"),
        pytest.param("flush chain inet tortie group", id="chain flushed"),
        pytest.param("insert rule inet tortie group accept", id="rule added"),
        pytest.param("add rule inet tortie group counter accept", id="rule that we cannot write"),
        pytest.param("add chain inet tortie mine", id="chain added"),
        pytest.param("add chain inet tortie stage '{ policy drop; }'", id="policy changed"),
        pytest.param("add chain inet tortie nat '{ type nat hook prerouting priority -100; }'", id="nat chain added"),
        pytest.param("add element inet tortie members '{ 10.9.9.9 }'", id="element added"),
        pytest.param("delete element inet tortie members '{ 10.0.0.1 }'", id="element deleted"),
        pytest.param("add element inet tortie nets '{ 172.16.0.1-172.16.0.3 }'", id="range that is no network"),
        pytest.param("add element inet tortie wl-to '{ \"cali2\" : accept }'", id="map entry that we cannot write"),
        pytest.param("delete element inet tortie wl-to '{ \"cali1\" }'", id="map entry deleted"),
        pytest.param("add set inet tortie mine '{ type mark; }'", id="set added"),
        pytest.param(
            "flush chain inet tortie group; delete set inet tortie members; "
            "add set inet tortie members '{ type ipv4_addr; timeout 1h; }'",
            id="set replaced by one of another kind",
        ),
        pytest.param("add table inet tortie '{ flags dormant; }'", id="table switched off"),
    ],
)
def test_what_others_change_is_noticed_and_put_right(command: str):
    @isolated
    def body() -> None:
        driver = programmed()
        with driver.watch() as watch:
            run("nft", command.replace("'", ""))
            assert select.select([watch], [], [], 5)[0]
            assert watch.changed_by_others()
        driver.read_back()
        assert driver.plan() != ()
        assert persist(driver) == []

        assert in_kernel() == wanted(HOST)

    body()


@isolated
def test_our_own_changes_and_other_tables_are_not_taken_for_somebody_elses():
    driver = programmed()
    with driver.watch() as watch:
        program(driver, flush(create=[SetDelta("members", frozenset({B}))]))
        assert not select.select([watch], [], [], 0)[0]
        run("nft", "add table inet other; add chain inet other tortie")
        assert not watch.changed_by_others()


@isolated
def test_a_table_of_a_later_version_is_left_alone():
    run("nft", 'add table inet tortie { comment "Tortie, layout version 99"; }; add chain inet tortie future')
    driver = NftDriver()
    driver.stage(HOST)

    with pytest.raises(NewerTableError, match="version 99"):
        driver.plan()
    assert "future" in run("nft", "list", "ruleset")


@pytest.mark.parametrize("comment", ["", 'comment "somebody else";', 'comment "Tortie, layout version 0";'])
def test_a_table_of_an_earlier_version_or_of_somebody_else_is_made_anew(comment: str):
    @isolated
    def body() -> None:
        run("nft", f"add table inet tortie {{ {comment} }}; add chain inet tortie group; add chain inet tortie mine")
        driver = NftDriver()
        batches = program(driver, HOST)

        assert len(batches) == 1, "no packet meets half of it"
        assert in_kernel() == wanted(HOST)

    body()


@isolated
def test_cleanup_deletes_our_table_and_no_other():
    run("nft", "add table inet other; add table ip tortie")
    driver = programmed()
    driver.cleanup()
    driver.cleanup()

    tables = [entry["table"] for entry in json.loads(run("nft", "-j", "list", "tables"))["nftables"][1:]]
    assert sorted((table["family"], table["name"]) for table in tables) == [("inet", "other"), ("ip", "tortie")]


# --- faults -----------------------------------------------------------------------------------------------------------------


@isolated
def test_a_refused_batch_is_named_and_changes_nothing():
    driver = programmed()
    before = run("nft", "list", "ruleset")
    driver.stage(
        flush(
            ChainReplace("group", (DENY,)),
            ChainReplace("class", (DENY, Rule((), (Jump("nowhere"),), "np.broken|1"))),
        )
    )
    (batch,) = driver.plan()

    with pytest.raises(KernelRefusedError, match=r'add rule 1 "np.broken\|1" to chain class: No such file'):
        driver.apply(batch)
    assert run("nft", "list", "ruleset") == before


@isolated
def test_one_refused_chain_does_not_stop_its_neighbours_and_drops_instead():
    driver = programmed()
    broken = ChainReplace("broken", (Rule((), (Jump("nowhere"),), "np.broken|0"), Rule((), (Accept(),))))
    driver.stage(
        flush(
            ChainReplace("group", (DENY,)),
            MapDelta("wl-to", (("cali2", "broken"), ("cali3", "class"))),
            create=[broken],
        )
    )
    refused = persist(driver)

    found = in_kernel()
    assert len(refused) == 2, "once in a batch, once by itself"
    assert found.chains["broken"].rules == (Rule((), (Drop(),), "refused by the kernel"),)
    assert found.chains["group"].rules == (DENY,)
    assert found.maps["wl-to"] == {"cali1": "class", "cali2": "broken", "cali3": "class"}
    assert list(driver.refused) == ["chain broken"]

    mended = flush(ChainReplace("broken", (DENY,)))
    assert program(driver, mended)
    assert driver.refused == {}
    assert in_kernel().chains["broken"].rules == (DENY,)


@isolated
def test_one_refused_element_does_not_stop_the_others():
    driver = programmed()
    overlapping = frozenset(Network.parse(text) for text in ("172.16.0.0/12", "10.1.0.0/16", "172.32.0.0/16"))
    driver.stage(flush(create=[SetDelta("nets", overlapping)]))
    refused = persist(driver)

    assert any("add 10.1.0.0/16 to set nets" in text for text in refused)
    elements = {str(network) for network in in_kernel().sets["nets"].elements}
    assert elements == {"10.0.0.0/8", "192.168.0.0/16", "172.16.0.0/12", "172.32.0.0/16"}


@isolated
def test_an_endpoint_whose_chains_nest_too_deep_is_not_dispatched_and_its_neighbours_are():
    driver = programmed()
    deep = [ChainReplace(f"deep{i}", (Rule((), (Jump(f"deep{i + 1}"),)),)) for i in range(20)]
    driver.stage(
        flush(
            MapDelta("wl-to", (("cali2", "deep0"), ("cali3", "class"))),
            create=[ChainReplace("deep20", ()), *reversed(deep)],
        )
    )
    refused = persist(driver)

    assert "add cali2 : jump deep0 to map wl-to: Too many links" in refused[-1]
    assert in_kernel().maps["wl-to"] == {"cali1": "class", "cali3": "class"}


@isolated
def test_what_was_refused_is_tried_again_on_resync():
    driver = programmed()
    broken = ChainReplace("broken", (ALLOW, Rule((), (Jump("later"),))))
    driver.stage(flush(create=[broken]))
    persist(driver)
    run("nft", "add", "chain", "inet", "tortie", "later")
    driver.stage(flush(create=[ChainReplace("later", (DENY,))]))
    persist(driver)
    driver.read_back()

    assert persist(driver) == []
    assert in_kernel() == wanted(HOST, flush(create=[ChainReplace("later", (DENY,)), broken]))
    assert driver.refused == {}


@isolated
def test_a_refused_base_chain_is_not_passed_over():
    driver = programmed()
    driver.stage(
        flush(ChainReplace("other", (Rule((), (Dispatch(Interface.IN, "nowhere"),)),), BaseChain(Hook.INPUT, 0)))
    )

    for _ in range(4):
        with pytest.raises(KernelRefusedError, match="chain other"):
            program(driver)
    assert in_kernel() == wanted(HOST)


@pytest.mark.parametrize("nth", range(3))
def test_a_batch_lost_on_its_way_is_made_up_for(nth: int):
    @isolated
    def body() -> None:
        driver = NftDriver()
        fail_once(driver, nth)
        driver.stage(HOST)
        driver.stage(flush(create=[SetDelta("members", frozenset({B}))]))
        refused = persist(driver)

        assert len(refused) == (1 if nth < 2 else 0)
        assert in_kernel() == wanted(HOST, flush(create=[SetDelta("members", frozenset({B}))]))

    body()


def fail_once(driver: NftDriver, nth: int) -> None:
    """Let the *nth* send of *driver*'s socket fail as if the machine were out of memory."""
    socket = driver._socket
    send: Callable = socket.send_batch
    sent = iter(range(1000))

    def failing(messages):
        if next(sent) == nth:
            raise OSError(errno.ENOMEM, "Cannot allocate memory")
        return send(messages)

    socket.send_batch = failing


@isolated
def test_the_table_deleted_between_plan_and_apply_is_made_anew():
    driver = programmed()
    driver.stage(flush(create=[SetDelta("members", frozenset({B}))]))
    (batch,) = driver.plan()
    run("nft", "delete", "table", "inet", "tortie")

    with pytest.raises(KernelRefusedError, match="No such file"):
        driver.apply(batch)
    assert persist(driver) == []
    assert in_kernel() == wanted(HOST, flush(create=[SetDelta("members", frozenset({B}))]))


def test_the_memory_of_what_is_desired_is_independent_of_the_deltas():
    made = Contents()
    members = frozenset({A})
    made.apply(SetCreate(MEMBERS, members))
    made.apply(SetDelta("members", frozenset({B})))

    assert members == {A}
    assert str(Subject(Kind.SET, "members")) == "set members"
