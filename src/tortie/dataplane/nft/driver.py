"""Programs the neutral ruleset into nf_tables: the driver of ``tortie.dataplane.driver`` for our ``inet`` table.

The driver remembers what is desired and what of it has not been sent yet; of what the kernel holds it keeps nothing, for
that is the one less the other. Only after ``read_back`` (at start, on resync, when a batch was refused) are the two compared
as a whole; from then on a change costs what it changes.

A refused batch has changed nothing. Somebody may have changed the table meanwhile, so the next plan is made from a fresh
listing. If that is refused too, one of our objects is to blame, and the batch is tried object by object: all others get
in. A chain that the kernel will not have becomes one that drops, so that whoever is dispatched to it is closed, not open;
a base chain is the exception, for closing one would cut off the whole host: there the driver goes on refusing to be done.
"""

from __future__ import annotations

import errno
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from itertools import count
from types import TracebackType
from typing import Self

from tortie.dataplane.driver import KernelRefusedError
from tortie.dataplane.netlink.message import NLM_F_ACK
from tortie.dataplane.netlink.socket import NETLINK_NETFILTER, DumpInterruptedError, NetlinkError, NetlinkSocket
from tortie.dataplane.nft import messages
from tortie.dataplane.nft.batch import BATCH_BYTES, Batch, Kind, Step, Subject, Unit, cut, describe, singles, units_of
from tortie.dataplane.nft.difference import Steps, difference, drop_table
from tortie.dataplane.nft.listing import Actual, read_table
from tortie.dataplane.nft.model import Contents
from tortie.dataplane.nft.watch import TableWatch
from tortie.ruleset.ruleset import Ruleset
from tortie.ruleset.values import ChainReplace, Drop, Flush, Rule, RulesetDelta

REFUSED_COMMENT = "refused by the kernel"
"""Of the rule that stands in for a chain that the kernel will not have."""


def open_socket() -> NetlinkSocket:
    """A socket in the calling thread's network namespace."""
    return NetlinkSocket(NETLINK_NETFILTER)


