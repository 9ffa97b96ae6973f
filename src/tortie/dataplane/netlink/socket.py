"""A netlink socket: requests with acknowledgements, dumps, nf_tables batches, notifications.

Blocking: the kernel answers a request before ``send`` returns to us, so nothing here waits for anybody but the kernel. Only
a socket that has joined multicast groups is read from an event loop (``fileno``, ``receive_notifications``).
"""

from __future__ import annotations

import ctypes
import errno
import os
import socket
import struct
from collections.abc import Iterable, Iterator, Sequence
from types import TracebackType
from typing import Self

from tortie.dataplane.netlink.message import (
    HEADER_SIZE,
    NLM_F_ACK,
    NLM_F_ACK_TLVS,
    NLM_F_CAPPED,
    NLM_F_DUMP,
    NLM_F_DUMP_INTR,
    NLMSG_DONE,
    NLMSG_ERROR,
    Frame,
    Message,
    attribute_map,
    frames,
    read_text,
)

NETLINK_ROUTE = 0
NETLINK_NETFILTER = 12
NETLINK_GENERIC = 16

# linux/netlink.h, linux/socket.h: not in Python's socket module
_SOL_NETLINK = 270
_NETLINK_ADD_MEMBERSHIP = 1
_NETLINK_CAP_ACK = 10
_NETLINK_EXT_ACK = 11
_NETLINK_GET_STRICT_CHK = 12
_SO_SNDBUFFORCE = 32
_SO_RCVBUFFORCE = 33
_SO_ATTACH_FILTER = 26
_NLMSGERR_ATTR_MSG = 1
_NLMSGERR_ATTR_OFFS = 2

# linux/filter.h, and where nlmsg_pid stands in a message
_BPF_LOAD_WORD = 0x20
_BPF_JUMP_IF_EQUAL = 0x15
_BPF_RETURN = 0x06
_PORT_OFFSET = 12

_RECEIVE_BYTES = 1 << 18
"""Of one recv: dumps come in pieces of at most 32 KiB, answers to a batch in one piece each."""

_BUFFER_BYTES = 8 << 20


class NetlinkError(OSError):
    """The kernel refused a message; ``index`` says which of those sent, ``detail`` is the kernel's own explanation, if any.

    ``offset``, if known, is that of the attribute it complains of, in bytes from the message's start.
    """

    def __init__(self, code: int, index: int, detail: str, offset: int | None = None) -> None:
        super().__init__(code, os.strerror(code) + (f" ({detail})" if detail else ""))
        self.index = index
        self.detail = detail
        self.offset = offset


class DumpInterruptedError(Exception):
    """What was listed changed meanwhile: list again."""


