"""The responses of a watch as changes: whole revisions, in order, none twice. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from tortie.datastore.etcd import rpc_pb2 as rpc
from tortie.datastore.etcd.codec import entry_of, key_text
from tortie.datastore.store import Changes, DeleteEvent, Event, Progress, PutEvent


class Assembler:
    """Puts a watch's events from revision *first* on together by revision, which fragments of a big response cut through."""

    def __init__(self, first: int) -> None:
        self._next = first
        """Revisions before it have been given."""
        self._held: list[Event] = []
        """The events so far of ``_held_revision``."""
        self._held_revision = 0

    def take(self, response: rpc.WatchResponse) -> Iterator[Changes | Progress]:
        """What *response* completes. One without events is etcd's word that there were none up to its revision."""
        for event in response.events:
            revision = event.kv.mod_revision
            if self._held and revision != self._held_revision:
                yield self._release()
            if revision >= self._next:
                self._held_revision = revision
                self._held.append(_event(event))
        if self._held and not response.fragment:
            yield self._release()
        if not response.events and not response.fragment and response.header.revision >= self._next - 1:
            self._next = response.header.revision + 1
            yield Progress(response.header.revision)

    def _release(self) -> Changes:
        whole = Changes(self._held_revision, tuple(self._held))
        self._next = self._held_revision + 1
        self._held = []
        return whole


def _event(event: rpc.Event) -> Event:
    previous = entry_of(event.prev_kv) if event.HasField("prev_kv") else None
    if event.type == rpc.Event.DELETE:
        return DeleteEvent(key_text(event.kv.key), previous)
    return PutEvent(entry_of(event.kv), previous)