class NftDriver:
    """Owns table ``inet tortie`` of the network namespace in which it is made."""

    def __init__(self, socket_factory: Callable[[], NetlinkSocket] = open_socket) -> None:
        self._socket = socket_factory()
        self._set_ids = count(1)
        self._desired = Contents()
        self._actual: Actual | None = None
        self._told = False
        self._in_doubt = True
        self._isolating = False
        self._staged: list[Flush] = []
        self._queue: deque[Batch] = deque()
        self._refused: dict[Subject, str] = {}

    @property
    def refused(self) -> dict[str, str]:
        """The objects that are not in force as desired, with the kernel's reasons."""
        return {str(subject): reason for subject, reason in self._refused.items()}

    def desired(self) -> Ruleset:
        """What is wanted, all of it: a copy, which costs what it holds."""
        return self._desired.ruleset()

    def forget(self) -> None:
        """Forget what is wanted: what is staged from now on is all that is. The kernel is listed before the next plan."""
        self._desired = Contents()
        self._refused.clear()
        self._distrust()

    def stage(self, delta: Flush) -> None:
        """Record what is wanted; no I/O. Until the first time nothing is known to be unwanted either."""
        self._told = True
        changes = Flush(*(self._change(deltas) for deltas in delta))
        if not self._in_doubt and self._actual is None:
            self._staged.append(changes)

    def _change(self, deltas: Iterable[RulesetDelta]) -> tuple[RulesetDelta, ...]:
        return tuple(change for delta in deltas for change in self._desired.apply(delta))

    def plan(self) -> tuple[Batch, ...]:
        """The batches that bring the kernel to what is wanted, in order; empty if there is nothing to do.

        Lists the kernel first if it is not known what is there: at start and after a refusal. Nothing is planned before
        anything is staged: a driver that has been told nothing must not delete what an earlier run has left in force.
        """
        if not self._told:
            return ()
        if self._in_doubt:
            self.read_back()
        if self._actual is not None:
            self._enqueue([difference(self._desired, self._actual, self._set_ids)])
            self._actual = None
            self._isolating = self._isolating and bool(self._queue)
        self._enqueue([Steps(*(self._units(deltas) for deltas in flush)) for flush in self._staged])
        self._staged.clear()
        return tuple(self._queue)

    def _units(self, deltas: Iterable[RulesetDelta]) -> list[Unit]:
        return [unit for delta in deltas for unit in units_of(delta, self._set_ids)]

    def _enqueue(self, flushes: Sequence[Steps]) -> None:
        """Cut the steps into batches. A switch stays whole if the socket can take it at all."""
        bound = self._socket.send_limit
        for steps in flushes:
            for step, units in zip(Step, steps, strict=True):
                limit = bound if step is Step.SWITCH else min(BATCH_BYTES, bound)
                self._queue.extend(cut(step, units, limit))

    def apply(self, batch: Batch) -> None:
        """Send the next batch of the plan. KernelRefusedError leaves the rest of the plan to be made again.

        That is done until a plan is empty, but not at once for ever: while the kernel refuses a base chain none is.
        """
        if not self._queue or self._queue[0] is not batch:
            raise ValueError("the batches of a plan are applied in order, each once")
        failure = self._send(batch.units)
        if failure and (not self._isolating or failure.errno == errno.EPERM):
            self._isolating = True
            self._distrust()
            raise refusal(batch.units, failure)
        self._queue.popleft()
        if not self._queue:
            self._isolating = False
        if failure:
            self._isolate(batch)
        elif self._refused:
            for unit in batch.units:
                self._refused.pop(unit[0].subject, None)

    def _distrust(self) -> None:
        """Forget the plan: the next one begins with a listing."""
        self._in_doubt = True
        self._actual = None
        self._queue.clear()
        self._staged.clear()

    def _send(self, units: Sequence[Unit]) -> NetlinkError | None:
        """Commit the units, all or none; the first refusal."""
        batch = [messages.batch_begin(), *(operation.message for unit in units for operation in unit)]
        batch[-1] = batch[-1]._replace(flags=batch[-1].flags | NLM_F_ACK)
        try:
            failures = self._socket.send_batch([*batch, messages.batch_end()])
        except OSError as error:
            return NetlinkError(error.errno or errno.EIO, 0, "not sent")
        return failures[0] if failures else None

    # --- object by object ---------------------------------------------------------------------------------------------------

    def _isolate(self, batch: Batch) -> None:
        """Send each unit alone; what is refused then is to blame. KernelRefusedError tells the first of it."""
        errors: list[KernelRefusedError] = []
        for unit in batch.units:
            self._refused.pop(unit[0].subject, None)
            for part in singles(unit) if self._send([unit]) else ():
                if failure := self._send([part]):
                    errors.append(refusal([part], failure))
                    self._stand_in(part[-1].subject, str(errors[-1]))
        if self._table_is_gone():
            self._distrust()
        if errors:
            raise errors[0]

    def _stand_in(self, subject: Subject, reason: str) -> None:
        """Close what depends on a refused chain; a base chain or the table cannot be closed, so nothing is done before they are."""
        self._refused[subject] = reason
        if subject.kind is Kind.TABLE or (subject.kind is Kind.CHAIN and self._is_base(subject.name)):
            self._distrust()
        elif subject.kind is Kind.CHAIN and subject.name in self._desired.chains:
            closed = ChainReplace(subject.name, (Rule((), (Drop(),), REFUSED_COMMENT),))
            self._send(self._units([closed]))

    def _is_base(self, name: str) -> bool:
        chain = self._desired.chains.get(name)
        return chain is not None and chain.base is not None

    def _table_is_gone(self) -> bool:
        try:
            self._socket.query(messages.get_table())
        except NetlinkError as error:
            return error.errno == errno.ENOENT
        return False

    # --- the kernel's side --------------------------------------------------------------------------------------------------

    def read_back(self) -> Actual:
        """List what the kernel has of ours, remember it as the truth, and return it decoded.

        NewerTableError if a later version of this program wrote it.
        """
        try:
            actual = read_table(self._socket)
        except NetlinkError as error:
            raise KernelRefusedError(error.errno, f"list table inet {messages.TABLE}: {error.strerror}") from error
        except DumpInterruptedError as error:
            raise KernelRefusedError(errno.EAGAIN, f"list table inet {messages.TABLE}: {error}") from error
        self._distrust()
        self._in_doubt = False
        self._actual = actual
        return actual

    def watch(self) -> TableWatch:
        """Tells when somebody else changes the table: then ``read_back`` and plan again."""
        return TableWatch(self._socket.port)

    def cleanup(self) -> None:
        """Delete our table, whoever wrote it, if it is there."""
        self._distrust()
        failure = self._send([drop_table()])
        if failure and failure.errno != errno.ENOENT:
            raise refusal([drop_table()], failure)

    def close(self) -> None:
        """Close the socket; what was programmed stays in force."""
        self._socket.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def refusal(units: Sequence[Unit], failure: NetlinkError) -> KernelRefusedError:
    """The refusal with the name of what the kernel refused; a batch refused as a whole is named by what it is about."""
    operations = [operation for unit in units for operation in unit]
    if failure.index > 0:
        what = describe(operations[failure.index - 1], failure.offset)
    else:
        subjects = list(dict.fromkeys(str(operation.subject) for operation in operations))
        more = f" and {len(subjects) - 3} more" if len(subjects) > 3 else ""
        what = f"commit of {', '.join(subjects[:3])}{more}"
    return KernelRefusedError(failure.errno, f"{what}: {failure.strerror}")
