"""Groups compiled into runs of tuple sets, in the kernel: real packets get what the first matching rule of the list says.

    raw socket ──► output hook: jump to the group, then drop ──► lo

What the hook drops, the kernel refuses to send, and says so at once. Each packet is built whole, from whatever source.
"""

from __future__ import annotations

import os
import select
from collections import Counter
from random import Random

import pytest
from isolation import isolated, run

from tortie.calc.hoststate import HostRule, IPSetId, PeerMatch, PolicyId, PortRange
from tortie.dataplane.links import Links
from tortie.dataplane.nft import NftDriver
from tortie.lab.packets import first_packet
from tortie.lab.ports import Sender
from tortie.model.policy import Action, Direction
from tortie.net import UDP, Address
from tortie.ruleset.interpreter import Packet
from tortie.ruleset.marks import has_bit
from tortie.ruleset.runs import ALWAYS, AUTO, CostModel
from tortie.ruleset.values import BaseChain, ChainReplace, Drop, Flush, Hook, Jump, LogPacket, Rule
from tortie.testing.groups import OPTIONS, GroupHost, GroupState, changed_state, elements, random_packets, random_state
from tortie.testing.hosts import program
from tortie.verdict.packet import Packet as FirstPacket

SMALL = CostModel(linear_below=3, budget=4, port_span=2, max_runs=2, block=2, node=2)


def is_sent(sender: Sender, data: bytes, destination: Address) -> bool:
    try:
        sender.send(data, destination)
    except PermissionError:
        return False
    return True


def local_everywhere() -> None:
    """All addresses are this host's, so every packet has a way."""
    with Links() as links:
        links.set_up("lo")
    for family, cidr in (("-4", "10.0.0.0/8"), ("-6", "fd00::/8")):
        run("ip", family, "route", "add", "local", cidr, "dev", "lo")


def as_bytes(packet: Packet, number: int) -> bytes:
    fields = {name: getattr(packet, name) for name in FirstPacket.__struct_fields__}
    return first_packet(FirstPacket(**fields), number)


def stage(chain: str, decisive: Action) -> ChainReplace:
    """Lets out what ends as asked: what is allowed, or what leaves the tier by Pass."""
    passed = Rule((has_bit(OPTIONS.marks.passed),), (Drop(),))
    if decisive is Action.ALLOW:
        rules: tuple[Rule, ...] = (Rule((), (Jump(chain),)), passed, Rule((), (Drop(),)))
    else:
        rules = (Rule((), (Jump(chain),)), passed)
    return ChainReplace("stage", rules, BaseChain(Hook.OUTPUT, 0))


@pytest.mark.parametrize(
    "cost", [pytest.param(c, id=n) for n, c in (("always", ALWAYS), ("auto", AUTO), ("small", SMALL))]
)
@pytest.mark.parametrize("direction", Direction)
@isolated
def test_real_packets_get_what_the_list_says(cost: CostModel, direction: Direction) -> None:
    local_everywhere()
    sender, seen = Sender(), Counter[Action | None]()
    for seed in range(12):
        rng = Random(f"{seed} {direction}")
        host = GroupHost(cost, direction)
        with NftDriver() as driver:
            driver.cleanup()
            state = random_state(rng)
            program(driver, Flush((ChainReplace(host.group.chain, ()),), (stage(host.group.chain, Action.ALLOW),), ()))
            for _ in range(4):
                program(driver, silent(host.flush(state)))
                for number, packet in enumerate(random_packets(rng, 40)):
                    fate = state.fate(packet)
                    seen[fate.action] += 1
                    sent = is_sent(sender, as_bytes(packet, number), packet.destination)
                    assert sent is (fate.action is Action.ALLOW), f"seed {seed}: {packet}: {fate}"
                state = changed_state(rng, state)
            driver.read_back()
            assert driver.plan() == ()
            run("nft", "list", "ruleset")
    assert min(seen[action] for action in (Action.ALLOW, Action.DENY, Action.PASS, None)) > 10


