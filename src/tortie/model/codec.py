"""Stored JSON to typed resources and back: msgspec, with our scalar types taught to it.

This is the reader for *stored* data: unknown fields are ignored here (they survive in the document itself), and the first
error ends the reading. The reader for people's files, which knows positions, is ``tortie.model.document``.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import msgspec

from tortie.model.meta import Resource
from tortie.net import MAC, Address, Network, Port, Protocol

R = TypeVar("R", bound=Resource)
S = TypeVar("S", bound=msgspec.Struct)

UNREADABLE = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
"""What msgspec raises for bytes: wrong type or field, no JSON, a string that is no UTF-8, nested too deeply."""

Document = dict[str, Any]
"""A resource as plain JSON values: what is stored, unknown fields included."""


class InvalidResourceError(ValueError):
    """A stored value that its kind's declaration refuses; the text names field and reason."""


_parse_port = functools.lru_cache(maxsize=4096)(Port.parse)
_parse_protocol = functools.lru_cache(maxsize=256)(Protocol.parse)
"""The same few stand in every resource, and are then one value. Networks, addresses and MACs rarely come twice."""

_FROM_TEXT: Mapping[type, Callable[[str], object]] = {
    Network: Network.parse,
    Address: Address.parse,
    MAC: MAC.parse,
    Port: _parse_port,
    Protocol: _parse_protocol,
}
_FROM_NUMBER: Mapping[type, Callable[[int], object]] = {Port: _parse_port, Protocol: _parse_protocol}


def _decode_scalar(wanted: type, value: object) -> object:
    if isinstance(value, str) and wanted in _FROM_TEXT:
        return _FROM_TEXT[wanted](value)
    if type(value) is int and wanted in _FROM_NUMBER:  # not true, which would be the port 1
        return _FROM_NUMBER[wanted](value)
    raise ValueError(f"expected {wanted.__name__}, got {value!r}")


def _encode_scalar(value: object) -> object:
    if isinstance(value, (Port, Protocol)):
        return value.to_builtin()
    if isinstance(value, (Network, Address, MAC)):
        return str(value)
    raise TypeError(f"a {type(value).__name__} has no place in a resource")


def from_document(document: object, struct: type[S]) -> S:
    """The resource, or other struct, that *document* describes; InvalidResourceError says which field is wrong."""
    try:
        return msgspec.convert(document, struct, dec_hook=_decode_scalar)
    except msgspec.ValidationError as error:
        raise InvalidResourceError(str(error)) from error


def to_document(resource: Resource) -> Document:
    """The plain form of *resource*; fields at their default are absent (``tortie.model.defaults`` writes those stored anyway)."""
    document = msgspec.to_builtins(resource, enc_hook=_encode_scalar)
    assert isinstance(document, dict)
    return document


@functools.cache
def _decoder(struct: type[R]) -> msgspec.json.Decoder[R]:
    return msgspec.json.Decoder(struct, dec_hook=_decode_scalar)


def decode(value: bytes, struct: type[R]) -> R:
    """Read a stored value; InvalidResourceError says what is wrong with it."""
    try:
        resource: R = _decoder(struct).decode(value)
    except UNREADABLE as error:
        raise InvalidResourceError(str(error)) from error
    return resource


def decode_document(value: bytes) -> Document:
    """Read a stored value as plain JSON; InvalidResourceError if it is not a JSON object."""
    try:
        return msgspec.json.decode(value, type=Document)
    except UNREADABLE as error:
        raise InvalidResourceError(str(error)) from error


def encode_document(document: Document) -> bytes:
    """The bytes to store."""
    return msgspec.json.encode(document)
