"""A watch's responses, whole or in pieces, become whole revisions."""

from __future__ import annotations

import itertools

from hypothesis import given
from hypothesis import strategies as st

from tortie.datastore.etcd import rpc_pb2 as rpc
from tortie.datastore.etcd.events import Assembler
from tortie.datastore.store import Changes, DeleteEvent, Entry, Progress, PutEvent


def put(revision: int, key: str = "/a") -> rpc.Event:
    return rpc.Event(kv=rpc.KeyValue(key=key.encode(), mod_revision=revision))


def response(*events: rpc.Event, revision: int = 0, fragment: bool = False) -> rpc.WatchResponse:
    return rpc.WatchResponse(header=rpc.ResponseHeader(revision=revision), events=events, fragment=fragment)


def test_a_deletion_has_the_revision_that_deleted() -> None:
    previous = rpc.KeyValue(key=b"/a", value=b"1", mod_revision=3)
    deletion = rpc.Event(type=rpc.Event.DELETE, kv=rpc.KeyValue(key=b"/a", mod_revision=5), prev_kv=previous)
    assert list(Assembler(4).take(response(deletion))) == [Changes(5, (DeleteEvent("/a", Entry("/a", b"1", 3)),))]


def test_the_last_revision_of_a_piece_waits_for_the_next_piece() -> None:
    assembler = Assembler(1)
    first = list(assembler.take(response(put(1), put(2, "/a"), fragment=True)))
    second = list(assembler.take(response(put(2, "/b"), put(3))))
    assert [change.revision for change in first + second] == [1, 2, 3]
    assert second[0] == Changes(2, tuple(PutEvent(Entry(key, b"", 2), None) for key in ("/a", "/b")))


def test_a_response_without_events_is_progress_and_what_it_covers_never_comes_again() -> None:
    assembler = Assembler(4)
    assert list(assembler.take(response(revision=2))) == []  # it is from before the watch begins
    assert list(assembler.take(response(revision=7))) == [Progress(7)]
    assert list(assembler.take(response(put(7)))) == []
    assert list(assembler.take(response(put(8)))) == [Changes(8, (PutEvent(Entry("/a", b"", 8), None),))]


@given(sizes=st.lists(st.integers(1, 4), max_size=6), cuts=st.sets(st.integers(1, 24)))
def test_revisions_are_whole_wherever_the_pieces_are_cut(sizes: list[int], cuts: set[int]) -> None:
    events = [put(revision, f"/{number}") for revision, size in enumerate(sizes, 1) for number in range(size)]
    edges = [0, *sorted(cut for cut in cuts if cut < len(events)), len(events)]
    assembler = Assembler(1)
    taken = []
    for begin, end in itertools.pairwise(edges):
        taken += list(assembler.take(response(*events[begin:end], fragment=end < len(events)))) if events else []
    assert [(change.revision, len(change.events)) for change in taken if isinstance(change, Changes)] == list(enumerate(sizes, 1))  # fmt: skip