def silent(flush: Flush) -> Flush:
    """The same without log entries: they would go to the whole machine's log."""
    return Flush(*(tuple(map(_silent, deltas)) for deltas in flush))


def _silent(delta):
    if not isinstance(delta, ChainReplace):
        return delta
    rules = (
        Rule(r.matches, tuple(s for s in r.statements if not isinstance(s, LogPacket)), r.comment) for r in delta.rules
    )
    return ChainReplace(delta.name, tuple(rules), delta.base)


# --- packets in flight --------------------------------------------------------------------------------------------------------

MOVES = 1500
STOPPED = 3
"""So many packets may be lost by CPUs that a busy machine stops in the middle of a packet for longer than two transactions take. Both
steps in one transaction lose a dozen, the wrong order loses thousands."""
SOURCE, DESTINATION, DENIED = (Address.parse(text) for text in ("10.0.0.1", "10.0.0.2", "10.0.0.9"))
ALLOWED = IPSetId("s:allowed"), IPSetId("s:denied")


def two_orders() -> list[GroupState]:
    """The same rules in two orders, in which the packet's key stands in one run or the next; it is allowed in both."""

    def allow(port: int) -> tuple[HostRule, ...]:
        peer, ports = PeerMatch(sets=(ALLOWED[0],)), PeerMatch(ports=(PortRange(port, port),))
        return (HostRule(action=Action.ALLOW, protocol=UDP, source=peer, destination=ports),)

    deny = (HostRule(action=Action.DENY, source=PeerMatch(sets=(ALLOWED[1],))),)
    sets = {ALLOWED[0]: frozenset({SOURCE.network()}), ALLOWED[1]: frozenset({DENIED.network()})}
    before, after, mine, denies = (
        PolicyId("NetworkPolicy", "ns", name) for name in ("before", "after", "mine", "denies")
    )
    # Others keep both runs, so that the sets stay and keys move between them.
    return [
        GroupState({before: allow(81), mine: allow(80), denies: deny, after: allow(82)}, sets),
        GroupState({before: allow(81), denies: deny, mine: allow(80), after: allow(82)}, sets),
    ]


@isolated
def test_no_packet_is_lost_while_its_key_moves_between_runs() -> None:
    local_everywhere()
    host, orders = GroupHost(ALWAYS), two_orders()
    with NftDriver() as driver:
        program(driver, Flush((ChainReplace(host.group.chain, ()),), (stage(host.group.chain, Action.ALLOW),), ()))
        program(driver, host.flush(orders[0]))
        sending = SendingProcess(
            Packet(source=SOURCE, destination=DESTINATION, protocol=UDP, source_port=5000, destination_port=80)
        )
        for move in range(MOVES):
            flush = host.flush(orders[(move + 1) % 2])
            assert (elements(flush.switch), elements(flush.delete)) == (1, 1)
            program(driver, flush)
        sent, refused = sending.end()
    assert sent > MOVES
    assert refused <= STOPPED


class SendingProcess:
    """Sends one packet over and over, until it is told to end."""

    def __init__(self, packet: Packet) -> None:
        self._ending, end = os.pipe()
        self._end = end
        self._answers, answer = os.pipe()
        self._pid = os.fork()
        if not self._pid:
            os.close(end)
            try:
                os.write(answer, "{} {}".format(*self._send(as_bytes(packet, 1), packet)).encode())
            finally:
                os._exit(0)
        os.close(self._ending)
        os.close(answer)

    def _send(self, data: bytes, packet: Packet) -> tuple[int, int]:
        sender, sent, refused = Sender(), 0, 0
        while not select.select([self._ending], [], [], 0)[0]:
            for _ in range(100):
                sent += 1
                refused += not is_sent(sender, data, packet.destination)
        return sent, refused

    def end(self) -> tuple[int, int]:
        """How many packets were sent, and how many of them were refused."""
        os.close(self._end)
        with open(self._answers, encoding="ascii") as stream:
            sent, refused = stream.read().split()
        os.waitpid(self._pid, 0)
        return int(sent), int(refused)
