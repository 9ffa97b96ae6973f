"""What is fuzzed: a name, a function that must only ever fail in its own way, and texts to begin with.

Kept apart from atheris, so that the targets also run without it, on any bytes. A target returns for what is read and for what
is refused with its own error; any other exception, and anything that takes seconds, is a finding.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple

from tortie.model import document
from tortie.selectors import Selector, SelectorError
from tortie.selectors.parser import parse_node

LABELS: tuple[Mapping[str, str], ...] = ({}, {"a": "b"}, {"a": "", "c": "x", "d": "e"}, {"a.b/c": "a", "g": "yz"})
"""What selectors are tried on. Meaning is compared, not text: as in Calico, ``!(!has(a))`` is printed ``!!has(a)``, which is
read as ``has(a)``."""


POLICY = """\
apiVersion: projectcalico.org/v3
kind: NetworkPolicy
metadata: {name: a, namespace: b, labels: {c: no}}
spec:
  order: 010
  selector: a == 'b'
  types: [Ingress]
  ingress:
  - action: Allow
    protocol: TCP
    source: {nets: [10.0.0.0/8], selector: has(x)}
    destination: {ports: [80, '1:2', http]}
"""
LIST = """\
apiVersion: v1
kind: List
items:
- &a {apiVersion: v1, kind: Namespace, metadata: {name: x}}
- *a
---
"""
CONFIGURATION = """\
kind: FelixConfiguration
apiVersion: projectcalico.org/v3
metadata: {name: default}
spec: {bpfLogLevel: Info, routeRefreshInterval: 1m30s, <<: {mtu: 0x5dc}}
"""


class Target(NamedTuple):
    run: Callable[[bytes], object]
    seeds: tuple[str, ...]
    """Texts that reach far into the reader."""
    words: tuple[str, ...]
    """What its texts are made of."""


def read_yaml(data: bytes) -> None:
    """Reading a file never fails, whatever is in it: errors are part of the answer, and each has its place."""
    text = data.decode("utf-8", "replace")
    result = document.read(text)
    for problem in (*result.errors, *result.warnings):
        assert problem.position.line >= 1, problem
        assert problem.position.column >= 1, problem
        assert str(problem), problem


def parse_selector(data: bytes) -> None:
    """A selector is read, and its canonical text means the same; or it is refused, with a place inside the text."""
    text = data.decode("utf-8", "replace")
    try:
        selector = Selector(parse_node(text))
    except SelectorError as error:
        refused = error
    else:
        again = Selector(parse_node(selector.text))
        for labels in LABELS:
            assert selector.matches(labels) == again.matches(labels), (text, labels)
        return
    assert 0 <= refused.position <= len(text), refused
    assert refused.caret().endswith("^"), refused


TARGETS = {
    "yaml": Target(
        read_yaml,
        seeds=(POLICY, LIST, CONFIGURATION, '{"kind": "Pod", "apiVersion": "v1", "metadata": {"name": "x"}, "spec": {}}'),
        words=(
            "apiVersion", "projectcalico.org/v3", "networking.k8s.io/v1", "kind", "metadata", "name", "labels", "spec",
            "NetworkPolicy", "GlobalNetworkPolicy", "WorkloadEndpoint", "HostEndpoint", "Tier", "Profile", "IPPool",
            "BGPPeer", "FelixConfiguration", "Pod", "Namespace", "List", "items", "ingress", "egress", "action",
            "source", "destination", "nets", "ports", "selector", "---\n", "...\n", "<<", "!!int ", "!!binary ", "&a ", "*a",
            "0x1f", "0o17", "1e9", ".inf", ".nan", "1_000", "12:30:45", "2001-12-14", "null", "~", "|\n  ", ">-\n  ", "\t", "%YAML 1.1\n",
        ),
    ),
    "selector": Target(
        parse_selector,
        seeds=(
            "a == 'b' && has(c) || !(d in {'e', \"f\"} && g not in {})",
            "all() && !global() || k starts with 'x' || k ends with 'y' || k contains 'z'",
            "projectcalico.org/namespace != \"kube-system\" && !has(a.b/c-d_e)",
        ),
        words=(
            "all()", "global()", "has(", "in", "not in", "starts with", "startswith", "ends with", "endswith", "contains",
            "==", "!=", "&&", "||", "!", "(", ")", "{", "}", "'", '"', ", ", "a", "a.b/c",
        ),
    ),
}  # fmt: skip