class NetlinkSocket:
    """One socket in the network namespace of the thread that makes it."""

    def __init__(self, protocol: int, groups: Iterable[int] = ()) -> None:
        self._socket = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, protocol)
        self._sequence = 0
        try:
            self._socket.bind((0, 0))
            self._socket.setsockopt(_SOL_NETLINK, _NETLINK_CAP_ACK, 1)
            self._socket.setsockopt(_SOL_NETLINK, _NETLINK_EXT_ACK, 1)
            if protocol == NETLINK_ROUTE:
                self._socket.setsockopt(_SOL_NETLINK, _NETLINK_GET_STRICT_CHK, 1)
            self._enlarge(_SO_SNDBUFFORCE, socket.SO_SNDBUF)
            self._enlarge(_SO_RCVBUFFORCE, socket.SO_RCVBUF)
            for group in groups:
                self._socket.setsockopt(_SOL_NETLINK, _NETLINK_ADD_MEMBERSHIP, group)
        except BaseException:
            self._socket.close()
            raise

    def _enlarge(self, force: int, ordinary: int) -> None:
        """Ask for a large buffer: without CAP_NET_ADMIN in the first user namespace only up to net.core.{r,w}mem_max."""
        try:
            self._socket.setsockopt(socket.SOL_SOCKET, force, _BUFFER_BYTES)
        except PermissionError:
            self._socket.setsockopt(socket.SOL_SOCKET, ordinary, _BUFFER_BYTES)

    @property
    def send_limit(self) -> int:
        """How many bytes one send may have; the kernel counts its own overhead in the buffer's size."""
        return self._socket.getsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF) // 2 - 32_000

    def fileno(self) -> int:
        return self._socket.fileno()

    def close(self) -> None:
        self._socket.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def execute(self, messages: Sequence[Message]) -> None:
        """Send *messages* in one go, each with an acknowledgement; the first refusal is raised, after all have been tried."""
        if refusals := self.attempt(messages):
            raise refusals[0]

    def attempt(self, messages: Sequence[Message]) -> list[NetlinkError]:
        """The same, but all that the kernel refused is returned, in order; one refusal does not stop the others."""
        first = self._send([message._replace(flags=message.flags | NLM_F_ACK) for message in messages])
        refusals: list[NetlinkError] = []
        awaited = len(messages)
        while awaited:
            for frame in self._receive():
                if frame.type != NLMSG_ERROR or frame.sequence < first:
                    continue
                awaited -= 1
                if failure := error_of(frame, first):
                    refusals.append(failure)
        return refusals

    def query(self, message: Message) -> list[Frame]:
        """The answer to a request that is not a dump: its messages."""
        return self._collect(self._send([message._replace(flags=message.flags | NLM_F_ACK)]))

    def dump(self, message: Message) -> list[Frame]:
        """Everything that a dump lists; it is begun anew as often as the kernel says that it was interrupted (at most 10 times)."""
        for _ in range(10):
            first = self._send([message._replace(flags=message.flags | NLM_F_DUMP)])
            try:
                return self._collect(first)
            except DumpInterruptedError:
                continue
        raise DumpInterruptedError("the kernel's objects change faster than they can be listed")

    def stream(self, message: Message) -> Iterator[Frame]:
        """A dump, frame by frame, for what is too large to be held whole; it must be read to its end.

        Raises DumpInterruptedError at the end if it was interrupted: forget what came, and begin anew.
        """
        return self._answer(self._send([message._replace(flags=message.flags | NLM_F_DUMP)]))

    def send_batch(self, messages: Sequence[Message]) -> list[NetlinkError]:
        """Send an nf_tables batch (begin, messages, end); what the kernel refused, in order: empty if it was committed.

        At least one message must ask for an acknowledgement. The kernel answers before the send returns, so its answers are
        read without waiting: a refusal of the batch as a whole names only its begin.
        """
        first = self._send(messages)
        received, _lost = self._receive_waiting()  # of thousands of refusals some are lost, but not the first ones
        answers = [frame for frame in received if frame.type == NLMSG_ERROR and frame.sequence >= first]
        if not answers:
            return [NetlinkError(errno.EIO, 0, "the kernel did not answer the batch")]
        return [failure for frame in answers if (failure := error_of(frame, first))]

    def receive_notifications(self) -> list[Frame]:
        """What has come to the multicast groups joined; OSError ENOBUFS if some was lost: then list again. Blocks if nothing has come."""
        return list(self._receive())

    def discard_notifications(self) -> None:
        """Throw away what has come, and the kernel's word that more was lost: before listing again."""
        self._receive_waiting()

    def waiting_notifications(self) -> tuple[list[Frame], bool]:
        """What has come to the multicast groups joined, without waiting for more; and whether some was lost."""
        return self._receive_waiting()

    @property
    def port(self) -> int:
        """What the kernel calls this socket by, in the notifications that its requests cause."""
        return int(self._socket.getsockname()[0])

    def ignore_port(self, port: int) -> None:
        """Receive no notifications of what the socket *port* of this network namespace asked for (a classic BPF program)."""
        wanted = int.from_bytes(struct.pack("=I", port), "big")  # the program reads words in network order
        program = b"".join(
            struct.pack("=HBBI", *instruction)
            for instruction in (
                (_BPF_LOAD_WORD, 0, 0, _PORT_OFFSET),
                (_BPF_JUMP_IF_EQUAL, 0, 1, wanted),
                (_BPF_RETURN, 0, 0, 0),
                (_BPF_RETURN, 0, 0, 0xFFFFFFFF),
            )
        )
        memory = ctypes.create_string_buffer(program, len(program))
        self._socket.setsockopt(
            socket.SOL_SOCKET, _SO_ATTACH_FILTER, struct.pack("@HP", len(program) // 8, ctypes.addressof(memory))
        )

    def _receive_waiting(self) -> tuple[list[Frame], bool]:
        """What has come, without waiting; and whether the kernel says that some was lost (ENOBUFS)."""
        found: list[Frame] = []
        lost = False
        while True:
            try:
                found += frames(self._socket.recv(_RECEIVE_BYTES, socket.MSG_DONTWAIT))
            except BlockingIOError:
                return found, lost
            except OSError as error:
                if error.errno != errno.ENOBUFS:
                    raise
                lost = True

    def _send(self, messages: Sequence[Message]) -> int:
        """Send all in one datagram; the sequence number of the first."""
        first = self._sequence + 1
        self._sequence += len(messages)
        data = b"".join(message.pack(first + i) for i, message in enumerate(messages))
        self._socket.send(data)
        return first

    def _receive(self) -> Iterable[Frame]:
        return frames(self._socket.recv(_RECEIVE_BYTES))

    def _collect(self, sequence: int) -> list[Frame]:
        """The frames of one answer, up to its end or acknowledgement."""
        return list(self._answer(sequence))

    def _answer(self, sequence: int) -> Iterator[Frame]:
        interrupted = False
        while True:
            for frame in self._receive():
                if frame.sequence != sequence:
                    continue
                interrupted = interrupted or bool(frame.flags & NLM_F_DUMP_INTR)
                if frame.type in (NLMSG_ERROR, NLMSG_DONE):
                    # a dump that fails on its way, or is refused by strict checking, says so in its NLMSG_DONE
                    if failure := error_of(frame, sequence):
                        raise failure
                    if interrupted:
                        raise DumpInterruptedError
                    return
                yield frame


def error_of(frame: Frame, first_sequence: int) -> NetlinkError | None:
    """The refusal in an NLMSG_ERROR or NLMSG_DONE; None if it is an acknowledgement (error 0)."""
    (code,) = struct.unpack_from("=i", frame.payload)
    if code == 0:
        return None
    detail, offset = "", None
    if frame.flags & NLM_F_ACK_TLVS:
        at = 4 if frame.type == NLMSG_DONE else 4 + HEADER_SIZE
        if frame.type == NLMSG_ERROR and not frame.flags & NLM_F_CAPPED:
            (length,) = struct.unpack_from("=I", frame.payload, 4)
            at = 4 + ((length + 3) & ~3)
        found = attribute_map(frame.payload, at)
        detail = read_text(found.get(_NLMSGERR_ATTR_MSG, b""))
        if _NLMSGERR_ATTR_OFFS in found:
            (offset,) = struct.unpack("=I", found[_NLMSGERR_ATTR_OFFS])
    return NetlinkError(-code, frame.sequence - first_sequence, detail or errno.errorcode.get(-code, ""), offset)
