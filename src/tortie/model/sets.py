"""Sets of networks outside the cluster, which rules find by their labels like endpoints."""

from __future__ import annotations

from typing import Literal

from tortie.model.meta import Resource, Value
from tortie.net import Network


class NetworkSetSpec(Value, frozen=True, kw_only=True):
    """What is in the set."""

    nets: tuple[str, ...] = ()
    """Networks such as ``10.0.0.0/8`` and addresses such as ``10.0.0.1``, of both IP versions. Host bits are ignored, and
    ``0.0.0.0/0`` is every IPv4 address."""


class NetworkSet(Resource, frozen=True, kw_only=True, tag="NetworkSet"):
    """Networks by their labels, for rules of its namespace or with a namespaceSelector; it has its namespace's labels too."""

    api_version: Literal["projectcalico.org/v3"] = "projectcalico.org/v3"
    spec: NetworkSetSpec
    """What is in the set."""


class GlobalNetworkSet(Resource, frozen=True, kw_only=True, tag="GlobalNetworkSet"):
    """Networks by their labels, for rules of global policies or with namespaceSelector ``global()``."""

    api_version: Literal["projectcalico.org/v3"] = "projectcalico.org/v3"
    spec: NetworkSetSpec
    """What is in the set."""


def networks(spec: NetworkSetSpec) -> tuple[Network, ...]:
    """The networks of a set, whose text is stored as it was written; an empty text, which Calico accepts, is none of them."""
    return tuple(parse_net(text) for text in spec.nets if text)


def parse_net(text: str) -> Network:
    """A set's item: a network with any host bits, or one address. ValueError says what was expected."""
    _, slash, length = text.partition("/")
    if "%" in text or (slash and not (length.isascii() and length.isdecimal())):
        raise ValueError(f"{text!r} is not a network such as 10.0.0.0/8 or fd00::/8, or an address such as 10.0.0.1")
    return Network.parse(text, strict=False)
