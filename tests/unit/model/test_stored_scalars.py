"""Our scalar types in stored JSON."""

from __future__ import annotations

import json

import pytest

from tortie.model.codec import InvalidResourceError, decode
from tortie.model.policy import EntityRule, NetworkPolicy


def destination(entity: dict[str, object]) -> EntityRule:
    rule = {"action": "Allow", "protocol": "TCP", "destination": entity}
    document = {"kind": "NetworkPolicy", "metadata": {"name": "x"}, "spec": {"ingress": [rule]}}
    return decode(json.dumps(document).encode(), NetworkPolicy).spec.ingress[0].destination


def test_equal_ports_are_one_value():
    first, second = (destination({"ports": [8080]}).ports[0] for _ in range(2))
    assert first is second


@pytest.mark.parametrize(
    ("entity", "said"),
    [
        ({"ports": [True]}, "expected Port, got True"),
        ({"ports": [[80]]}, r"expected Port, got \[80\]"),
        ({"ports": [70000]}, "is not a port number"),
        ({"nets": [8]}, "expected Network, got 8"),
        ({"nets": ["10.0.0.1/8"]}, "the network is 10.0.0.0/8"),
    ],
)
def test_what_is_none_is_refused_with_its_place(entity, said):
    destination({"ports": [1]})  # equal to true, and cached
    with pytest.raises(InvalidResourceError, match=rf"{said}.* - at `\$.spec.ingress\[0\].destination"):
        destination(entity)
