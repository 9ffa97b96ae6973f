"""The servers of one etcd cluster as its clients here share them: which one is used, who we are, and how channels are made.

One server at a time is used, by all. Who finds it failing says so (``leave``), and the next one is used from then on; that a
channel belongs to a server that was left shows in its number.
"""

from __future__ import annotations

import contextlib
import os
import random
import ssl
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import grpc

from tortie.datastore.connection import TLS
from tortie.datastore.etcd import rpc_pb2 as rpc
from tortie.datastore.store import UnauthorizedError, UnavailableError

_OPTIONS = (
    ("grpc.max_receive_message_length", -1),  # a page may be large; etcd bounds it by what its keys hold
    ("grpc.max_send_message_length", -1),
    # A server that is gone without a word is noticed within 20 s. etcd refuses pings more often than each 5 s.
    ("grpc.keepalive_time_ms", 10_000),
    ("grpc.keepalive_timeout_ms", 10_000),
    ("grpc.http2.max_pings_without_data", 0),
    # How long connecting may take (its name speaks of something else), so that another server gets its turn.
    ("grpc.min_reconnect_backoff_ms", 3_000),
    # Each channel connects by itself: waiting between attempts is decided in ``attempts``, not shared behind our back.
    ("grpc.use_local_subchannel_pool", 1),
    ("grpc.service_config_disable_resolution", 1),
    ("grpc.enable_http_proxy", 0),
)

_LISTING_OPTIONS = (
    *_OPTIONS,
    # Pages of several MB come in a few large frames, and the server need not wait for us to take them.
    ("grpc.http2.lookahead_bytes", 16 << 20),
    ("grpc.http2.max_frame_size", 4 << 20),
)
"""Not for watches: what is not read of one should stay in the server."""


class Server(NamedTuple):
    """The server in use."""

    number: int
    """Grows whenever a server is left, even for the same one: a channel of an earlier number is not used again."""
    endpoint: str
    """``HOST:PORT``"""


class Cluster:
    """See above; for one thread."""

    def __init__(
        self, endpoints: Sequence[str], tls: TLS | None, username: str, password: Path | str, *, patience_s: float
    ) -> None:
        """Begins with any of *endpoints*, so that a fleet spreads over the servers."""
        if not endpoints:
            raise ValueError("a cluster needs an endpoint")
        self._endpoints = tuple(endpoints)
        self._tls = tls
        self._number = random.randrange(len(endpoints))
        self._password = password
        self.patience_s = patience_s
        """How long after a call's first attempt new ones are made."""
        self.username = username
        """Empty: we do not say who we are, or our certificate does."""
        self.token: str | None = None
        """What shows etcd that we have given our password; None before that."""
        self.seen = 0
        """The newest revision that any server has told us of."""

    @property
    def size(self) -> int:
        """How many servers there are to try."""
        return len(self._endpoints)

    @property
    def server(self) -> Server:
        return Server(self._number, self._endpoints[self._number % len(self._endpoints)])

    def leave(self, server: Server) -> None:
        """Use the next one instead of *server*, unless somebody else saw to that."""
        if server.number == self._number:
            self._number += 1

    @property
    def needs_token(self) -> bool:
        """Whether our password has to be given before the next call."""
        return bool(self.username) and self.token is None

    def credentials(self) -> rpc.AuthenticateRequest:
        """Our user and password, whose file is read anew: so a password that was changed is used at the next authentication."""
        return rpc.AuthenticateRequest(name=self.username, password=_password(self._password))

    def metadata(self) -> tuple[tuple[str, str], ...]:
        """What goes with every call: our token, and that a server without a leader must not answer or keep a watch waiting."""
        leader = ("hasleader", "true")
        return (leader, ("token", self.token)) if self.token else (leader,)

    def note(self, header: rpc.ResponseHeader) -> None:
        """Take in an answer's header."""
        self.seen = max(self.seen, header.revision)

    def channel(self) -> grpc.Channel:
        """A channel to the server in use, for calls that block."""
        target = self.server.endpoint
        if self._tls is None:
            return grpc.insecure_channel(target, options=_OPTIONS)
        return grpc.secure_channel(target, channel_credentials(self._tls), options=_OPTIONS)

    def aio_channel(self, *, is_for_listing: bool) -> grpc.aio.Channel:
        """A channel to the server in use, for the running event loop."""
        target = self.server.endpoint
        options = _LISTING_OPTIONS if is_for_listing else _OPTIONS
        if self._tls is None:
            return grpc.aio.insecure_channel(target, options=options)
        return grpc.aio.secure_channel(target, channel_credentials(self._tls), options=options)


def channel_credentials(tls: TLS) -> grpc.ChannelCredentials:
    """Read anew for every channel, so that renewed certificates are used at the next connection."""
    ca, certificate, key = (_pem(source) for source in tls)
    if (certificate is None) != (key is None):
        raise UnauthorizedError("a certificate for etcd goes with its key, and one of the two is not given")
    _refuse_halves(ca, certificate, key)
    return grpc.ssl_channel_credentials(ca, key, certificate)


def _refuse_halves(ca: bytes | None, certificate: bytes | None, key: bytes | None) -> None:
    """UnavailableError for what is no PEM, or no pair: files that are being renewed are so for a moment, and gRPC aborts the process."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    try:
        if ca is not None:  # what people write between certificates is in any language; ``ssl`` wants ASCII
            context.load_verify_locations(cadata=ca.decode("ascii", "backslashreplace"))
        if certificate is not None and key is not None:
            with _in_memory(certificate) as certificate_path, _in_memory(key) as key_path:
                context.load_cert_chain(certificate_path, key_path, password="")
    except (OSError, ValueError) as error:  # SSLError is an OSError, and so is that no descriptor is left
        raise UnavailableError(f"the certificates for etcd are not whole, or not of one key: {error}") from error


@contextlib.contextmanager
def _in_memory(content: bytes) -> Iterator[str]:
    """A path at which OpenSSL can read *content*, which is in no file system (memfd_create(2))."""
    with os.fdopen(os.memfd_create("pem"), "wb") as file:
        file.write(content)
        file.flush()
        yield f"/proc/self/fd/{file.fileno()}"


def _pem(source: Path | str | None) -> bytes | None:
    if source is None:
        return None
    return source.encode() if isinstance(source, str) else _content(source)


def _password(source: Path | str) -> str:
    """Without the line's end that editors put behind it."""
    if isinstance(source, str):
        return source
    try:
        return _content(source).decode().removesuffix("\n").removesuffix("\r")
    except UnicodeDecodeError as error:
        raise UnauthorizedError(f"{source} holds no password for etcd: it is not text") from error


def _content(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise UnavailableError(
            f"cannot read {path}, which authenticates etcd's clients or servers: {error.strerror}"
        ) from error
