"""What the page follows: named values, each with its newest state, sent on as they change (Server-sent events, WHATWG HTML §9.2)."""

from __future__ import annotations

import asyncio
import json
import secrets

from tortie.lab.http import Close, Send, Stream


class Feed:
    """Whoever follows gets the newest state of every value at once, and then every change."""

    def __init__(self) -> None:
        self._newest: dict[str, bytes] = {}
        self._followers: set[Send] = set()
        self.followed = asyncio.Event()
        """Set while there is a follower."""

    def introduce(self) -> None:
        """Tell under ``server`` what no other program tells: a page that comes back to the address notices that another one answers."""
        self.publish("server", secrets.token_hex(8))

    def publish(self, name: str, value: object) -> None:
        """Tell *value* under *name*; nothing is sent if it is what it was."""
        message = f"event: {name}\ndata: {json.dumps(value)}\n\n".encode()
        if self._newest.get(name) != message:
            self._newest[name] = message
            for send in tuple(self._followers):
                send(message)

    def forget(self, name: str) -> None:
        """Who comes from now on gets no value of *name* until there is a new one."""
        self._newest.pop(name, None)

    def stream(self) -> Stream:
        """The answer to a request to follow."""
        return Stream(self._follow)

    def _follow(self, send: Send) -> Close:
        for message in self._newest.values():
            send(message)
        self._followers.add(send)
        self.followed.set()
        return lambda: self._leave(send)

    def _leave(self, send: Send) -> None:
        self._followers.discard(send)
        if not self._followers:
            self.followed.clear()
